#include "node-proxy/child_output.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <optional>

#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

class ChildOutputTest : public LoopFixture {
 protected:
  ChildOutput::Answer answer_of(std::vector<std::string> words, std::uint64_t limit_ms = 60'000) {
    std::optional<ChildOutput::Answer> got;
    ChildOutput child(
        loop, std::move(words), [&](ChildOutput::Answer answer) { got = std::move(answer); },
        limit_ms);
    EXPECT_FALSE(got) << "not in the turn of the call";
    EXPECT_TRUE(wait_for([&] { return got.has_value(); }));
    return got.value_or(ChildOutput::Answer{});
  }
};

TEST_F(ChildOutputTest, GivesWhatIsPrinted) {
  const auto answer = answer_of({"echo", "a  b", "c"});
  EXPECT_TRUE(answer.ok);
  EXPECT_EQ(answer.text, "a  b c\n");
}

TEST_F(ChildOutputTest, GivesTheOutputOfAFailureToo) {
  const auto answer = answer_of({"sh", "-c", "echo text; echo error >&2; exit 3"});
  EXPECT_FALSE(answer.ok);
  EXPECT_EQ(answer.text, "text\n");
}

TEST_F(ChildOutputTest, ProgramThatIsNotThere) {
  EXPECT_FALSE(answer_of({"hpc-no-such-program"}).ok);
}

TEST_F(ChildOutputTest, KeepsSoManyBytes) {
  const auto at = answer_of({"head", "-c", "512", "/dev/zero"});
  EXPECT_EQ(at.text.size(), kChildOutputBytesMax);
  const auto past = answer_of({"head", "-c", "100000", "/dev/zero"});
  EXPECT_TRUE(past.ok) << "the rest is read";
  EXPECT_EQ(past.text.size(), kChildOutputBytesMax);
}

TEST_F(ChildOutputTest, OneThatHangsIsEnded) {
  const auto answer = answer_of({"sh", "-c", "echo begun; exec sleep 1000"}, 50);
  EXPECT_FALSE(answer.ok);
}

// ~Loop sees that nothing of it is left.
TEST_F(ChildOutputTest, DestroyedBeforeItsEndItSaysNothing) {
  bool called = false;
  {
    const ChildOutput child(loop, {"sleep", "1000"}, [&](const auto&) { called = true; });
  }
  settle(loop);
  EXPECT_FALSE(called);
  // Its loop no longer cares for it; other tests count their children.
  EXPECT_GT(wait(nullptr), 0);
}

}  // namespace
}  // namespace hpc
