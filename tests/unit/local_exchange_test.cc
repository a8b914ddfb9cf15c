#include "common/local_exchange.h"

#include "common/http_server.h"
#include "common/responder.h"
#include "tests/support/fake_stream.h"
#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

constexpr std::size_t kBodyMax = 16;

/// Hands its sink to the test, and says when it goes.
class StreamResponder final : public Responder {
 public:
  StreamResponder(ResponseSink*& sink, int& alive) : sink_(sink), alive_(alive) { ++alive_; }
  ~StreamResponder() override {
    --alive_;
    sink_ = nullptr;
  }
  StreamResponder(const StreamResponder&) = delete;
  StreamResponder& operator=(const StreamResponder&) = delete;
  void start(ResponseSink& sink) noexcept override { sink_ = &sink; }
  void on_body(Bytes) noexcept override {}
  void on_request_end() noexcept override {}
  void on_drain() noexcept override { sink_->end(); }

 private:
  ResponseSink*& sink_;
  int& alive_;
};

/// /stream is a StreamResponder, /now answers in start(), /echo collects a body and echoes it,
/// /later keeps the reply.
struct LocalExchangeTest : LoopFixture, HttpHandler {
  std::unique_ptr<HttpServer> server;
  ResponseSink* sink = nullptr;
  int alive = 0;
  Reply later;

  Decision on_request(const RequestHead& head, ClientInfo& client) override {
    client.authenticated = true;
    if (head.target == "/stream") return Serve{std::make_unique<StreamResponder>(sink, alive)};
    if (head.target == "/later") {
      return Serve{collect_body(kBodyMax, [this](auto, const Reply& reply) { later = reply; })};
    }
    return Serve{collect_body(kBodyMax, [](std::string body, const Reply& reply) {
      reply({200, {}, "got:" + body, false});
    })};
  }
  LocalAnswer on_refusal(int status, std::string_view) override { return {status, {}, "", true}; }

  FakeStream* connect() {
    if (!server) server = std::make_unique<HttpServer>(loop, *this, HttpServerOptions{});
    auto stream = std::make_unique<FakeStream>();
    auto* raw = stream.get();
    server->adopt(std::move(stream), ClientInfo{});
    return raw;
  }
  FakeStream* ask(std::string_view request) {
    auto* client = connect();
    client->deliver(request);
    settle(loop);
    return client;
  }
  void reset(FakeStream& client) {
    client.abort({Errc::kNetwork, "client", "reset"});
    client.turn();
    settle(loop);
  }
  void TearDown() override {
    server.reset();
    settle(loop);
  }
};

