#include "manager/slurm/job_submit.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "manager/slurm/slurm_answer.h"

namespace hpc {
namespace {

using State = SubmitAnswer::State;
const std::string kMarker(64, 'a');
const std::string kSession = "0123456789abcdef0123456789abcdef";

JobSubmission submission() {
  return {kSession, session_job_name("vscode", kSession), JobRequest{}};
}

TEST(JobSubmitTest, OnlyFixedTextAndCheckedWordsAreInTheCommand) {
  auto job = submission();
  job.request = {8, 1, "4G", "1:30:00", "gpu", "demo"};
  const auto command = submit_command(job, kMarker).value();
  EXPECT_TRUE(command.starts_with("sh -c 'exec 3>&1; ")) << command;
  const auto words = command.substr(command.rfind('\'') + 1);
  EXPECT_EQ(words, " hpc-manager " + kMarker + " " + kSession +
                       " --parsable --job-name=hpc-vscode-0123456789abcdef --cpus-per-task=8 "
                       "--gres=gpu:1 --mem=4G --time=1:30:00 --partition=gpu --account=demo");
  auto other = submission();
  other.session = "ffffffffffffffffffffffffffffffff";
  const auto text = submit_command(other, kMarker).value();
  EXPECT_EQ(text.substr(0, text.rfind('\'')), command.substr(0, command.rfind('\'')))
      << "what is between the quotes never changes";
}

TEST(JobSubmitTest, NoLoginShellFindsAnythingOfItsOwnInTheQuotes) {
  const auto command = submit_command(submission(), kMarker).value();
  EXPECT_EQ(std::count(command.begin(), command.end(), '\''), 2);
  // csh replaces '!' even there and takes no line end, fish takes "\\" for one backslash.
  EXPECT_EQ(command.find_first_of("!\n\\\r\t"), std::string::npos) << command;
  EXPECT_LT(command.size(), 2000U);
}

TEST(JobSubmitTest, ValuesThatDoNotPassMakeNoCommand) {
  const auto refused = [](const JobSubmission& job, const std::string& marker) {
    const auto command = submit_command(job, marker);
    return !command && command.error().code == Errc::kBadRequest;
  };
  EXPECT_FALSE(refused(submission(), kMarker));
  for (const char* bad : {"", "../../../../../../../../../../..", "'", "$(id)"}) {
    auto job = submission();
    job.session = bad;
    EXPECT_TRUE(refused(job, kMarker)) << bad;
    job = submission();
    job.name = bad;
    EXPECT_TRUE(refused(job, kMarker)) << bad;
    EXPECT_TRUE(refused(submission(), bad)) << bad;
  }
  auto job = submission();
  job.request.partition = "a';id;'";
  EXPECT_TRUE(refused(job, kMarker));
}

std::string answer(const std::string& status, const std::string& out, const std::string& err) {
  return "Welcome\n\n" + kMarker + " begin\n" + out + "\n" + kMarker + " status " + status + "\n" +
         err + "\n" + kMarker + " end\nlogout\n";
}

struct AnswerCase {
  const char* name;
  std::string status, out, err;
  State state;
  std::string job;
  std::string words;
};
void PrintTo(const AnswerCase& one, std::ostream* out) { *out << one.name; }
class SubmitAnswerTest : public testing::TestWithParam<AnswerCase> {};

TEST_P(SubmitAnswerTest, SaysWhatBecameOfTheJob) {
  const auto& want = GetParam();
  const auto got = parse_submit(answer(want.status, want.out, want.err), kMarker);
  EXPECT_EQ(got.state, want.state);
  EXPECT_EQ(got.job, want.job);
  EXPECT_EQ(got.words, want.words);
}

constexpr const char* kNix =
    "sbatch: error: invalid partition specified: nix\n"
    "sbatch: error: Batch job submission failed: Invalid partition name specified";
constexpr const char* kDead =
    "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect "
    "failure)";
constexpr const char* kStopped =
    "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation";

INSTANTIATE_TEST_SUITE_P(
    Answers, SubmitAnswerTest,
    testing::Values(
        AnswerCase{"id", "0", "4711\n", "", State::kSubmitted, "4711", ""},
        AnswerCase{"id_and_cluster", "0", "4711;main\n", "", State::kSubmitted, "4711", ""},
        AnswerCase{"crlf", "0", "4711\r\n", "", State::kSubmitted, "4711", ""},
        AnswerCase{"behind_a_wrapper", "0", "Checking your project...\n1 GPU hour left\n4711\n\n",
                   "sbatch: warning: x", State::kSubmitted, "4711", ""},
        AnswerCase{"no_number", "0", "Submitted\n", "", State::kUnknown, "",
                   "sbatch did not say which job it started"},
        AnswerCase{"negative", "0", "-1\n", "", State::kUnknown, "",
                   "sbatch did not say which job it started"},
        AnswerCase{"array", "0", "4711_2\n", "what?", State::kUnknown, "", "what?"},
        AnswerCase{"zero", "0", "0\n", "", State::kUnknown, "",
                   "sbatch did not say which job it started"},
        AnswerCase{"too_many_digits", "0", std::string(21, '1') + "\n", "", State::kUnknown, "",
                   "sbatch did not say which job it started"},
        AnswerCase{"refused", "1", "", kNix, State::kRefused, "",
                   "invalid partition specified: nix; Invalid partition name specified"},
        AnswerCase{"dead_controller", "1", "", kDead, State::kBusy, "",
                   "Unable to contact slurm controller (connect failure)"},
        AnswerCase{"stopped_controller", "1", "", kStopped, State::kBusy, "",
                   "Socket timed out on send/recv operation"},
        AnswerCase{"hung", "124", "", "", State::kBusy, "", "sbatch did not end in time"},
        AnswerCase{"killed", "137", "", "Killed", State::kBusy, "", "Killed"},
        AnswerCase{"broken_pipe", "141", "", "", State::kBusy, "", "sbatch did not end in time"},
        AnswerCase{"silent", "1", "", "", State::kUnknown, "", "sbatch ended with status 1"},
        AnswerCase{"a_job_all_the_same", "1", "4711\n", "wrapper: cannot log this", State::kUnknown,
                   "", "sbatch ended with status 1"},
        AnswerCase{"no_sbatch", "127", "", "", State::kNoSlurm, "", "there is no sbatch"},
        AnswerCase{"full_home", "home", "", "mkdir: cannot create directory: Disk quota exceeded",
                   State::kRefused, "", "mkdir: cannot create directory: Disk quota exceeded"},
        AnswerCase{"no_status", "", "4711\n", "", State::kUnknown, "", ""},
        AnswerCase{"strange_status", "0x", "4711\n", "", State::kUnknown, "", ""}),
    [](const auto& i) { return std::string(i.param.name); });

TEST(JobSubmitTest, ACutAnswerIsUnknown) {
  const auto whole = answer("0", "4711\n", "");
  const auto answered = whole.find("logout");
  for (std::size_t cut = 0; cut < answered; ++cut) {
    EXPECT_EQ(parse_submit(whole.substr(0, cut), kMarker), SubmitAnswer{}) << cut;
  }
  EXPECT_EQ(parse_submit(whole.substr(0, answered), kMarker).state, State::kSubmitted);
  EXPECT_EQ(parse_submit(whole, std::string(64, 'b')), SubmitAnswer{});
}

TEST(JobSubmitTest, TheFindScriptBeginsWithMarkerAndName) {
  const auto script = find_job_script("hpc-vscode-0123456789abcdef", kMarker);
  EXPECT_TRUE(script.starts_with("marker=" + kMarker + "\nname=hpc-vscode-0123456789abcdef\n"));
  EXPECT_EQ(find_job_script("a;id", kMarker), kNoScript);
  EXPECT_EQ(find_job_script("a", "a;id"), kNoScript);
}

FoundJob found(const std::string& lines) {
  return parse_find_job("\n" + kMarker + " begin\n" + lines + "\n" + kMarker + " end\n", kMarker);
}
std::string mark(const std::string& what) { return "\n" + kMarker + " " + what + "\n"; }

TEST(JobSubmitTest, FindsTheNewestJob) {
  EXPECT_EQ(found(mark("job 9") + mark("job 4711") + mark("job 10") + mark("squeue 0")).job,
            "4711");
  EXPECT_EQ(found(mark("squeue 0") + mark("job 8")).job, "8") << "sacct knows it";
  EXPECT_EQ(found(mark("squeue 1") + mark("job 8")).job, "8");
  EXPECT_EQ(found(mark("submitting") + mark("job 8") + mark("squeue 0")).job, "8");
}

TEST(JobSubmitTest, ThereIsNoneOnlyWhereSqueueSaysSo) {
  EXPECT_EQ(found(mark("squeue 0")).state, FoundJob::State::kNone);
  EXPECT_EQ(found("sh: squeue: not found" + mark("squeue 127")).state, FoundJob::State::kUnknown);
  EXPECT_EQ(found(kDead + mark("squeue 1")).state, FoundJob::State::kUnknown);
  EXPECT_EQ(found(mark("submitting") + mark("squeue 0")).state, FoundJob::State::kUnknown)
      << "sbatch still runs";
  EXPECT_EQ(found("").state, FoundJob::State::kUnknown);
  EXPECT_EQ(found(mark("job x") + mark("job -1") + mark("job 1_2") + mark("squeue 0")).state,
            FoundJob::State::kNone);
}

TEST(JobSubmitTest, ACutSearchIsUnknown) {
  const auto whole = "\n" + kMarker + " begin" + mark("job 8") + mark("squeue 0") + mark("end");
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_EQ(parse_find_job(whole.substr(0, cut), kMarker).state, FoundJob::State::kUnknown)
        << cut;
  }
  EXPECT_EQ(parse_find_job(whole, kMarker).state, FoundJob::State::kFound);
}

}  // namespace
}  // namespace hpc
