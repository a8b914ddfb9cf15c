#include "node-proxy/run/choose_space.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "node-proxy/run/network_space.h"

namespace hpc {
namespace {

TEST(ChooseSpaceTest, NetworkNamespaceWhereItWorks) {
  const auto choice = choose_space({});
  EXPECT_EQ(choice.mode, PrivateMode::kNetns);
  EXPECT_EQ(choice.sentence,
            "--private auto: the command gets a network namespace of its own (netns)");
}

TEST(ChooseSpaceTest, LoopbackElseAndItSaysWhy) {
  const auto choice = choose_space(fail(Errc::kSystem, "network namespace",
                                        "the kernel refuses a user namespace (No space left on "
                                        "device): user.max_user_namespaces is 0" +
                                            std::string(kLoopbackAdvice)));
  EXPECT_EQ(choice.mode, PrivateMode::kLoopback);
  EXPECT_EQ(choice.sentence,
            "--private auto: the command gets loopback addresses of its own (loopback), because "
            "the kernel refuses a user namespace (No space left on device): "
            "user.max_user_namespaces is 0");
}

TEST(ChooseSpaceTest, WhatIsNoAdviceStays) {
  const auto choice = choose_space(fail(Errc::kSystem, "network namespace", "fork: no memory"));
  EXPECT_TRUE(choice.sentence.ends_with("because fork: no memory")) << choice.sentence;
}

}  // namespace
}  // namespace hpc
