#include "manager/session/proxy_request.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/support/fake_upstream.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

const std::string kToken(64, '7');
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";

struct ProxyRequestTest : LoopFixture {
  ManualScheduler scheduler;
  FakeConnector connector;
  UpstreamPool pool{loop, connector};
  int done_count = 0;
  std::optional<Result<ProxyReply>> result;
  std::unique_ptr<ProxyRequest> request;

  void ask() {
    request = std::make_unique<ProxyRequest>(scheduler, pool, "proxy",
                                             ProxyQuestion{"/ports", kToken}, [this](auto reply) {
                                               ++done_count;
                                               result = std::move(reply);
                                               request.reset();
                                             });
  }
  FakeStream* ask_and_accept() {
    ask();
    return connector.accept();
  }
  Errc failure() {
    scheduler.run();
    EXPECT_EQ(done_count, 1);
    EXPECT_TRUE(result && !result->has_value());
    return result && !result->has_value() ? result->error().code : Errc::kSystem;
  }
};

TEST_F(ProxyRequestTest, AsksAsTheTokensHolder) {
  const auto* stream = ask_and_accept();
  EXPECT_EQ(stream->written,
            "GET /ports HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
            "X-HPC-Proxy-Token: " +
                kToken + "\r\nConnection: close\r\n\r\n");
}

TEST_F(ProxyRequestTest, TheAnswerMayBeCutAnywhere) {
  for (std::size_t cut = 0; cut <= kAnswer.size(); ++cut) {
    done_count = 0;
    auto* stream = ask_and_accept();
    if (cut > 0) stream->deliver(kAnswer.substr(0, cut));
    if (cut < kAnswer.size()) stream->deliver(kAnswer.substr(cut));
    EXPECT_EQ(done_count, 0) << "never from inside the stream's call";
    scheduler.run();
    ASSERT_EQ(done_count, 1) << cut;
    ASSERT_TRUE(result->has_value()) << cut;
    EXPECT_EQ((*result)->status, 200);
    EXPECT_EQ((*result)->body, "body");
  }
  EXPECT_EQ(pool.idle_count(), 0U) << "the connection is closed behind it";
}

TEST_F(ProxyRequestTest, ABodyMayEndWithTheConnection) {
  auto* stream = ask_and_accept();
  stream->deliver("HTTP/1.1 503 No\r\nConnection: close\r\n\r\nbusy");
  stream->deliver_end();
  scheduler.run();
  ASSERT_TRUE(result && result->has_value());
  EXPECT_EQ((*result)->status, 503);
  EXPECT_EQ((*result)->body, "busy");
}

TEST_F(ProxyRequestTest, HalfAnAnswerIsNone) {
  auto* stream = ask_and_accept();
  stream->deliver(kAnswer.substr(0, kAnswer.size() - 1));
  stream->deliver_end();
  EXPECT_EQ(failure(), Errc::kNetwork);
}

TEST_F(ProxyRequestTest, WhatIsNoHttpIsRefused) {
  ask_and_accept()->deliver("SSH-2.0-OpenSSH\r\n\r\n");
  EXPECT_EQ(failure(), Errc::kNetwork);
}

TEST_F(ProxyRequestTest, AConnectionThatCannotBeHadOrDiesIsAnError) {
  ask();
  connector.fail(Errc::kUnavailable);
  EXPECT_EQ(failure(), Errc::kUnavailable);
  done_count = 0;
  auto* stream = ask_and_accept();
  stream->abort({Errc::kNetwork, "channel", "lost"});
  stream->turn();
  EXPECT_EQ(failure(), Errc::kNetwork);
}

TEST_F(ProxyRequestTest, TheBodyIsBounded) {
  const auto answer = [](std::size_t bytes) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" +
           std::string(bytes, 'x');
  };
  ask_and_accept()->deliver(answer(kProxyAnswerBytesMax));
  scheduler.run();
  ASSERT_TRUE(result && result->has_value());
  EXPECT_EQ((*result)->body.size(), kProxyAnswerBytesMax);
  done_count = 0;
  ask_and_accept()->deliver(answer(kProxyAnswerBytesMax + 1));
  EXPECT_EQ(failure(), Errc::kTooLarge);
}

TEST_F(ProxyRequestTest, GivesUpAfterItsTime) {
  ask();
  scheduler.advance(kProxyRequestMs - 1);
  EXPECT_EQ(done_count, 0);
  scheduler.advance(1);
  EXPECT_EQ(failure(), Errc::kTimeout);
  EXPECT_EQ(connector.accept(), nullptr) << "connecting was given up, too";
}

TEST_F(ProxyRequestTest, ADestroyedOneTellsNobody) {
  ask();
  request.reset();
  EXPECT_EQ(connector.accept(), nullptr);
  ask_and_accept()->deliver(kAnswer);
  request.reset();
  scheduler.advance(kProxyRequestMs);
  EXPECT_EQ(done_count, 0);
}

}  // namespace
}  // namespace hpc
