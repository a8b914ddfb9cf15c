#include "manager/gateway/login_throttle.h"

#include <gtest/gtest.h>

#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

struct LoginThrottleTest : testing::Test {
  void fail(unsigned times, const std::string& user = "alice",
            const std::string& address = "10.0.0.1") {
    for (unsigned i = 0; i < times; ++i) throttle.failed(user, address);
  }
  ManualScheduler clock;
  LoginThrottle throttle{clock};
};

TEST_F(LoginThrottleTest, AFewMistakesCostNothing) {
  fail(kLoginFailuresFree - 1);
  EXPECT_EQ(throttle.wait_ms("alice", "10.0.0.1"), 0U);
}

TEST_F(LoginThrottleTest, OneMoreMustWait) {
  fail(kLoginFailuresFree);
  EXPECT_EQ(throttle.wait_ms("alice", "10.0.0.1"), kLoginWaitFirstMs);
  clock.advance(kLoginWaitFirstMs - 1);
  EXPECT_EQ(throttle.wait_ms("alice", "10.0.0.1"), 1U);
  clock.advance(1);
  EXPECT_EQ(throttle.wait_ms("alice", "10.0.0.1"), 0U);
}

TEST_F(LoginThrottleTest, TheWaitDoublesUpToItsMost) {
  fail(kLoginFailuresFree + 1);
  EXPECT_EQ(throttle.wait_ms("alice", "10.0.0.1"), 2 * kLoginWaitFirstMs);
  fail(1000);
  EXPECT_EQ(throttle.wait_ms("alice", "10.0.0.1"), kLoginWaitMostMs);
}

TEST_F(LoginThrottleTest, TheNameIsSlowedFromEveryAddress) {
  for (int i = 0; i < 5; ++i) throttle.failed("alice", "10.0.0." + std::to_string(i));
  EXPECT_GT(throttle.wait_ms("alice", "10.9.9.9"), 0U);
  EXPECT_EQ(throttle.wait_ms("bob", "10.9.9.9"), 0U);
}

TEST_F(LoginThrottleTest, ANameThatNobodyGaveIsNotOneUser) {
  for (int i = 0; i < 9; ++i) throttle.failed("", "10.0.0." + std::to_string(i));
  EXPECT_EQ(throttle.wait_ms("", "10.9.9.9"), 0U);
  for (int i = 0; i < 9; ++i) throttle.failed("", "10.0.0.1");
  EXPECT_GT(throttle.wait_ms("", "10.0.0.1"), 0U) << "the address still counts";
}

TEST_F(LoginThrottleTest, TheAddressIsSlowedForEveryName) {
  for (int i = 0; i < 5; ++i) throttle.failed("user" + std::to_string(i), "10.0.0.1");
  EXPECT_GT(throttle.wait_ms("new", "10.0.0.1"), 0U);
  EXPECT_EQ(throttle.wait_ms("new", "10.0.0.2"), 0U);
}

TEST_F(LoginThrottleTest, ASuccessForgivesTheNameButNotTheAddress) {
  fail(kLoginFailuresFree);
  throttle.succeeded("alice");
  EXPECT_EQ(throttle.wait_ms("alice", "10.0.0.2"), 0U);
  EXPECT_GT(throttle.wait_ms("alice", "10.0.0.1"), 0U);
}

TEST_F(LoginThrottleTest, FailuresAreForgottenAfterAWhile) {
  fail(100);
  clock.advance(kLoginMemoryMs);
  fail(1);
  EXPECT_EQ(throttle.wait_ms("alice", "10.0.0.1"), 0U);
}

TEST_F(LoginThrottleTest, ANameIsNotTakenForAnAddress) {
  for (int i = 0; i < 5; ++i) throttle.failed("10.0.0.1", "10.0.0." + std::to_string(100 + i));
  EXPECT_EQ(throttle.wait_ms("alice", "10.0.0.1"), 0U);
}

TEST_F(LoginThrottleTest, TheTableIsBoundedAndForgetsTheOldest) {
  fail(kLoginFailuresFree, "old", "10.1.1.1");
  clock.advance(1);
  for (std::size_t i = 0; i < kLoginSubjectsMax - 2; ++i) {
    throttle.failed("user" + std::to_string(i / 2), "at" + std::to_string(i / 2));
  }
  EXPECT_EQ(throttle.size(), kLoginSubjectsMax);
  EXPECT_GT(throttle.wait_ms("old", ""), 0U) << "still there at the bound";
  throttle.failed("one more", "somewhere");
  EXPECT_EQ(throttle.size(), kLoginSubjectsMax);
  EXPECT_EQ(throttle.wait_ms("old", "10.1.1.1"), 0U);
}

}  // namespace
}  // namespace hpc
