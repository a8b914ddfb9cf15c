#include "common/loop_mailbox.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

struct LoopMailboxTest : LoopFixture {
  LoopMailbox mailbox{loop};
  ~LoopMailboxTest() override { mailbox.close(); }
};

TEST_F(LoopMailboxTest, BringsTasksOfAThreadInTheirOrder) {
  constexpr int kTasks = 1000;
  std::vector<int> got;
  std::thread sender([&] {
    for (int i = 0; i < kTasks; ++i) mailbox.send([&got, i] { got.push_back(i); });
  });
  EXPECT_TRUE(wait_for([&] { return got.size() == kTasks; }));
  sender.join();
  for (int i = 0; i < kTasks; ++i) ASSERT_EQ(got[static_cast<std::size_t>(i)], i);
}

TEST_F(LoopMailboxTest, RunsTasksOnTheLoopsThread) {
  std::thread::id ran_on;
  std::thread([&] { mailbox.send([&] { ran_on = std::this_thread::get_id(); }); }).join();
  EXPECT_EQ(ran_on, std::thread::id());
  EXPECT_TRUE(wait_for([&] { return ran_on != std::thread::id(); }));
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST_F(LoopMailboxTest, DropsWhatComesAfterTheClose) {
  bool ran = false;
  mailbox.send([&] { ran = true; });
  mailbox.close();
  mailbox.send([&] { ran = true; });
  settle(loop);
  EXPECT_FALSE(ran);
}

TEST_F(LoopMailboxTest, ClosingInATaskStopsTheOnesBehindIt) {
  int ran = 0;
  mailbox.send([&] {
    ++ran;
    mailbox.close();
  });
  mailbox.send([&] { ++ran; });
  EXPECT_TRUE(wait_for([&] { return ran > 0; }));
  settle(loop);
  EXPECT_EQ(ran, 1);
}

TEST_F(LoopMailboxTest, KeepsTheLoopRunningOnlyWhenAsked) {
  EXPECT_FALSE(loop.turn());
  mailbox.keep_loop(true);
  EXPECT_TRUE(loop.turn());
  mailbox.keep_loop(false);
  EXPECT_FALSE(loop.turn());
}

}  // namespace
}  // namespace hpc
