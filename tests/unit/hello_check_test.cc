#include "manager/session/hello_check.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "common/hello.h"
#include "tests/support/fake_stream.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

const std::string kToken(64, '7');
constexpr const char* kNoncePath = "GET /.hpc-proxy/hello?nonce=";

std::string response(const std::string& status, const std::string& body,
                     const std::string& extra = "") {
  return "HTTP/1.1 " + status + "\r\n" + extra + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

struct HelloCheckTest : ::testing::Test {
  ManualScheduler scheduler;
  FakeStream* stream = new FakeStream;  // owned by `check` until it is handed out
  std::optional<Result<std::unique_ptr<Stream>>> result;
  int done_count = 0;
  std::unique_ptr<HelloCheck> check = std::make_unique<HelloCheck>(
      scheduler, std::unique_ptr<Stream>(stream), kToken, [this](auto outcome) {
        ++done_count;
        result = std::move(outcome);
      });

  std::string good_proof(const std::string& extra = "") const {
    const auto nonce = stream->written.substr(std::string(kNoncePath).size(), 64);
    return response("200 OK", "{\"hmac\":\"" + *hello_hmac(kToken, nonce) + "\"}", extra);
  }
  Errc refused() {
    scheduler.run();
    EXPECT_EQ(done_count, 1);
    EXPECT_TRUE(result && !result->has_value());
    return result && !result->has_value() ? result->error().code : Errc::kSystem;
  }
};

TEST_F(HelloCheckTest, SendsNothingButTheHelloBeforeTheProof) {
  EXPECT_EQ(stream->written.rfind(kNoncePath, 0), 0U);
  EXPECT_EQ(stream->written.find(kToken), std::string::npos);
  EXPECT_EQ(stream->written.find("\r\n\r\n") + 4, stream->written.size());
}

TEST_F(HelloCheckTest, HandsOutTheStreamOnceBothSidesAreProved) {
  stream->deliver(good_proof());
  EXPECT_NE(stream->written.find("GET /status"), std::string::npos);
  EXPECT_NE(stream->written.find("X-HPC-Proxy-Token: " + kToken + "\r\n"), std::string::npos);
  scheduler.run();
  EXPECT_EQ(done_count, 0);
  stream->deliver(response("200 OK", "{}"));
  scheduler.run();
  ASSERT_EQ(done_count, 1);
  ASSERT_TRUE(result->has_value());
  EXPECT_EQ(result->value().get(), stream);
}

TEST_F(HelloCheckTest, AnotherKeysProofIsRefusedAndTheTokenNeverSent) {
  const auto nonce = stream->written.substr(std::string(kNoncePath).size(), 64);
  stream->deliver(
      response("200 OK", "{\"hmac\":\"" + *hello_hmac(std::string(64, '8'), nonce) + "\"}"));
  EXPECT_EQ(refused(), Errc::kForbidden);
}

TEST_F(HelloCheckTest, AReplayedProofIsRefused) {
  stream->deliver(
      response("200 OK", "{\"hmac\":\"" + *hello_hmac(kToken, std::string(64, '0')) + "\"}"));
  EXPECT_EQ(refused(), Errc::kForbidden);
}

TEST_F(HelloCheckTest, WhateverElseAnswersIsRefused) {
  const std::string answers[] = {
      response("404 Not Found", ""),
      response("200 OK", ""),
      response("200 OK", "[]"),
      response("200 OK", "{\"hmac\":5}"),
      response("200 OK", "{\"hmac\":\"\"}"),
      response("200 OK", std::string(kHelloBodyBytesMax + 1, ' ')),
      "SSH-2.0-OpenSSH_9.2\r\n",
      std::string("\0\0\0", 3),
  };
  for (const auto& answer : answers) {
    std::optional<Errc> code;
    auto* other = new FakeStream;
    const HelloCheck other_check(scheduler, std::unique_ptr<Stream>(other), kToken,
                                 [&](auto outcome) { code = outcome.error().code; });
    other->deliver(answer);
    const std::string written = other->written;  // the stream dies with the check's answer
    scheduler.run();
    EXPECT_EQ(code, Errc::kForbidden) << answer.substr(0, 60);
    EXPECT_EQ(written.find(kToken), std::string::npos);
  }
}

TEST_F(HelloCheckTest, MoreThanAskedForIsRefused) {
  stream->deliver(good_proof() + "HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(refused(), Errc::kForbidden);
}

TEST_F(HelloCheckTest, BusyIsNotAnImpostor) {
  stream->deliver(response("503 Service Unavailable", "", "Connection: close\r\n"));
  EXPECT_EQ(refused(), Errc::kUnavailable);
}

TEST_F(HelloCheckTest, ARefusedTokenIsSaid) {
  stream->deliver(good_proof());
  stream->deliver(response("401 Unauthorized", "", "Connection: close\r\n"));
  EXPECT_EQ(refused(), Errc::kForbidden);
}

TEST_F(HelloCheckTest, SilenceTimesOut) {
  scheduler.advance(kHelloTimeoutMs - 1);
  EXPECT_EQ(done_count, 0);
  scheduler.advance(1);
  EXPECT_EQ(refused(), Errc::kTimeout);
}

TEST_F(HelloCheckTest, AnEndBeforeTheProofIsRefused) {
  stream->deliver_end();
  EXPECT_EQ(refused(), Errc::kForbidden);
}

TEST_F(HelloCheckTest, ADeadChannelIsNetworkTrouble) {
  stream->abort({Errc::kNetwork, "ssh", "reset"});
  stream->turn();
  EXPECT_EQ(refused(), Errc::kNetwork);
}

TEST_F(HelloCheckTest, DyingBeforeTheHandOverIsSeen) {
  stream->deliver(good_proof());
  stream->deliver(response("200 OK", "{}"));
  stream->deliver_end();
  EXPECT_EQ(refused(), Errc::kNetwork);
}

TEST_F(HelloCheckTest, DestroyingItCancels) {
  stream->deliver(response("404 Not Found", ""));
  check.reset();
  scheduler.run();
  EXPECT_EQ(done_count, 0);
}

TEST_F(HelloCheckTest, TheCutOfTheBytesDoesNotMatter) {
  const std::size_t size = good_proof().size();
  for (std::size_t cut = 0; cut <= size; ++cut) {
    auto* other = new FakeStream;
    bool proved = false;
    const HelloCheck other_check(scheduler, std::unique_ptr<Stream>(other), kToken,
                                 [&](auto outcome) { proved = outcome.has_value(); });
    const auto nonce = other->written.substr(std::string(kNoncePath).size(), 64);
    const auto proof = response("200 OK", "{\"hmac\":\"" + *hello_hmac(kToken, nonce) + "\"}");
    if (cut > 0) other->deliver(proof.substr(0, cut));
    if (cut < proof.size()) other->deliver(proof.substr(cut));
    const std::string status = response("200 OK", "{\"version\":1}");
    const std::size_t second = cut % status.size();
    if (second > 0) other->deliver(status.substr(0, second));
    other->deliver(status.substr(second));
    scheduler.run();
    EXPECT_TRUE(proved) << "cut at " << cut;
  }
}

}  // namespace
}  // namespace hpc
