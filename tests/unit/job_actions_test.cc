#include "manager/slurm/job_actions.h"

#include <gtest/gtest.h>

#include "manager/slurm/slurm_answer.h"

namespace hpc {
namespace {

const std::string kMarker(64, 'a');
const std::string kSession = "0123456789abcdef0123456789abcdef";
const std::string kName = "hpc-vscode-0123456789abcdef";

/// Between the lines "begin" and "end".
std::string report(const std::string& lines) {
  return "Welcome\n\n" + kMarker + " begin\n" + lines + "\n" + kMarker + " end\nlogout\n";
}
std::string mark(const std::string& what) { return kMarker + " " + what + "\n"; }

/// The code of a failure, the words of it.
struct Told {
  std::optional<Errc> code;
  std::string words;
};
template <class T>
Told told(const Result<T>& result) {
  return result ? Told{} : Told{result.error().code, result.error().detail};
}

TEST(JobActionsTest, AJobThatIsOver) {
  EXPECT_TRUE(parse_end_job(report(mark("result over")), kMarker).has_value());
  EXPECT_TRUE(parse_end_job(report(mark("result over") + "scancel: error: x\n"), kMarker));
}

TEST(JobActionsTest, AJobThatStillEndsIsAskedForAgain) {
  const auto ends = told(parse_end_job(report(mark("result ends COMPLETING")), kMarker));
  EXPECT_EQ(ends.code, Errc::kUnavailable);
  EXPECT_EQ(ends.words, "the job still ends (COMPLETING)");
  const auto words =
      told(parse_end_job(report(mark("result ends RUNNING") + "scancel: error: no\n"), kMarker));
  EXPECT_EQ(words.code, Errc::kUnavailable);
  EXPECT_EQ(words.words, "the job still ends (RUNNING): no");
}

TEST(JobActionsTest, WithoutSlurmNothingHasEnded) {
  const auto away = told(parse_end_job(
      report(mark("result unasked") + "slurm_load_jobs error: Socket timed out\n"), kMarker));
  EXPECT_EQ(away.code, Errc::kUnavailable);
  EXPECT_EQ(away.words, "SLURM did not answer: Socket timed out");
  EXPECT_EQ(told(parse_end_job(report(mark("result overt")), kMarker)).words,
            "SLURM did not answer");
}

TEST(JobActionsTest, ACutAnswerEndsNothing) {
  const auto whole = report(mark("result over"));
  const auto answered = whole.find("logout");
  for (std::size_t cut = 0; cut < answered; ++cut) {
    EXPECT_EQ(told(parse_end_job(whole.substr(0, cut), kMarker)).code, Errc::kUnavailable) << cut;
  }
  EXPECT_TRUE(parse_end_job(whole.substr(0, answered), kMarker).has_value());
}

TEST(JobActionsTest, MoreTime) {
  EXPECT_TRUE(parse_extend_job(report("\n" + mark("status 0")), kMarker).has_value());
  struct Case {
    std::string status, said;
    Errc code;
    std::string words;
  };
  for (const auto& one : {
           Case{"1", "Access/permission denied for job 3", Errc::kForbidden,
                "Access/permission denied for job 3"},
           Case{"1", "Requested time limit is invalid (missing or exceeds some limit) for job 3",
                Errc::kForbidden,
                "Requested time limit is invalid (missing or exceeds some limit) for job 3"},
           Case{"1",
                "scontrol: error: Could not load state information for job 99: Invalid job id "
                "specified",
                Errc::kConflict,
                "Could not load state information for job 99: Invalid job id specified"},
           Case{"1", "Job has already finished for job 3", Errc::kConflict,
                "Job has already finished for job 3"},
           Case{"1", "Unexpected message received for job 3", Errc::kUnavailable,
                "SLURM did not answer: Unexpected message received for job 3"},
           Case{"1", "", Errc::kUnavailable, "SLURM did not answer"},
           Case{"127", "sh: scontrol: not found", Errc::kUnavailable, "there is no scontrol"},
       }) {
    const auto got =
        told(parse_extend_job(report(one.said + "\n" + mark("status " + one.status)), kMarker));
    EXPECT_EQ(got.code, one.code) << one.said;
    EXPECT_EQ(got.words, one.words);
  }
  EXPECT_EQ(told(parse_extend_job("", kMarker)).code, Errc::kUnavailable);
  EXPECT_EQ(told(parse_extend_job(report(mark("result over")), kMarker)).code, Errc::kUnavailable);
}

std::string log_report(const std::string& figures, const std::string& bytes) {
  return report(mark("log " + figures) + bytes);
}

TEST(JobActionsTest, APartOfALogIsAsItIs) {
  const std::string bytes = std::string("\0\n\xff\r\n", 5) + std::string(64, 'b') + " end\n\n";
  const auto part =
      parse_job_log(log_report("100 " + std::to_string(100 + bytes.size()), bytes), kMarker);
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->bytes, bytes);
  EXPECT_EQ(part->offset, 100U);
  EXPECT_EQ(part->size, 100 + bytes.size());
}

TEST(JobActionsTest, AnEmptyPartOfALog) {
  const auto none = parse_job_log(log_report("0 0", ""), kMarker);
  ASSERT_TRUE(none.has_value());
  EXPECT_EQ(none->bytes, "");
  const auto past = parse_job_log(log_report("400 35", ""), kMarker);
  ASSERT_TRUE(past.has_value());
  EXPECT_EQ(past->offset, 400U);
  EXPECT_EQ(past->size, 35U) << "the log has become shorter";
}

TEST(JobActionsTest, ALogThatGrewMeanwhile) {
  EXPECT_EQ(parse_job_log(log_report("10 12", "four"), kMarker)->size, 14U);
}

TEST(JobActionsTest, ALogThatIsNotThereOrCut) {
  EXPECT_EQ(told(parse_job_log(report(mark("none")), kMarker)).code, Errc::kNotFound);
  const auto whole = log_report("0 5", "hello");
  const auto answered = whole.find("logout");
  for (std::size_t cut = 0; cut < answered; ++cut) {
    EXPECT_EQ(told(parse_job_log(whole.substr(0, cut), kMarker)).code, Errc::kUnavailable) << cut;
  }
  EXPECT_EQ(parse_job_log(whole.substr(0, answered), kMarker)->bytes, "hello");
  for (const char* figures :
       {"", "1", "1 ", " 1", "-1 5", "1 x", "1 2 3", "99999999999999999999 5"}) {
    EXPECT_EQ(told(parse_job_log(log_report(figures, "x"), kMarker)).code, Errc::kUnavailable)
        << figures;
  }
}

TEST(JobActionsTest, APartOfALogHasABound) {
  EXPECT_TRUE(parse_job_log(log_report("0 9", std::string(kJobLogBytesMax, 'x')), kMarker));
  EXPECT_EQ(
      told(parse_job_log(log_report("0 9", std::string(kJobLogBytesMax + 1, 'x')), kMarker)).code,
      Errc::kUnavailable);
}

TEST(JobActionsTest, ScriptsBeginWithTheirValues) {
  EXPECT_TRUE(end_job_script("4711", kName, kSession, kMarker)
                  .starts_with("marker=" + kMarker + "\njob=4711\nname=" + kName +
                               "\nsession=" + kSession + "\n"));
  EXPECT_TRUE(end_job_script("", kName, kSession, kMarker)
                  .starts_with("marker=" + kMarker + "\njob=\nname="));
  EXPECT_TRUE(extend_job_script("4711", 30, kMarker)
                  .starts_with("marker=" + kMarker + "\njob=4711\nminutes=30\n"));
  EXPECT_TRUE(
      job_log_script(kSession, 7, kMarker)
          .starts_with("marker=" + kMarker + "\nsession=" + kSession + "\nfrom=7\nbytes=65536\n"));
  EXPECT_NE(job_log_script(kSession, kJobLogTail, kMarker).find("\nfrom=tail\n"),
            std::string::npos);
  EXPECT_NE(job_log_script(kSession, kJobLogTail - 1, kMarker).find("\nfrom=9223372036854775806\n"),
            std::string::npos);
}

TEST(JobActionsTest, NoScriptForValuesThatDoNotPass) {
  EXPECT_EQ(end_job_script("1;id", kName, kSession, kMarker), kNoScript);
  EXPECT_EQ(end_job_script("1", "a b", kSession, kMarker), kNoScript);
  EXPECT_EQ(end_job_script("1", kName, "..", kMarker), kNoScript);
  EXPECT_EQ(end_job_script("1", kName, "", kMarker), kNoScript);
  EXPECT_EQ(end_job_script("1", kName, kSession, "'"), kNoScript);
  EXPECT_EQ(extend_job_script("x", 1, kMarker), kNoScript);
  EXPECT_EQ(extend_job_script("1", 0, kMarker), kNoScript);
  EXPECT_NE(extend_job_script("1", 525'600, kMarker), kNoScript);
  EXPECT_EQ(extend_job_script("1", 525'601, kMarker), kNoScript);
  EXPECT_EQ(extend_job_script("1", 1, ""), kNoScript);
  EXPECT_EQ(job_log_script("../..", 0, kMarker), kNoScript);
  EXPECT_EQ(job_log_script(kSession, 0, "a\nb"), kNoScript);
}

}  // namespace
}  // namespace hpc