std::string post(std::string_view target, std::string_view body) {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nHost: n\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

constexpr std::string_view kGetStream = "GET /stream HTTP/1.1\r\nHost: n\r\n\r\n";

TEST_F(LocalExchangeTest, AnswersOnceTheBodyIsThereWhereverItIsCut) {
  const auto request = post("/echo", "hello");
  for (std::size_t cut = 0; cut <= request.size(); ++cut) {
    auto* client = connect();
    client->deliver(request.substr(0, cut));
    client->deliver(request.substr(cut));
    settle(loop);
    EXPECT_EQ(client->written, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ngot:hello") << cut;
  }
}

TEST_F(LocalExchangeTest, TheConnectionGoesOnToTheNextRequest) {
  auto* client = ask(post("/echo", "a") + post("/echo", "b"));
  ASSERT_TRUE(wait_for([&] { return client->written.ends_with("got:b"); })) << client->written;
  EXPECT_NE(client->written.find("got:aHTTP/1.1 200"), std::string::npos);
  EXPECT_FALSE(client->half_closed);
}

TEST_F(LocalExchangeTest, ABodyMayHaveJustTheBytesAllowed) {
  auto* client = ask(post("/echo", std::string(kBodyMax, 'x')));
  EXPECT_TRUE(client->written.ends_with("got:" + std::string(kBodyMax, 'x')));
}

TEST_F(LocalExchangeTest, OneByteMoreIs413) {
  auto* client = ask(post("/echo", std::string(kBodyMax + 1, 'x')));
  EXPECT_TRUE(client->written.starts_with("HTTP/1.1 413 ")) << client->written;
}

TEST_F(LocalExchangeTest, ATooLongBodyThatIsStillComingEndsTheConnection) {
  auto* client = ask("POST /echo HTTP/1.1\r\nHost: n\r\nContent-Length: 99\r\n\r\n" +
                     std::string(kBodyMax + 1, 'x'));
  EXPECT_TRUE(client->written.starts_with("HTTP/1.1 413 ")) << client->written;
  EXPECT_TRUE(client->half_closed);
}

TEST_F(LocalExchangeTest, AReplyMayComeLater) {
  auto* client = ask(post("/later", "x"));
  EXPECT_EQ(client->written, "");
  later({202, {}, "done", false});
  settle(loop);
  EXPECT_TRUE(client->written.starts_with("HTTP/1.1 202 Accepted\r\n")) << client->written;
}

TEST_F(LocalExchangeTest, AReplyAfterTheClientHasGoneDoesNothing) {
  auto* client = ask(post("/later", "x"));
  reset(*client);
  later({202, {}, "done", false});
  settle(loop);
  EXPECT_EQ(server->stats().open_exchanges, 0U);
}

TEST_F(LocalExchangeTest, ASecondReplyDoesNothing) {
  auto* client = ask(post("/later", "x"));
  later({202, {}, "one", false});
  later({202, {}, "two", false});
  settle(loop);
  EXPECT_TRUE(client->written.ends_with("one"));
}

TEST_F(LocalExchangeTest, AStreamIsSentPieceByPiece) {
  auto* client = ask(kGetStream);
  sink->begin(200, {{"Content-Type", "text/event-stream"}});
  EXPECT_EQ(client->written,
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            "Transfer-Encoding: chunked\r\n\r\n");
  client->written.clear();
  sink->write("data: 1\n\n");
  EXPECT_EQ(client->written, "9\r\ndata: 1\n\n\r\n");
  client->written.clear();
  sink->end();
  EXPECT_EQ(client->written, "0\r\n\r\n");
  settle(loop);
  EXPECT_EQ(alive, 0);
  EXPECT_FALSE(client->half_closed);
}

TEST_F(LocalExchangeTest, AStreamEndsWhenTheProgramDoes) {
  auto* client = ask(kGetStream);
  sink->begin(200, {{"Content-Type", "text/event-stream"}});
  auto* later_client = ask(post("/later", "x"));
  server->drain(10'000, [] {});
  settle(loop);
  EXPECT_TRUE(client->written.ends_with("0\r\n\r\n"));
  EXPECT_TRUE(client->half_closed);
  EXPECT_EQ(alive, 0);
  EXPECT_FALSE(later_client->half_closed) << "an answer that will come is waited for";
  later({200, {}, "late", false});
  settle(loop);
  EXPECT_TRUE(later_client->written.ends_with("late"));
}

TEST_F(LocalExchangeTest, AnOldClientsStreamEndsWithTheConnection) {
  auto* client = ask("GET /stream HTTP/1.0\r\nHost: n\r\nConnection: keep-alive\r\n\r\n");
  sink->begin(200, {});
  sink->write("x");
  EXPECT_EQ(client->written, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nx");
  sink->end();
  settle(loop);
  EXPECT_TRUE(client->half_closed);
}

TEST_F(LocalExchangeTest, HeadGetsTheHeadOfAStreamOnly) {
  auto* client = ask("HEAD /stream HTTP/1.1\r\nHost: n\r\n\r\n");
  sink->begin(200, {});
  sink->write("x");
  sink->end();
  settle(loop);
  EXPECT_EQ(client->written, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST_F(LocalExchangeTest, AnEmptyPieceIsNoLastChunk) {
  auto* client = ask(kGetStream);
  sink->begin(200, {});
  client->written.clear();
  sink->write("");
  EXPECT_EQ(client->written, "");
}

TEST_F(LocalExchangeTest, ASlowReaderCanBeCut) {
  auto* client = ask(kGetStream);
  sink->begin(200, {});
  client->queued = 12345;
  EXPECT_EQ(sink->queued_bytes(), 12345U);
  sink->cut({Errc::kTimeout, "events", "reads too slowly"});
  settle(loop);
  EXPECT_EQ(alive, 0);
  ASSERT_TRUE(client->failure());
  EXPECT_EQ(client->failure()->detail, "reads too slowly");
}

TEST_F(LocalExchangeTest, AClientThatGoesTakesItsResponderAlong) {
  auto* client = ask(kGetStream);
  sink->begin(200, {});
  reset(*client);
  EXPECT_EQ(alive, 0);
}

TEST_F(LocalExchangeTest, NothingIsWrittenAfterTheEnd) {
  auto* client = ask(kGetStream);
  sink->begin(200, {});
  sink->end();
  const auto before = client->written;
  sink->write("late");
  sink->end();
  sink->answer({500, {}, "late", false});
  sink->begin(200, {});
  EXPECT_EQ(client->written, before);
}

}  // namespace
}  // namespace hpc
