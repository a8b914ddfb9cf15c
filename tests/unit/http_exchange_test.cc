#include "common/http_exchange.h"

#include <optional>
#include <ostream>

#include "common/timer.h"
#include "tests/support/server_fixture.h"

namespace hpc {
namespace {

using HttpExchangeTest = ServerFixture;

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: n\r\n\r\n";

TEST_F(HttpExchangeTest, PassesRequestAndAnswerOn) {
  auto [client, app] = exchange(
      "GET /a%2fb?q HTTP/1.1\r\nHost: n\r\nX-A: 1\r\nConnection: x-b\r\n"
      "X-B: 2\r\n\r\n");
  ASSERT_TRUE(app);
  EXPECT_EQ(app->written, "GET /a%2fb?q HTTP/1.1\r\nHost: n\r\nX-A: 1\r\n\r\n");
  app->deliver(
      "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-C: 3\r\nKeep-Alive: timeout=5\r\n\r\nok");
  EXPECT_EQ(client->written, "HTTP/1.1 200 Fine\r\nX-C: 3\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(client->writes, 1) << "head and body in one write";
  EXPECT_FALSE(client->half_closed);
}

TEST_F(HttpExchangeTest, ThePolicyMayChooseTheTargetWhenItIsKnownWhereItLeads) {
  chosen_target = "/absapp/x";
  auto [client, app] = exchange(kGet);
  ASSERT_TRUE(app);
  EXPECT_EQ(app->written.substr(0, app->written.find('\r')), "GET /absapp/x HTTP/1.1");
}

TEST_F(HttpExchangeTest, AnswerDoesNotDependOnWhereItWasCut) {
  const std::string answer =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
  for (std::size_t cut = 1; cut < answer.size(); ++cut) {
    auto [client, app] = exchange(kGet);
    ASSERT_TRUE(app) << cut;
    app->deliver(answer.substr(0, cut));
    app->deliver(answer.substr(cut));
    std::string body;
    const auto begin = client->written.find("\r\n\r\n") + 4;
    for (auto at = begin; at < client->written.size();) {
      const auto size = std::stoul(client->written.substr(at), nullptr, 16);
      at = client->written.find("\r\n", at) + 2;
      body += client->written.substr(at, size);
      at += size + 2;
    }
    EXPECT_EQ(body, "hello world") << cut;
    EXPECT_TRUE(client->written.ends_with("\r\n0\r\n\r\n")) << cut;
    pool.close_idle();
  }
}

TEST_F(HttpExchangeTest, RequestBodyIsFramedAnew) {
  auto [client, app] = exchange(
      "POST / HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\nT: "
      "1\r\n\r\n");
  ASSERT_TRUE(app);
  EXPECT_EQ(
      app->written,
      "POST / HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
}

TEST_F(HttpExchangeTest, CloseDelimitedAnswerIsChunkedForANewClient) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.0 200 OK\r\n\r\nabc");
  app->deliver_end();
  EXPECT_EQ(client->written,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  EXPECT_FALSE(client->half_closed);
}

TEST_F(HttpExchangeTest, OldClientGetsACloseDelimitedAnswer) {
  auto [client, app] = exchange("GET / HTTP/1.0\r\nHost: n\r\nConnection: keep-alive\r\n\r\n");
  app->deliver("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  EXPECT_EQ(client->written, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
  EXPECT_TRUE(client->half_closed);
}

TEST_F(HttpExchangeTest, OldClientMayKeepItsConnection) {
  auto [client, app] = exchange("GET / HTTP/1.0\r\nHost: n\r\nConnection: keep-alive\r\n\r\n");
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
  EXPECT_EQ(client->written,
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\na");
  EXPECT_FALSE(client->half_closed);
}

TEST_F(HttpExchangeTest, HeadAnswerKeepsTheLengthAndHasNoBody) {
  auto [client, app] = exchange("HEAD / HTTP/1.1\r\nHost: n\r\n\r\n");
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
  EXPECT_EQ(client->written, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
  EXPECT_EQ(pool.idle_count(), 1U);
}

TEST_F(HttpExchangeTest, NoLengthIsPassedOnWhereThereIsNeverABody) {
  auto [client, app] = exchange("HEAD / HTTP/1.1\r\nHost: n\r\n\r\n");
  app->deliver("HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n");
  app->deliver("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n");
  EXPECT_EQ(client->written, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
}

TEST_F(HttpExchangeTest, NoContentThatDeclaresABodyEndsTheUpstreamConnection) {
  for (const std::string_view fields :
       {"Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n"}) {
    auto [client, app] = exchange(kGet);
    app->deliver("HTTP/1.1 204 No Content\r\n" + std::string(fields) + "\r\n");
    EXPECT_TRUE(client->written.starts_with("HTTP/1.1 204 ")) << fields;
    EXPECT_FALSE(client->half_closed) << "the client may go on";
    EXPECT_EQ(pool.idle_count(), 0U) << "what would come next is not an answer";
  }
}

TEST_F(HttpExchangeTest, InterimAnswersArePassedOn) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  app->deliver("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(client->written,
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
}

TEST_F(HttpExchangeTest, NotModifiedKeepsTheLengthOfWhatAGetWouldHaveHad) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n");
  EXPECT_EQ(client->written, "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n");
}

TEST_F(HttpExchangeTest, LastAnswerOfAConnectionSaysSo) {
  auto [client, app] = exchange("GET / HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n");
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(client->written, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client->half_closed);
}

TEST_F(HttpExchangeTest, InterimAnswersAreNotForAnOldClient) {
  auto [client, app] = exchange("GET / HTTP/1.0\r\nHost: n\r\n\r\n");
  app->deliver("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(client->written.starts_with("HTTP/1.1 200 ")) << client->written;
}

TEST_F(HttpExchangeTest, CleanConnectionIsUsedAgain) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(pool.idle_count(), 1U);
  client->deliver(kGet);
  EXPECT_TRUE(connector.attempts.empty());
  EXPECT_EQ(pool.idle_count(), 0U);
  EXPECT_EQ(app->written, std::string(kGet) + std::string(kGet));
}

TEST_F(HttpExchangeTest, BytesAfterTheAnswerEndTheUpstreamConnection) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab");
  EXPECT_TRUE(client->written.ends_with("\r\n\r\na"));
  EXPECT_EQ(pool.idle_count(), 0U);
}

TEST_F(HttpExchangeTest, IdleConnectionThatSpeaksIsDropped) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  app->deliver("HTTP/1.1 408 Request Timeout\r\n\r\n");
  EXPECT_EQ(pool.idle_count(), 0U);
}

TEST_F(HttpExchangeTest, DeathOfAReusedConnectionIsRetriedOnce) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  client->deliver(kGet);
  app->deliver_end();
  auto* fresh = connector.accept();
  ASSERT_TRUE(fresh) << "a new connection is tried";
  EXPECT_EQ(fresh->written, kGet);
  fresh->deliver_end();
  EXPECT_EQ(connector.accept(), nullptr) << "only once";
  EXPECT_NE(client->written.find("HTTP/1.1 502"), std::string::npos);
}

TEST_F(HttpExchangeTest, RetryThatCannotConnectIsTheLast) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  client->deliver(kGet);
  app->deliver_end();
  connector.fail(Errc::kRefused);
  EXPECT_NE(client->written.find("HTTP/1.1 503"), std::string::npos);
  EXPECT_TRUE(connector.attempts.empty());
}

// What was sent over a used connection before it died, what came back, and whether it goes out
// again over a new one.
struct RetryCase {
  const char* name;
  std::string_view request;
  std::string_view answer_bytes;
  bool again;
};
void PrintTo(const RetryCase& c, std::ostream* out) { *out << c.name; }

struct HttpRetryTest : ServerFixture, testing::WithParamInterface<RetryCase> {};

TEST_P(HttpRetryTest, OnlyWhatCannotHaveBeenActedUponIsSentAgain) {
  const auto& want = GetParam();
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  client->deliver(want.request);
  if (!want.answer_bytes.empty()) app->deliver(want.answer_bytes);
  app->deliver_end();
  auto* fresh = connector.accept();
  EXPECT_EQ(fresh != nullptr, want.again);
  EXPECT_EQ(client->written.find("HTTP/1.1 502") == std::string::npos, want.again);
}

constexpr RetryCase kRetryCases[] = {
    {"get", "GET / HTTP/1.1\r\nHost: n\r\n\r\n", "", true},
    {"head", "HEAD / HTTP/1.1\r\nHost: n\r\n\r\n", "", true},
    {"options", "OPTIONS / HTTP/1.1\r\nHost: n\r\n\r\n", "", true},
    {"get_with_body_to_come", "GET / HTTP/1.1\r\nHost: n\r\nContent-Length: 3\r\n\r\n", "", true},
    {"get_with_body", "GET / HTTP/1.1\r\nHost: n\r\nContent-Length: 3\r\n\r\nab", "", false},
    {"get_answered", "GET / HTTP/1.1\r\nHost: n\r\n\r\n", "H", false},
    {"post", "POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 0\r\n\r\n", "", false},
    {"put", "PUT / HTTP/1.1\r\nHost: n\r\nContent-Length: 0\r\n\r\n", "", false},
    {"delete", "DELETE / HTTP/1.1\r\nHost: n\r\n\r\n", "", false},
};
INSTANTIATE_TEST_SUITE_P(Table, HttpRetryTest, testing::ValuesIn(kRetryCases),
                         [](const auto& made) { return std::string(made.param.name); });

TEST_F(HttpExchangeTest, DeathBeforeTheHeadIs502AndKeepsTheClient) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 2");
  app->deliver_end();
  EXPECT_TRUE(client->written.starts_with("HTTP/1.1 502 Bad Gateway\r\n")) << client->written;
  EXPECT_FALSE(client->half_closed);
  EXPECT_FALSE(client->failure());
}

TEST_F(HttpExchangeTest, DeathInsideTheBodyCutsTheClientWithoutAFinalChunk) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  app->deliver_end();
  EXPECT_TRUE(client->written.ends_with("3\r\nabc\r\n"));
  EXPECT_TRUE(client->failure());
}

TEST_F(HttpExchangeTest, RubbishFromTheUpstreamIs502) {
  for (const std::string_view rubbish :
       {"SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"}) {
    auto [client, app] = exchange(kGet);
    app->deliver(rubbish);
    EXPECT_TRUE(client->written.starts_with("HTTP/1.1 502 ")) << rubbish << client->written;
    EXPECT_EQ(pool.idle_count(), 0U);
  }
}

TEST_F(HttpExchangeTest, AnswerHeadOfLimitPassesAndOneMoreIs502) {
  const auto head_of = [](std::size_t size) {
    const std::string rest = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: \r\n\r\n";
    return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: " + std::string(size - rest.size(), 'a') +
           "\r\n\r\n";
  };
  const auto fields_of = [](std::size_t count) {
    std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
    while (--count != 0) text += "A: b\r\n";
    return text + "\r\n";
  };
  const struct {
    std::string head;
    std::string_view status;
  } cases[] = {{head_of(65536), "200"},
               {head_of(65537), "502"},
               {fields_of(200), "200"},
               {fields_of(201), "502"}};
  for (const auto& want : cases) {
    auto [client, app] = exchange(kGet);
    app->deliver(want.head);
    EXPECT_EQ(client->written.substr(9, 3), want.status) << want.head.size();
    pool.close_idle();
  }
}

TEST_F(HttpExchangeTest, RefusedConnectIsThePolicysAnswer) {
  auto* client = connect();
  client->deliver(kGet);
  connector.fail(Errc::kRefused);
  EXPECT_TRUE(client->written.starts_with("HTTP/1.1 503 ")) << client->written;
  client->deliver("GET /local HTTP/1.1\r\nHost: n\r\n\r\n");
  EXPECT_TRUE(client->written.ends_with("here:/local")) << "the connection goes on";
}

TEST_F(HttpExchangeTest, BodyThatComesBeforeTheUpstreamWaitsAndPausesTheClient) {
  auto* client = connect();
  client->deliver("POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 6\r\n\r\nabc");
  EXPECT_TRUE(client->paused & static_cast<unsigned>(PauseReason::kNoUpstream));
  auto* app = connector.accept();
  EXPECT_EQ(client->paused, 0U);
  client->deliver("def");
  EXPECT_EQ(app->written, "POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 6\r\n\r\nabcdef");
}

TEST_F(HttpExchangeTest, ClientIsReadAgainAfterAnExchangeThatFailed) {
  auto* client = connect();
  client->deliver("POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_NE(client->paused, 0U);
  connector.fail(Errc::kRefused);
  EXPECT_TRUE(client->written.starts_with("HTTP/1.1 503 ")) << client->written;
  EXPECT_EQ(client->paused, 0U) << "its next request is to be read";
}

TEST_F(HttpExchangeTest, ClientIsReadAgainAfterAnAnswerThatDidNotWaitForTheQueue) {
  for (const std::size_t budget : {std::size_t{1000}, std::size_t{64} * 1024 * 1024}) {
    options.buffer_bytes_max = budget;
    server.reset();
    const std::string length = std::to_string(kQueueBytesMax);
    auto [client, app] =
        exchange("PUT / HTTP/1.1\r\nHost: n\r\nContent-Length: " + length + "\r\n\r\n");
    client->deliver(std::string(kQueueBytesMax, 'x'));
    EXPECT_EQ(client->paused, 0U) << "its request is complete, nothing more is added";
    app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    EXPECT_TRUE(client->written.ends_with("ok"));
    EXPECT_FALSE(client->half_closed);
    EXPECT_EQ(client->paused, 0U) << "its next request is to be read";
    EXPECT_EQ(pool.idle_count(), 0U) << "bytes of the old request are still on their way";
  }
}

TEST_F(HttpExchangeTest, SlowClientPausesTheUpstreamUntilItDrains) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n");
  app->deliver(std::string(kQueueBytesMax, 'x'));
  EXPECT_TRUE(app->paused & static_cast<unsigned>(PauseReason::kPeerQueueFull));
  client->drain();
  EXPECT_EQ(app->paused, 0U);
}

TEST_F(HttpExchangeTest, HighMarkIsExact) {
  for (const std::size_t size : {kQueueBytesMax - 1, kQueueBytesMax}) {
    auto [client, app] = exchange(kGet);
    app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n");
    client->queued = 0;
    app->deliver(std::string(size, 'x'));
    EXPECT_EQ(app->paused != 0, size == kQueueBytesMax) << size;
  }
}

TEST_F(HttpExchangeTest, SlowUpstreamPausesTheClientUntilItDrains) {
  auto [client, app] = exchange("PUT / HTTP/1.1\r\nHost: n\r\nContent-Length: 9000000\r\n\r\n");
  client->deliver(std::string(kQueueBytesMax, 'x'));
  EXPECT_TRUE(client->paused & static_cast<unsigned>(PauseReason::kPeerQueueFull));
  app->drain();
  EXPECT_EQ(client->paused, 0U);
}

TEST_F(HttpExchangeTest, ClientThatHasSentAllIsReadOnSoThatItsEndIsSeen) {
  auto [client, app] = exchange("PUT / HTTP/1.1\r\nHost: n\r\nContent-Length: 262144\r\n\r\n");
  client->deliver(std::string(kQueueBytesMax, 'x'));
  EXPECT_EQ(client->paused, 0U);
  client->deliver_end();
  EXPECT_TRUE(app->failure());
}

struct UnreadCase {
  const char* name;
  FarEnd far;
  std::optional<bool> still_open, has_closed;  // none: nobody can be asked
  bool gone;
};
void PrintTo(const UnreadCase& c, std::ostream* out) { *out << c.name; }

constexpr UnreadCase kUnreadCases[] = {
    {"open", FarEnd::kOpen, {}, {}, false},
    {"open_and_held", FarEnd::kOpen, true, false, false},
    {"open_and_of_another_machine", FarEnd::kOpen, false, false, false},
    {"closed_behind_what_it_has_sent", FarEnd::kOpen, false, true, true},
    {"half_closed", FarEnd::kEnded, true, false, false},
    {"ended_and_closed", FarEnd::kEnded, false, false, true},
    {"ended_and_nobody_knows", FarEnd::kEnded, {}, {}, true},
    {"reset", FarEnd::kCut, true, false, true},
};

struct UnreadClientTest : HttpExchangeTest, ::testing::WithParamInterface<UnreadCase> {
  void SetUp() override {
    options.peer_look_ms = 10;
    if (const auto open = GetParam().still_open) {
      options.peer_still_open = [open](const ClientInfo&) { return *open; };
    }
    options.peer_has_closed = [this](const ClientInfo&) {
      ++looks;
      return GetParam().has_closed.value_or(false);
    };
  }
  void expect_what_is_due(FakeStream* client, FakeStream* app) {
    client->far = GetParam().far;
    int ticks = 0;
    Timer timer(loop, [&] { ++ticks; });
    timer.start(100);
    wait_for([&] { return ticks > 0 || client->failure().has_value(); });
    EXPECT_EQ(client->failure().has_value(), GetParam().gone);
    EXPECT_EQ(app->failure().has_value(), GetParam().gone);
    EXPECT_EQ(server->stats().open_exchanges, GetParam().gone ? 0U : 1U);
    client->turn();
    settle(loop);
    EXPECT_EQ(server->stats().open_connections, GetParam().gone ? 0U : 1U);
  }
  int looks = 0;
};

TEST_P(UnreadClientTest, IsLeftWhenItIsGoneInsideItsBody) {
  auto [client, app] = exchange("PUT / HTTP/1.1\r\nHost: n\r\nContent-Length: 9000000\r\n\r\n");
  client->deliver(std::string(kQueueBytesMax, 'x'));
  ASSERT_NE(client->paused, 0U);
  expect_what_is_due(client, app);
}

TEST_P(UnreadClientTest, IsLeftWhenItIsGoneBehindRequestsSentAhead) {
  auto [client, app] = exchange(kGet);
  client->deliver(std::string(std::size_t{64} * 1024, 'G'));
  ASSERT_NE(client->paused, 0U);
  expect_what_is_due(client, app);
}

TEST_P(UnreadClientTest, IsNotLookedAtWhileItIsRead) {
  auto [client, app] = exchange("PUT / HTTP/1.1\r\nHost: n\r\nContent-Length: 9000000\r\n\r\nx");
  client->far = GetParam().far;
  int ticks = 0;
  Timer timer(loop, [&] { ++ticks; });
  timer.start(50);
  ASSERT_TRUE(wait_for([&] { return ticks > 0; }));
  EXPECT_FALSE(client->failure()) << "its end comes by itself, behind the rest of its body";
  EXPECT_EQ(looks, 0);
}
INSTANTIATE_TEST_SUITE_P(Table, UnreadClientTest, ::testing::ValuesIn(kUnreadCases),
                         [](const auto& c) { return c.param.name; });

TEST_F(HttpExchangeTest, BudgetOverAllExchangesPausesReading) {
  options.buffer_bytes_max = 1000;
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n");
  app->deliver(std::string(1000, 'x'));
  EXPECT_TRUE(app->paused & static_cast<unsigned>(PauseReason::kMemoryBound));
  client->drain();
  EXPECT_EQ(app->paused, 0U);
}

TEST_F(HttpExchangeTest, ClientThatGoesAwayFreesTheUpstreamAtOnce) {
  auto [client, app] = exchange(kGet);
  client->deliver_end();
  EXPECT_TRUE(app->failure());
  EXPECT_EQ(server->stats().open_exchanges, 0U);
}

TEST_F(HttpExchangeTest, ClientThatEndsInsideItsAnswerIsNotLeftWithAPart) {
  auto [client, app] = exchange("GET / HTTP/1.0\r\nHost: n\r\n\r\n");
  app->deliver("HTTP/1.0 200 OK\r\n\r\nso far");
  client->deliver_end();
  EXPECT_TRUE(client->failure()) << "the end of the connection would be the end of the answer";
}

TEST_F(HttpExchangeTest, HalfClosedClientGetsItsAnswerWhereTheKernelKnows) {
  options.peer_still_open = [](const ClientInfo&) { return true; };
  auto [client, app] = exchange(kGet);
  client->deliver_end();
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_TRUE(client->written.ends_with("ok"));
  ASSERT_TRUE(wait_for([client = client] { return client->half_closed; }));
}

constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: n\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

TEST_F(HttpExchangeTest, AcceptedUpgradeBecomesARelay) {
  auto [client, app] = exchange(kUpgrade);
  EXPECT_NE(app->written.find("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"),
            std::string::npos);
  client->deliver("early");
  app->deliver(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst");
  EXPECT_TRUE(client->written.starts_with("HTTP/1.1 101 "));
  EXPECT_NE(client->written.find("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"),
            std::string::npos);
  EXPECT_TRUE(client->written.ends_with("\r\n\r\nfirst"));
  EXPECT_TRUE(app->written.ends_with("early"));
  EXPECT_EQ(server->stats().open_websockets, 1U);
  client->deliver("ping");
  EXPECT_TRUE(app->written.ends_with("earlyping"));
}

TEST_F(HttpExchangeTest, RefusedUpgradeGoesOnAsHttp) {
  auto [client, app] = exchange(kUpgrade);
  client->deliver("GET /local HTTP/1.1\r\nHost: n\r\n\r\n");
  app->deliver("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(wait_for([client = client] { return client->written.ends_with("here:/local"); }));
  EXPECT_EQ(server->stats().open_websockets, 0U);
}

}  // namespace
}  // namespace hpc
