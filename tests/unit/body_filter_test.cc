// The exchange with a policy that changes the answer's body.
#include "common/body_filter.h"

#include "tests/support/server_fixture.h"

namespace hpc {
namespace {

/// Doubles every letter, drops every digit, keeps a '(' until its ')' comes, and ends with '.'.
class Doubling final : public BodyFilter {
 public:
  void feed(std::string_view bytes, std::string& out) noexcept override {
    for (const char c : bytes) {
      if (c >= '0' && c <= '9') continue;
      held_ += c;
      held_ += c;
      if (held_.front() == '(' && c != ')') continue;
      out += held_;
      held_.clear();
    }
  }
  void finish(std::string& out) noexcept override { out += held_ + "."; }

 private:
  std::string held_;
};

struct BodyFilterTest : ServerFixture {
  void SetUp() override {
    filter = [this](const ResponseHead& head) -> std::unique_ptr<BodyFilter> {
      asked.push_back(head.status);
      return std::make_unique<Doubling>();
    };
  }
  std::vector<int> asked;  // statuses of the answers that it was asked about
};

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: n\r\n\r\n";

TEST_F(BodyFilterTest, ChangesTheBodyAndItsFraming) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(client->written,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            "6\r\naabbcc\r\n1\r\n.\r\n0\r\n\r\n");
  EXPECT_FALSE(client->half_closed);
  EXPECT_EQ(pool.idle_count(), 1U) << "the upstream connection is as good as before";
}

TEST_F(BodyFilterTest, ConnectionServesTheNextRequest) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
  filter = {};
  client->written.clear();
  client->deliver(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
  EXPECT_EQ(client->written, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
}

TEST_F(BodyFilterTest, EveryPieceGoesOutAtOnce) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na");
  EXPECT_TRUE(client->written.ends_with("\r\n\r\n2\r\naa\r\n")) << client->written;
  app->deliver("(b");
  EXPECT_TRUE(client->written.ends_with("\r\n\r\n2\r\naa\r\n")) << "only what is held back waits";
  app->deliver(")");
  EXPECT_TRUE(client->written.ends_with("6\r\n((bb))\r\n")) << client->written;
}

TEST_F(BodyFilterTest, PieceOfWhichNothingIsLeftDoesNotEndTheAnswer) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
  app->deliver("12");
  EXPECT_TRUE(client->written.ends_with("chunked\r\n\r\n")) << client->written;
  app->deliver("a");
  EXPECT_TRUE(client->written.ends_with("\r\n\r\n2\r\naa\r\n1\r\n.\r\n0\r\n\r\n"));
}

TEST_F(BodyFilterTest, ChunkedAndCloseDelimitedBodiesToo) {
  {
    auto [client, app] = exchange(kGet);
    app->deliver("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
    EXPECT_TRUE(client->written.ends_with("\r\n\r\n2\r\naa\r\n1\r\n.\r\n0\r\n\r\n"));
    pool.close_idle();
  }
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.0 200 OK\r\n\r\na");
  app->deliver_end();
  EXPECT_TRUE(client->written.ends_with("\r\n\r\n2\r\naa\r\n1\r\n.\r\n0\r\n\r\n"));
}

TEST_F(BodyFilterTest, OldClientGetsItUpToTheEndOfTheConnection) {
  auto [client, app] = exchange("GET / HTTP/1.0\r\nHost: n\r\nConnection: keep-alive\r\n\r\n");
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
  EXPECT_EQ(client->written, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\naa.");
  EXPECT_TRUE(client->half_closed);
}

TEST_F(BodyFilterTest, HeadAndNotModifiedTellNoLength) {
  {
    auto [client, app] = exchange("HEAD / HTTP/1.1\r\nHost: n\r\n\r\n");
    app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
    EXPECT_EQ(client->written, "HTTP/1.1 200 OK\r\n\r\n");
    pool.close_idle();
  }
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n");
  EXPECT_EQ(client->written, "HTTP/1.1 304 Not Modified\r\n\r\n");
  EXPECT_EQ(pool.idle_count(), 1U);
}

TEST_F(BodyFilterTest, InterimAnswersAreNotAskedAbout) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  EXPECT_TRUE(asked.empty());
  app->deliver("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(asked, std::vector<int>{204});
  EXPECT_TRUE(client->written.ends_with("HTTP/1.1 204 No Content\r\n\r\n"));
}

TEST_F(BodyFilterTest, DeathInsideTheBodyIsNoEnd) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na(b");
  app->deliver_end();
  EXPECT_TRUE(client->written.ends_with("\r\n\r\n2\r\naa\r\n")) << client->written;
  EXPECT_TRUE(client->failure());
}

TEST_F(BodyFilterTest, WhatItMakesCountsAgainstTheClientsQueue) {
  auto [client, app] = exchange(kGet);
  app->deliver("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n");
  app->deliver(std::string(kQueueBytesMax / 4, 'x'));
  EXPECT_EQ(app->paused, 0U);
  app->deliver(std::string(kQueueBytesMax / 4, 'x'));
  EXPECT_TRUE(app->paused & static_cast<unsigned>(PauseReason::kPeerQueueFull))
      << "half of a queue came in and has become a whole one";
  client->drain();
  EXPECT_EQ(app->paused, 0U);
  EXPECT_GE(server->stats().bytes_to_clients, kQueueBytesMax);
}

}  // namespace
}  // namespace hpc
