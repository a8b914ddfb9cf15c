#include "common/http_server.h"

#include <chrono>
#include <functional>
#include <utility>

#include "common/timer.h"
#include "tests/support/server_fixture.h"

namespace hpc {
namespace {

using HttpServerTest = ServerFixture;

std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: n\r\n\r\n";
}

std::size_t count(std::string_view text, std::string_view needle) {
  std::size_t found = 0;
  for (auto at = text.find(needle); at != std::string_view::npos; at = text.find(needle, at + 1)) {
    ++found;
  }
  return found;
}

TEST_F(HttpServerTest, AnswersLocallyAndKeepsTheConnection) {
  auto* client = connect();
  client->deliver(get("/local/1"));
  EXPECT_EQ(client->written, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nhere:/local/1");
  client->deliver(get("/local/2"));
  EXPECT_TRUE(client->written.ends_with("here:/local/2"));
}

TEST_F(HttpServerTest, HeadGetsNoBody) {
  auto* client = connect();
  client->deliver("HEAD /local HTTP/1.1\r\nHost: n\r\n\r\n");
  EXPECT_EQ(client->written, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n");
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrderWhereverTheyAreCut) {
  const std::string two = get("/x") + get("/local/2") + get("/y");
  for (std::size_t cut = 0; cut <= two.size(); ++cut) {
    auto* client = connect();
    client->deliver(two.substr(0, cut));
    client->deliver(two.substr(cut));
    auto* app = connector.accept();
    ASSERT_TRUE(app) << cut;
    app->queued = 0;
    EXPECT_EQ(count(app->written, "GET /x"), 1U);
    EXPECT_EQ(count(app->written, "GET /y"), 0U) << "the second waits for the first";
    app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    ASSERT_TRUE(wait_for([&] { return count(app->written, "GET /y") == 1; })) << cut;
    app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny");
    const auto& text = client->written;
    EXPECT_LT(text.find("\r\n\r\nx"), text.find("here:/local/2"));
    EXPECT_LT(text.find("here:/local/2"), text.find("\r\n\r\ny"));
    pool.close_idle();
    settle(loop);
  }
}

TEST_F(HttpServerTest, ReadAheadIsBounded) {
  auto [client, app] = exchange(get("/x"));
  client->deliver(std::string(std::size_t{64} * 1024 - 1, 'G'));
  EXPECT_EQ(client->paused, 0U);
  client->deliver("G");
  EXPECT_TRUE(client->paused & static_cast<unsigned>(PauseReason::kMessageDone));
}

TEST_F(HttpServerTest, RefusalIsAnsweredAndClosed) {
  auto* client = connect();
  client->deliver("GET / HTTP/1.1\r\nHost : n\r\n\r\n");
  EXPECT_TRUE(client->written.starts_with("HTTP/1.1 400 Bad Request\r\n")) << client->written;
  EXPECT_NE(client->written.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(client->half_closed);
  client->deliver(get("/local"));
  EXPECT_EQ(client->written.find("here"), std::string::npos) << "what follows is thrown away";
}

TEST_F(HttpServerTest, RefusedMethodNamesTheAllowedOnes) {
  auto* client = connect();
  client->deliver("TRACE / HTTP/1.1\r\nHost: n\r\n\r\n");
  EXPECT_TRUE(client->written.starts_with("HTTP/1.1 405 ")) << client->written;
  EXPECT_NE(client->written.find("\r\nAllow: GET, "), std::string::npos);
}

TEST_F(HttpServerTest, BadBodyAfterTheHeadAbortsTheUpstream) {
  auto [client, app] =
      exchange("POST / HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  client->deliver("0x1\r\n");
  EXPECT_TRUE(client->written.starts_with("HTTP/1.1 400 ")) << client->written;
  EXPECT_TRUE(app->failure());
}

TEST_F(HttpServerTest, BadBodyAfterTheAnswerBeganCutsTheClient) {
  auto [client, app] =
      exchange("POST / HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
  client->deliver("0x1\r\n");
  EXPECT_TRUE(client->failure());
  EXPECT_EQ(client->written.find("400"), std::string::npos);
}

TEST_F(HttpServerTest, RequestWithABodyThatNobodyReadsEndsTheConnection) {
  auto* client = connect();
  client->deliver("POST /local HTTP/1.1\r\nHost: n\r\nContent-Length: 5\r\n\r\nabcde");
  EXPECT_NE(client->written.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(client->half_closed);
}

TEST_F(HttpServerTest, EarlyAnswerEndsTheConnectionAfterIt) {
  auto [client, app] = exchange("POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 5\r\n\r\nab");
  app->deliver("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_TRUE(client->written.ends_with("\r\n\r\nno"));
  EXPECT_TRUE(client->half_closed);
  EXPECT_EQ(pool.idle_count(), 0U) << "its request is not complete";
}

TEST_F(HttpServerTest, StrangerGetsOneAnswer) {
  auto* client = connect();
  client->deliver(get("/stranger"));
  EXPECT_TRUE(client->written.starts_with("HTTP/1.1 401 "));
  EXPECT_TRUE(client->half_closed);
}

TEST_F(HttpServerTest, UnauthenticatedConnectionsAreLimited) {
  options.unauthenticated_max = 2;
  auto* first = connect();
  connect();
  auto* third = connect();
  EXPECT_TRUE(third->written.starts_with("HTTP/1.1 503 ")) << third->written;
  EXPECT_TRUE(third->half_closed);
  third->drain();
  third->deliver_end();
  third->turn();
  settle(loop);
  first->deliver(get("/local"));
  auto* fourth = connect();
  EXPECT_EQ(fourth->written, "") << "the first one was let in and counts no more";
}

TEST_F(HttpServerTest, OnesOwnConnectionsAreNoStrangers) {
  options.unauthenticated_max = 1;
  options.unauthenticated_ms = 1;
  start_server();
  FakeStream* own = nullptr;
  for (int i = 0; i < 3; ++i) {
    auto stream = std::make_unique<FakeStream>();
    own = stream.get();
    ClientInfo info;
    info.peer_is_ours = 1;
    server->adopt(std::move(stream), info);
  }
  EXPECT_EQ(own->written, "");
  EXPECT_EQ(server->stats().unauthenticated_connections, 0U);
  auto* stranger = connect();
  ASSERT_TRUE(wait_for([&] { return stranger->half_closed; }));
  EXPECT_FALSE(own->half_closed);
}

TEST_F(HttpServerTest, ConnectionsAreLimited) {
  options.connections_max = 2;
  connect()->deliver(get("/local"));
  connect()->deliver(get("/local"));
  auto* third = connect();
  EXPECT_TRUE(third->written.starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(server->stats().connections_refused, 1U);
}

// docs/hpc-proxy.md names them, and Node closes an idle connection after 5 s.
TEST(HttpDefaultsTest, TimesAndSizesAreThoseThatPeopleAreTold) {
  const HttpServerOptions server;
  EXPECT_EQ(server.head_timeout_ms, 10'000U);
  EXPECT_EQ(server.body_timeout_ms, 60'000U);
  EXPECT_EQ(server.idle_timeout_ms, 75'000U);
  EXPECT_EQ(server.unauthenticated_ms, 10'000U);
  EXPECT_EQ(server.unauthenticated_max, 64U);
  EXPECT_EQ(server.connections_max, 1024U);
  EXPECT_EQ(server.buffer_bytes_max, 64U * 1024 * 1024);
  EXPECT_EQ(server.limits.target_bytes_max, 8U * 1024);
  EXPECT_EQ(server.limits.head_bytes_max, 64U * 1024);
  EXPECT_EQ(server.limits.fields_max, 128U);
  EXPECT_EQ(UpstreamPoolOptions{}.idle_ms, 4000U);
  EXPECT_EQ(kQueueBytesMax, 256U * 1024);
  EXPECT_EQ(kQueueBytesLow, 64U * 1024);
}

TEST_F(HttpServerTest, SlowHeadIs408) {
  options.head_timeout_ms = 1;
  auto* client = connect();
  client->deliver(get("/local"));
  client->deliver("GET /");
  ASSERT_TRUE(wait_for([&] { return client->written.find("HTTP/1.1 408 ") != std::string::npos; }));
  EXPECT_TRUE(client->half_closed);
}

TEST_F(HttpServerTest, IdleConnectionIsClosedQuietly) {
  options.idle_timeout_ms = 1;
  auto* client = connect();
  client->deliver(get("/local"));
  const auto size = client->written.size();
  ASSERT_TRUE(wait_for([&] { return client->half_closed; }));
  EXPECT_EQ(client->written.size(), size);
}

TEST_F(HttpServerTest, WhoeverIsNotLetInInTimeIsClosed) {
  options.unauthenticated_ms = 1;
  auto* client = connect();
  ASSERT_TRUE(wait_for([&] { return client->half_closed; }));
  EXPECT_EQ(client->written, "");
}

TEST_F(HttpServerTest, SlowBodyIsCut) {
  options.body_timeout_ms = 1;
  auto [client, app] = exchange("POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 5\r\n\r\nab");
  ASSERT_TRUE(wait_for([client = client] { return client->failure().has_value(); }));
}

/// Calls `each` every so many milliseconds. The loop's timers fire in their order however late the
/// machine is, so a deadline that is longer never comes between two calls.
struct Ticker {
  Ticker(Loop& loop, std::uint64_t every_ms, std::function<void()> each)
      : every(every_ms), tick(std::move(each)), timer(loop, [this] {
          timer.start(every);
          tick();
        }) {
    timer.start(every);
  }
  std::uint64_t every;
  std::function<void()> tick;
  Timer timer;
};

TEST_F(HttpServerTest, HeadThatComesByDropsIs408InTotal) {
  options.head_timeout_ms = 50;
  auto* client = connect();
  client->deliver(get("/local"));
  Ticker drops(loop, 20, [client] { client->deliver("G"); });
  ASSERT_TRUE(wait_for([&] { return client->written.find("HTTP/1.1 408 ") != std::string::npos; }));
}

TEST_F(HttpServerTest, BodyMayTakeAsLongAsItKeepsComing) {
  options.body_timeout_ms = 50;
  auto [client, app] = exchange("POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 99\r\n\r\nab");
  int drops_seen = 0;
  Ticker drops(loop, 20, [&, client = client, app = app] {
    client->deliver("x");
    app->queued = 0;
    ++drops_seen;
  });
  ASSERT_TRUE(wait_for([&] { return drops_seen == 10; }));
  EXPECT_FALSE(client->failure());
}

TEST_F(HttpServerTest, ClientThatIsNotReadIsNotSlow) {
  options.body_timeout_ms = 20;
  auto [client, app] = exchange("POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 999999\r\n\r\n");
  client->deliver(std::string(kQueueBytesMax, 'x'));
  ASSERT_NE(client->paused, 0U);
  int ticks = 0;
  Ticker wait(loop, 50, [&ticks] { ++ticks; });
  ASSERT_TRUE(wait_for([&] { return ticks == 3; }));
  EXPECT_FALSE(client->failure());
  app->drain();
  ASSERT_TRUE(wait_for([client = client] { return client->failure().has_value(); }))
      << "now it is the client who is slow";
}

TEST_F(HttpServerTest, WholeAnswerThatIsStillBeingReadIsNotCut) {
  options.idle_timeout_ms = 60'000;
  auto* client = connect();
  client->deliver("GET /local HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client->half_closed);
  server->drain(1, [] {});  // the end of a drain looks at it, without waiting as long as else
  client->queued = 0;       // the kernel has taken all of it
  ASSERT_TRUE(wait_for([&] { return server->stats().open_connections == 0; }));
}

TEST_F(HttpServerTest, AnswerThatIsNotReadAtAllIsCutAtTheEndOfTheDrain) {
  auto* client = connect();
  client->deliver("GET /local HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n");
  ASSERT_GT(client->queued, 0U);
  server->drain(1, [] {});
  ASSERT_TRUE(wait_for([&] { return client->failure().has_value(); }));
  client->turn();
  settle(loop);
}

TEST_F(HttpServerTest, LongPollHasNoDeadline) {
  options.idle_timeout_ms = options.head_timeout_ms = options.body_timeout_ms = 1;
  options.unauthenticated_ms = 1;
  auto [client, app] = exchange(get("/x"));
  Timer later(loop,
              [app = app] { app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); });
  later.start(20);
  ASSERT_TRUE(wait_for([client = client] { return client->written.ends_with("ok"); }));
}

/// A request that is answered and closed while its body still comes: on "/local", or by a stranger.
struct HttpLingerTest : HttpServerTest {
  FakeStream* upload_to(std::string_view target) {
    options.linger_ms = 10;
    auto* client = connect();
    client->deliver("POST " + std::string(target) +
                    " HTTP/1.1\r\nHost: n\r\nContent-Length: 999999\r\n\r\n");
    EXPECT_TRUE(client->half_closed);
    client->queued = 0;  // the kernel has our answer
    return client;
  }
  std::uint64_t open() const { return server->stats().open_connections; }
  /// Sends on every 2 ms; how many ms until the connection was closed, at most `ms_max`.
  std::uint64_t send_on(FakeStream* client, std::uint64_t ms_max) {
    const auto began_ms = loop.now_ms();
    Timer sender(loop, [&] {
      if (open() == 0) return;
      client->deliver("x");
      sender.start(2);
    });
    sender.start(2);
    wait_for([&] { return open() == 0 || loop.now_ms() - began_ms > ms_max; });
    return loop.now_ms() - began_ms;
  }
};

TEST_F(HttpLingerTest, AClientThatSendsOnKeepsItsAnswer) {
  EXPECT_GT(send_on(upload_to("/local"), 100), 100U);
  EXPECT_EQ(open(), 1U);
  EXPECT_TRUE(wait_for([&] { return open() == 0; })) << "it has stopped sending";
}

TEST_F(HttpLingerTest, ItIsClosedInTheEnd) {
  options.linger_total_ms = 50;
  EXPECT_GE(send_on(upload_to("/local"), 10'000), 50U);
  EXPECT_EQ(open(), 0U);
}

TEST_F(HttpLingerTest, AStrangerHasNoMoreTime) {
  EXPECT_LT(send_on(upload_to("/stranger"), 5'000), 5'000U);
  EXPECT_EQ(open(), 0U);
}

TEST_F(HttpLingerTest, ADrainDoesNotWaitForIt) {
  auto* client = upload_to("/local");
  bool drained = false;
  server->drain(30, [&] { drained = true; });
  Timer sender(loop, [&] {
    if (drained) return;
    client->deliver("x");
    sender.start(2);
  });
  sender.start(2);
  EXPECT_TRUE(wait_for([&] { return drained; }));
}

TEST_F(HttpServerTest, DrainFinishesWhatRunsAndClosesTheRest) {
  auto* idle = connect();
  idle->deliver(get("/local"));
  auto [busy, app] = exchange(get("/x"));
  bool drained = false;
  server->drain(10'000, [&] { drained = true; });
  EXPECT_TRUE(idle->half_closed);
  EXPECT_FALSE(busy->half_closed);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_TRUE(busy->written.ends_with("ok"));
  EXPECT_TRUE(busy->half_closed);
  settle(loop);
  EXPECT_FALSE(drained);
  for (auto* client : {idle, busy}) {
    client->drain();
    client->deliver_end();
    client->turn();
  }
  EXPECT_TRUE(wait_for([&] { return drained; }));
}

TEST_F(HttpServerTest, DrainCutsWhatIsStillBusyAtTheEnd) {
  auto [busy, app] = exchange(get("/x"));
  bool drained = false;
  server->drain(1, [&] { drained = true; });
  ASSERT_TRUE(wait_for([busy = busy] { return busy->failure().has_value(); }));
  busy->turn();
  EXPECT_TRUE(wait_for([&] { return drained; }));
}

TEST_F(HttpServerTest, TrafficOfOneOwnerIsCutAndTheOthersGoOn) {
  const std::string upgrade =
      " HTTP/1.1\r\nHost: n\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  const auto upgraded = [&](const std::string& target) {
    auto [client, app] = exchange("GET " + target + upgrade);
    app->deliver(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    return std::pair{client, app};
  };
  auto [socket, socket_app] = upgraded("/of/ann");
  auto* const other_socket = upgraded("/of/anne").first;
  auto [waiting, app] = exchange(get("/of/ann"));
  auto [other, other_app] = exchange(get("/of/bob"));
  auto [nobodys, nobodys_app] = exchange(get("/x"));
  auto [done, done_app] = exchange(get("/of/ann"));
  done_app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  server->cut_traffic_of("ann", {Errc::kUnavailable, "test", "over"});
  server->cut_traffic_of("", {Errc::kUnavailable, "test", "over"});
  EXPECT_TRUE(socket->failure());
  EXPECT_TRUE(waiting->failure());
  for (auto* client : {other_socket, other, nobodys, done}) EXPECT_FALSE(client->failure());
  EXPECT_EQ(server->stats().open_exchanges, 2U);
  other_app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_TRUE(other->written.ends_with("ok"));
  for (auto* stream : {socket, socket_app, waiting}) stream->turn();
  settle(loop);
  EXPECT_EQ(server->stats().open_websockets, 1U);
}

TEST_F(HttpServerTest, CountsWhatPasses) {
  auto [client, app] = exchange("POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(server->stats().open_exchanges, 1U);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  const auto& stats = server->stats();
  EXPECT_EQ(stats.open_exchanges, 0U);
  EXPECT_EQ(stats.requests, 1U);
  EXPECT_EQ(stats.bytes_from_clients, 3U);
  EXPECT_EQ(stats.bytes_to_clients, 2U);
  EXPECT_GT(stats.last_activity_unix_ms, 0);
}

// What tells whether a session is idle: what apps get and give, and nothing else.
TEST_F(HttpServerTest, AnswersOfOurOwnAreNoActivity) {
  exchange(get("/local/status"));
  exchange(get("/stranger"));
  connect()->deliver(get("/port/9/"));
  connector.fail(Errc::kRefused);
  exchange(get("/x"));  // whose app has not answered
  EXPECT_EQ(server->stats().last_activity_unix_ms, 0);
}

TEST_F(HttpServerTest, AnAnswerWithoutABodyIsActivity) {
  auto [client, app] = exchange(get("/x"));
  app->deliver("HTTP/1.1 304 Not Modified\r\n\r\n");
  EXPECT_GT(server->stats().last_activity_unix_ms, 0);
}

TEST_F(HttpServerTest, BytesOfAWebSocketAreActivityEachWay) {
  auto [client, app] = exchange(
      "GET /x HTTP/1.1\r\nHost: n\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  app->deliver(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  for (auto* sender : {client, app}) {
    const auto before = server->stats().last_activity_unix_ms;
    EXPECT_GT(before, 0);
    while (std::chrono::system_clock::now().time_since_epoch() <=
           std::chrono::milliseconds(before + 1)) {
      // for a millisecond at most
    }
    EXPECT_EQ(server->stats().last_activity_unix_ms, before) << "an open WebSocket alone is none";
    sender->deliver("x");
    EXPECT_GT(server->stats().last_activity_unix_ms, before);
  }
}

}  // namespace
}  // namespace hpc
