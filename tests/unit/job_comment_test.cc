#include "node-proxy/job_comment.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <optional>
#include <ostream>

#include "tests/support/loop_fixture.h"
#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

TEST(JobCommentTest, SaysWhere) { EXPECT_EQ(job_comment("c1", 41234), "hpc1 c1:41234"); }

struct CommentCase {
  const char* name;
  std::string_view printed;
  bool may_replace;
};
void PrintTo(const CommentCase& c, std::ostream* os) { *os << c.name; }

constexpr CommentCase kCommentCases[] = {
    {"none", "(null)\n", true},
    {"nothing_printed", "", true},
    {"empty", "\n", true},
    {"ours", "hpc1 c2:5\n", true},
    {"ours_of_before", "hpc1 whatever\n", true},
    {"text", "my job\n", false},
    {"word_that_begins_alike", "hpc1\n", false},
    {"longer_word", "hpc10 c1:5\n", false},
    {"blank_in_front", " hpc1 c1:5\n", false},
    {"upper_case", "HPC1 c1:5\n", false},
    {"line_end_and_text", "\nmy job\n", false},
    {"none_and_text", "(null)\nmy job\n", false},
    {"blank", " \n", false},
};

class MayReplaceTest : public ::testing::TestWithParam<CommentCase> {};
INSTANTIATE_TEST_SUITE_P(Cases, MayReplaceTest, ::testing::ValuesIn(kCommentCases),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(MayReplaceTest, OnlyWhatIsNobodyElses) {
  EXPECT_EQ(may_replace_comment(GetParam().printed), GetParam().may_replace);
}

/// Programs of these names, in front of PATH.
class JobCommentWriterTest : public TempDirFixture {
 protected:
  JobCommentWriterTest() : path_(std::getenv("PATH")) {
    setenv("PATH", (dir + ":" + path_).c_str(), 1);
  }
  ~JobCommentWriterTest() override { setenv("PATH", path_.c_str(), 1); }

  void program(const std::string& name, const std::string& body) {
    put(dir + "/" + name, "#!/bin/sh\n" + body + "\n");
    chmod((dir + "/" + name).c_str(), 0755);
  }
  void squeue(const std::string& body) {
    program("squeue", "for word; do echo \"$word\" >>" + dir + "/asked; done; " + body);
  }
  void scontrol(const std::string& body) {
    program("scontrol", "for word; do echo \"$word\" >>" + dir + "/told; done; " + body);
  }
  std::string write() {
    std::optional<std::string> got;
    JobCommentWriter writer(loop, "77", "hpc1 c1:41234",
                            [&](const std::string& why) { got = why; });
    EXPECT_TRUE(run_until(loop, [&] { return got.has_value(); }));
    return got.value_or("it said nothing");
  }
  std::string asked() const { return text(dir + "/asked"); }
  std::string told() const { return text(dir + "/told"); }

  Loop loop;

 private:
  std::string path_;
};

TEST_F(JobCommentWriterTest, WritesWhereThereIsNone) {
  squeue("echo '(null)'");
  scontrol("true");
  EXPECT_EQ(write(), "");
  EXPECT_EQ(asked(), "-h\n-j\n77\n-o\n%k\n");
  EXPECT_EQ(told(), "update\nJobId=77\nComment=hpc1 c1:41234\n");
}

TEST_F(JobCommentWriterTest, LeavesWhatIsThereAlready) {
  squeue("echo 'hpc1 c1:41234'");
  scontrol("true");
  EXPECT_EQ(write(), "");
  EXPECT_EQ(told(), "");
}

TEST_F(JobCommentWriterTest, LeavesWhatAUserWrote) {
  squeue("echo 'my job'");
  scontrol("true");
  EXPECT_EQ(write(), "the job has a comment of somebody else's");
  EXPECT_EQ(told(), "");
}

TEST_F(JobCommentWriterTest, AnswerOfAFailureCountsForNothing) {
  squeue("echo '(null)'; exit 1");
  scontrol("true");
  EXPECT_EQ(write(), "squeue does not tell the job's comment");
  EXPECT_EQ(told(), "");
}

TEST_F(JobCommentWriterTest, SiteThatForbidsIt) {
  squeue("true");
  scontrol("exit 1");
  EXPECT_EQ(write(), "scontrol does not change the job's comment");
}

TEST_F(JobCommentWriterTest, DestroyedWhileItAsks) {
  squeue("exec sleep 1000");
  bool called = false;
  {
    const JobCommentWriter writer(loop, "77", "hpc1 c1:1", [&](const auto&) { called = true; });
  }
  settle(loop);
  EXPECT_FALSE(called);
  // Its loop no longer cares for it; other tests count their children.
  EXPECT_GT(wait(nullptr), 0);
}

}  // namespace
}  // namespace hpc
