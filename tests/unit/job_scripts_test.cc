// The scripts of manager/slurm, run by the shells that this machine has, with programs in SLURM's
// place that say what they were given.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "manager/slurm/job_actions.h"
#include "manager/slurm/job_fate.h"
#include "manager/slurm/job_listing.h"
#include "manager/slurm/job_submit.h"
#include "manager/slurm/slurm_answer.h"
#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

const std::string kMarker(64, 'e');
const std::string kSession = "0123456789abcdef0123456789abcdef";
const std::string kName = "hpc-vscode-0123456789abcdef";

struct JobScripts : TempDirFixture {
  JobScripts() {
    std::filesystem::create_directories(bin);
    std::filesystem::create_directories(home);
    for (const char* tool :
         {"awk", "cat", "chmod", "date", "env", "find", "head", "ln", "ls", "mkdir", "rm", "tr",
          "sed", "sh", "sleep", "tail", "timeout", "touch", "wc"}) {
      std::filesystem::create_symlink("/usr/bin/" + std::string(tool), bin + "/" + tool);
    }
    // What users have set for themselves must not matter.
    environment =
        "SQUEUE_FORMAT2=jobid SQUEUE_STATES=R SQUEUE_USERS=bob SQUEUE_NAMES=x "
        "SBATCH_WAIT=1 SCANCEL_INTERACTIVE=1 SCANCEL_STATE=PENDING SCANCEL_NAME=y";
  }

  /// A program of SLURM's, in sh. `$0.args` will hold its arguments, one a line.
  void program(const std::string& name, const std::string& text) const {
    std::filesystem::remove(bin + "/" + name);  // may be a link to the machine's own
    put(bin + "/" + name,
        "#!/usr/bin/sh\nprintf '%s\\n' \"$@\" >>\"$0.args\"\nenv >\"$0.env\"\n" + text);
    std::filesystem::permissions(bin + "/" + name, std::filesystem::perms(0755));
  }
  std::string arguments(const std::string& name) const { return text(bin + "/" + name + ".args"); }
  bool inherits(const std::string& name, const std::string& variable) const {
    return ("\n" + text(bin + "/" + name + ".env")).find("\n" + variable + "=") !=
           std::string::npos;
  }

  /// What the command prints when a login shell runs it.
  std::string run(const std::string& command, const std::string& input,
                  const std::string& shell = "/usr/bin/sh") const {
    put(dir + "/command", command);
    put(dir + "/stdin", input);
    const auto line = "cd / && env -i HOME='" + home + "' PATH='" + bin + "' " + environment + " " +
                      shell + " -c \"$(cat '" + dir + "/command')\" <'" + dir + "/stdin' 2>'" +
                      dir + "/stderr'";
    FILE* pipe = popen(line.c_str(), "r");
    std::string out;
    std::array<char, 4096> buffer{};
    while (const auto size = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
      out.append(buffer.data(), size);
    }
    pclose(pipe);
    return out;
  }
  std::string run_script(const std::string& script) const { return run("sh -s", script); }

  SubmitAnswer submit(const std::string& shell = "/usr/bin/sh", const JobRequest& request = {},
                      const std::string& script = "#!/bin/sh\n") const {
    const auto command = submit_command({kSession, kName, request}, kMarker);
    return parse_submit(run(command.value(), script, shell), kMarker);
  }
  FoundJob find() const {
    return parse_find_job(run_script(find_job_script(kName, kMarker)), kMarker);
  }
  Status end(const std::string& job) const {
    return parse_end_job(run_script(end_job_script(job, kName, kSession, kMarker)), kMarker);
  }

  std::string bin = dir + "/bin";
  // Names that a shell, SLURM's file name patterns or sed might make something of.
  std::string home = dir + "/home %j $(id) \\ \"x";
  std::string session_dir = home + "/.hpc-proxy/sessions/" + kSession;
  std::string environment;
};

class LoginShell : public JobScripts, public testing::WithParamInterface<const char*> {};

TEST_P(LoginShell, RunsTheSubmitAsItIs) {
  const auto shell = "/usr/bin/" + std::string(GetParam());
  if (access(shell.c_str(), X_OK) != 0) GTEST_SKIP() << shell << " is not installed";
  home = dir + "/home";
  session_dir = home + "/.hpc-proxy/sessions/" + kSession;
  std::filesystem::create_directories(home);
  program("sbatch",
          "cat >\"$0.stdin\"; umask >\"$0.umask\"; pwd >\"$0.pwd\"\n"
          "ls .hpc-proxy/sessions/*/ >\"$0.files\"; echo 'hello!'; echo '4711;main'\n");
  const std::string script("#!/bin/sh\necho '$HOME' \"!!\" \\n\0x\n", 29);
  const auto answer = submit(shell, {8, 1, "4G", "1:30:00", "gpu", "demo"}, script);
  EXPECT_EQ(answer, (SubmitAnswer{SubmitAnswer::State::kSubmitted, "4711", ""}))
      << answer.words << text(dir + "/stderr");
  EXPECT_EQ(arguments("sbatch"),
            "--parsable\n--job-name=" + kName +
                "\n--cpus-per-task=8\n--gres=gpu:1\n--mem=4G\n--time=1:30:00\n--partition=gpu\n"
                "--account=demo\n--chdir=" +
                home + "\n--output=" + session_dir + "/job.log\n--error=" + session_dir +
                "/job.log\n--open-mode=append\n");
  EXPECT_EQ(text(bin + "/sbatch.stdin"), script);
  EXPECT_EQ(text(bin + "/sbatch.umask"), "0022\n") << "the job gets its user's";
  EXPECT_EQ(text(bin + "/sbatch.pwd"), home + "\n");
  EXPECT_EQ(text(bin + "/sbatch.files"), "submitting\n");
  EXPECT_FALSE(std::filesystem::exists(session_dir + "/submitting"));
  for (const auto& path : {home + "/.hpc-proxy", home + "/.hpc-proxy/sessions", session_dir}) {
    EXPECT_EQ(mode(path), 0700) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(Shells, LoginShell,
                         testing::Values("sh", "dash", "bash", "zsh", "csh", "tcsh", "fish"),
                         [](const auto& i) { return std::string(i.param); });

TEST_F(JobScripts, SubmitTakesAnyHome) {
  program("sbatch", "echo 4711\n");
  EXPECT_EQ(submit().job, "4711") << text(dir + "/stderr");
  EXPECT_NE(arguments("sbatch").find("--chdir=" + home + "\n--output=" + dir +
                                     "/home %%j $(id) \\ \"x/.hpc-proxy/sessions/" + kSession +
                                     "/job.log\n"),
            std::string::npos)
      << arguments("sbatch") << "SLURM would take %j for the job's id";
  EXPECT_EQ(mode(session_dir), 0700);
  EXPECT_FALSE(inherits("sbatch", "SBATCH_WAIT"));
  EXPECT_FALSE(inherits("sbatch", "LC_ALL")) << "the job would have it, too";
}

TEST_F(JobScripts, SubmitTellsOutputAndErrorsApart) {
  program("sbatch",
          "echo 17; printf '%s\\n' 'sbatch: error: 99 \\c of it' >&2; printf %s 'no end' >&2; "
          "exit 1\n");
  const auto answer = submit();
  EXPECT_EQ(answer.state, SubmitAnswer::State::kUnknown);
  EXPECT_EQ(answer.words, "sbatch ended with status 1") << "the job's id is on standard output";
  program("sbatch",
          "printf '%s\\n' 'sbatch: error: 99 \\c of it' >&2; printf %s 'no end' >&2; exit 1\n");
  EXPECT_EQ(submit(), (SubmitAnswer{SubmitAnswer::State::kRefused, "", "99 \\c of it; no end"}));
  EXPECT_FALSE(std::filesystem::exists(session_dir + "/submitting"));
}

TEST_F(JobScripts, SubmitSaysThatThereIsNoSlurm) {
  EXPECT_EQ(submit().state, SubmitAnswer::State::kNoSlurm);
  EXPECT_FALSE(std::filesystem::exists(home + "/.hpc-proxy")) << "nothing is made for no job";
}

TEST_F(JobScripts, SubmitEndsASbatchThatHangs) {
  program("sbatch", "echo 1\n");
  program("timeout", "exit 124\n");
  EXPECT_EQ(submit(), (SubmitAnswer{SubmitAnswer::State::kBusy, "", "sbatch did not end in time"}));
  EXPECT_TRUE(arguments("timeout").starts_with("-k\n5\n" + std::to_string(kSbatchSecondsMax) +
                                               "\nsbatch\n--parsable\n"));
}

TEST_F(JobScripts, SubmitWithoutTimeoutRunsAllTheSame) {
  std::filesystem::remove(bin + "/timeout");
  program("sbatch", "echo 4711\n");
  EXPECT_EQ(submit().job, "4711");
}

TEST_F(JobScripts, SubmitTightensADirectoryAndRefusesALink) {
  program("sbatch", "echo 4711\n");
  std::filesystem::create_directories(home + "/.hpc-proxy");
  std::filesystem::permissions(home + "/.hpc-proxy", std::filesystem::perms(0775));
  EXPECT_EQ(submit().job, "4711");
  EXPECT_EQ(mode(home + "/.hpc-proxy"), 0700);
  std::filesystem::remove_all(home + "/.hpc-proxy/sessions");
  std::filesystem::create_directories(dir + "/elsewhere");
  std::filesystem::create_symlink(dir + "/elsewhere", home + "/.hpc-proxy/sessions");
  EXPECT_EQ(submit(),
            (SubmitAnswer{SubmitAnswer::State::kRefused, "",
                          "~/.hpc-proxy/sessions is a symbolic link; it must be a directory"}));
  EXPECT_TRUE(std::filesystem::is_empty(dir + "/elsewhere"));
}

TEST_F(JobScripts, SubmitSaysWhyThereCanBeNoDirectory) {
  program("sbatch", "echo 4711\n");
  put(home + "/.hpc-proxy", "a file");
  const auto answer = submit();
  EXPECT_EQ(answer.state, SubmitAnswer::State::kRefused);
  EXPECT_NE(answer.words.find("File exists"), std::string::npos) << answer.words;
}

// ---------------------------------------------------------------------------------------- find
constexpr const char* kSqueueOfId = "id=4711; echo \"${SQUEUE_FORMAT%\\%A*}$id\"\n";

TEST_F(JobScripts, FindAsksSqueueForTheName) {
  program("squeue", kSqueueOfId);
  EXPECT_EQ(find().job, "4711");
  EXPECT_EQ(arguments("squeue"), "--me\n-h\n-t\nall\n-n\n" + kName + "\n");
  for (const char* variable : {"SQUEUE_FORMAT2", "SQUEUE_STATES", "SQUEUE_USERS", "SQUEUE_NAMES"}) {
    EXPECT_FALSE(inherits("squeue", variable)) << variable;
  }
}

TEST_F(JobScripts, FindAsksSacctToo) {
  program("squeue", "");
  program("sacct", "echo 17; echo 4712; echo 9\n");
  EXPECT_EQ(find().job, "4712");
  program("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1\n");
  EXPECT_EQ(find().state, FoundJob::State::kNone);
}

TEST_F(JobScripts, FindKnowsNothingWithoutSqueue) {
  EXPECT_EQ(find().state, FoundJob::State::kUnknown);
  program("squeue",
          "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1\n");
  EXPECT_EQ(find().state, FoundJob::State::kUnknown);
}

TEST_F(JobScripts, FindWaitsForASbatchThatStillRuns) {
  program("squeue", "");
  std::filesystem::create_directories(session_dir);
  put(session_dir + "/submitting", "1\n");
  EXPECT_EQ(find().state, FoundJob::State::kUnknown);
  // As after a power cut: no sbatch lives that long.
  run("touch -d '10 minutes ago' \"$HOME\"/.hpc-proxy/sessions/*/submitting", "");
  EXPECT_EQ(find().state, FoundJob::State::kNone);
}

// ------------------------------------------------------------------------------------- listing
TEST_F(JobScripts, ListingAsksOnceForAllJobs) {
  program("squeue",
          "begin=${SQUEUE_FORMAT%\\%A|*}\n"
          "echo \"${begin}4711|4711|alice|RUNNING|c1|2026-03-01T12:00:00|N/A|None|a comment\"\n"
          "echo 'with a line end'; echo 'slurm_load_jobs error: x' >&2\n"
          "echo \"${begin}8|8|bob|PENDING||N/A|N/A|Priority|$(printf %05000d 7)\"\n");
  const std::vector<std::string> jobs{"4711", "8"};
  const auto got = parse_job_listing(run_script(job_listing_script(jobs, kMarker)), kMarker);
  EXPECT_TRUE(got.answered);
  ASSERT_EQ(got.jobs.size(), 2U);
  EXPECT_EQ(got.jobs[0].comment, "a comment");
  EXPECT_EQ(got.jobs[1].reason, "Priority");
  EXPECT_EQ(arguments("squeue"), "-h\n-t\nall\n-j\n4711,8\n");
  const auto environ = text(bin + "/squeue.env");
  EXPECT_NE(environ.find("SQUEUE_FORMAT=" + kMarker + " job %A|%i|%u|%T|%N|%S|%e|%r|%k\n"),
            std::string::npos);
  for (const char* variable : {"TZ=UTC", "LC_ALL=C", "SLURM_TIME_FORMAT=standard"}) {
    EXPECT_NE(environ.find(variable), std::string::npos) << variable;
  }
  EXPECT_FALSE(inherits("squeue", "SQUEUE_USERS"));
}

TEST_F(JobScripts, ListingSaysWhatSqueueSaid) {
  const std::vector<std::string> jobs{"4711"};
  const auto listing = [&] {
    return parse_job_listing(run_script(job_listing_script(jobs, kMarker)), kMarker);
  };
  EXPECT_EQ(listing().trouble, "there is no squeue");
  program("squeue", "echo 'slurm_load_jobs error: Socket timed out' >&2; exit 1\n");
  EXPECT_EQ(listing().trouble, "Socket timed out");
  program("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1\n");
  EXPECT_TRUE(listing().answered);
  program("squeue", "yes rubbish | head -n 100000; exit 3\n");
  std::filesystem::create_symlink("/usr/bin/yes", bin + "/yes");
  EXPECT_EQ(listing().trouble, "rubbish");
  EXPECT_LT(run_script(job_listing_script(jobs, kMarker)).size(), 2000U) << "bounded there";
}

// ----------------------------------------------------------------------------------------- end
// squeue says the next line of its file "states" each time, the last one for ever.
constexpr const char* kSqueueStates =
    "head -n 1 \"$0.states\" | sed 's/,/\\n/g'; sed -i '1{$!d}' \"$0.states\"\n";

struct EndJob : JobScripts {
  EndJob() {
    program("sleep", "");
    // So many seconds pass at each look.
    put(bin + "/date.step", "5");
    program("date",
            "n=$(cat \"$0.now\" 2>/dev/null || echo 100); echo $((n + $(cat \"$0.step\"))) | tee "
            "\"$0.now\"\n");
    std::filesystem::create_symlink("/usr/bin/tee", bin + "/tee");
    program("scancel", "");
    std::filesystem::create_directories(session_dir + "/deep");
    std::filesystem::create_directories(home + "/.hpc-proxy/jobs");
    std::filesystem::create_directories(home + "/.hpc-proxy/sessions/other");
    put(session_dir + "/deep/file", "x");
    put(home + "/.hpc-proxy/jobs/4711.json", "{}");
    put(home + "/.hpc-proxy/jobs/8.json", "{}");
  }
  void states(const std::string& lines) const {
    program("squeue", kSqueueStates);
    put(bin + "/squeue.states", lines);
  }
  bool removed() const {
    EXPECT_TRUE(std::filesystem::exists(home + "/.hpc-proxy/jobs/8.json"));
    EXPECT_TRUE(std::filesystem::exists(home + "/.hpc-proxy/sessions/other"));
    const bool record = std::filesystem::exists(home + "/.hpc-proxy/jobs/4711.json");
    EXPECT_EQ(record, std::filesystem::exists(session_dir));
    return !record;
  }
};

TEST_F(EndJob, WaitsUntilTheJobIsOverAndRemovesWhatItLeft) {
  states("4711 RUNNING\n4711 COMPLETING\n4711 COMPLETING\n4711 CANCELLED\n");
  EXPECT_TRUE(end("4711").has_value());
  EXPECT_EQ(arguments("scancel"), "--name=" + kName + "\n4711\n") << "once";
  EXPECT_TRUE(removed());
  for (const char* variable : {"SCANCEL_INTERACTIVE", "SCANCEL_STATE", "SCANCEL_NAME"}) {
    EXPECT_FALSE(inherits("scancel", variable)) << variable;
  }
}

TEST_F(EndJob, CancelsNothingButTheJobOfThatId) {
  states("8 RUNNING\n");
  EXPECT_TRUE(end("4711").has_value());
  EXPECT_EQ(arguments("scancel"), "");
  EXPECT_TRUE(removed());
}

TEST_F(EndJob, WithoutAnIdCancelsAllOfThatName) {
  states("4711 PENDING,4712 RUNNING,9 FAILED\n4711 CANCELLED,4712 CANCELLED,9 FAILED\n");
  EXPECT_TRUE(end("").has_value());
  EXPECT_EQ(arguments("scancel"), "--name=" + kName + "\n4711\n--name=" + kName + "\n4712\n");
  EXPECT_TRUE(removed());
}

TEST_F(EndJob, WithoutAnIdWaitsForASbatchThatStillRuns) {
  states("\n");
  put(session_dir + "/submitting", "1\n");
  const auto ended = end("");
  ASSERT_FALSE(ended.has_value());
  EXPECT_EQ(ended.error().detail, "the job still ends (SUBMITTING)");
  EXPECT_FALSE(removed());
}

TEST_F(EndJob, GivesUpOnAJobThatDoesNotEnd) {
  states("4711 COMPLETING\n");
  const auto ended = end("4711");
  ASSERT_FALSE(ended.has_value());
  EXPECT_EQ(ended.error().code, Errc::kUnavailable);
  EXPECT_EQ(ended.error().detail, "the job still ends (COMPLETING)");
  EXPECT_EQ(arguments("scancel"), "") << "it ends already";
  EXPECT_FALSE(removed());
}

TEST_F(EndJob, AsksOnceMoreForAJobThatWasNotCancelled) {
  states("4711 RUNNING\n");
  put(bin + "/date.step", "1");
  program("scancel", "echo 'scancel: error: Access/permission denied' >&2; exit 1\n");
  const auto ended = end("4711");
  ASSERT_FALSE(ended.has_value());
  EXPECT_EQ(ended.error().detail, "the job still ends (RUNNING): Access/permission denied");
  EXPECT_EQ(arguments("scancel"), "--name=" + kName + "\n4711\n--name=" + kName + "\n4711\n");
}

TEST_F(EndJob, RemovesNothingWhileSlurmIsAway) {
  program("squeue", "echo 'slurm_load_jobs error: Socket timed out' >&2; exit 1\n");
  const auto ended = end("4711");
  ASSERT_FALSE(ended.has_value());
  EXPECT_EQ(ended.error().detail, "SLURM did not answer: Socket timed out");
  EXPECT_FALSE(removed());
  std::filesystem::remove(bin + "/squeue");
  EXPECT_FALSE(end("4711").has_value());
  EXPECT_FALSE(removed());
}

TEST_F(EndJob, ARequeuedJobIsNotOver) {
  states("4711 COMPLETING\n4711 PENDING\n4711 CANCELLED\n");
  EXPECT_TRUE(end("4711").has_value());
  EXPECT_TRUE(removed());
}

TEST_F(EndJob, FollowsNoLink) {
  states("4711 CANCELLED\n");
  const auto elsewhere = dir + "/elsewhere";
  std::filesystem::create_directories(elsewhere + "/" + kSession);
  put(elsewhere + "/" + kSession + "/file", "x");
  put(elsewhere + "/4711.json", "x");
  std::filesystem::create_directory_symlink(elsewhere, session_dir + "/link");
  EXPECT_TRUE(end("4711").has_value());
  EXPECT_TRUE(removed());
  for (const char* name : {"sessions", "jobs"}) {
    std::filesystem::remove_all(home + "/.hpc-proxy/" + name);
    std::filesystem::create_directory_symlink(elsewhere, home + "/.hpc-proxy/" + name);
  }
  EXPECT_TRUE(end("4711").has_value());
  std::filesystem::remove_all(home + "/.hpc-proxy");
  std::filesystem::create_directories(elsewhere + "/sessions/" + kSession);
  std::filesystem::create_directory_symlink(elsewhere, home + "/.hpc-proxy");
  EXPECT_TRUE(end("4711").has_value());
  EXPECT_TRUE(std::filesystem::exists(elsewhere + "/" + kSession + "/file"));
  EXPECT_TRUE(std::filesystem::exists(elsewhere + "/4711.json"));
  EXPECT_TRUE(std::filesystem::exists(elsewhere + "/sessions/" + kSession));
}

// ---------------------------------------------------------------------------------------- fate
TEST_F(JobScripts, FateAsksTheAccountingOnlyForAJobThatLeftTheList) {
  const auto fate = [&] {
    return parse_job_fate(run_script(job_fate_script("4711", kMarker)), kMarker);
  };
  EXPECT_EQ(fate().fate, JobFate::kUnknown) << "there is no SLURM";
  program("sacct", "echo 'CANCELLED by 20001'\n");
  program("scontrol", "echo 'JobId=4711 JobName=x JobState=RUNNING Reason=None'\n");
  program("squeue", "echo RUNNING\n");
  EXPECT_EQ(fate().fate, JobFate::kRunning);
  EXPECT_FALSE(inherits("squeue", "SQUEUE_USERS"));
  EXPECT_EQ(arguments("sacct"), "");
  program("scontrol", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1\n");
  program("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1\n");
  EXPECT_EQ(fate().word, "CANCELLED by 20001");
  EXPECT_EQ(arguments("sacct"), "-n\n-X\n-P\n-j\n4711\n-o\nState\n");
  program("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1\n");
  EXPECT_EQ(fate().fate, JobFate::kGone);
  EXPECT_EQ(fate().word, "");
}

// ------------------------------------------------------------------------------ extend and log
TEST_F(JobScripts, ExtendAsksScontrol) {
  const auto extend = [&] {
    return parse_extend_job(run_script(extend_job_script("4711", 30, kMarker)), kMarker);
  };
  EXPECT_EQ(extend().error().detail, "there is no scontrol");
  program("scontrol", "");
  EXPECT_TRUE(extend().has_value());
  EXPECT_EQ(arguments("scontrol"), "update\nJobId=4711\nTimeLimit=+30\n");
  program("scontrol", "echo 'Access/permission denied for job 4711' >&2; exit 1\n");
  EXPECT_EQ(extend().error().code, Errc::kForbidden);
}

TEST_F(JobScripts, ALogComesByteForByte) {
  const auto log = [&](std::uint64_t offset) {
    return parse_job_log(run_script(job_log_script(kSession, offset, kMarker)), kMarker);
  };
  EXPECT_EQ(log(0).error().code, Errc::kNotFound);
  std::string bytes("\0\xff\r\n\n", 5);
  bytes += std::string(64, 'f') + " end\n\n";
  std::filesystem::create_directories(session_dir);
  put(session_dir + "/job.log", bytes);
  for (std::size_t offset = 0; offset <= bytes.size(); offset += bytes.size() / 6) {
    const auto part = log(offset);
    ASSERT_TRUE(part.has_value()) << offset;
    EXPECT_EQ(part->bytes, bytes.substr(offset));
    EXPECT_EQ(part->offset, offset);
    EXPECT_EQ(part->size, bytes.size());
  }
  EXPECT_EQ(log(bytes.size() + 7)->bytes, "");
  EXPECT_EQ(log(kJobLogTail - 1)->bytes, "");
  EXPECT_EQ(log(kJobLogTail)->bytes, bytes);
}

TEST_F(JobScripts, ALongLogIsCut) {
  std::filesystem::create_directories(session_dir);
  put(session_dir + "/job.log", std::string(100'000, 'a') + std::string(kJobLogBytesMax, 'b'));
  const auto log = [&](std::uint64_t offset) {
    return parse_job_log(run_script(job_log_script(kSession, offset, kMarker)), kMarker).value();
  };
  EXPECT_EQ(log(kJobLogTail).bytes, std::string(kJobLogBytesMax, 'b'));
  EXPECT_EQ(log(kJobLogTail).offset, 100'000U);
  EXPECT_EQ(log(0).bytes, std::string(kJobLogBytesMax, 'a'));
  EXPECT_EQ(log(0).size, 100'000 + kJobLogBytesMax);
}

TEST_F(JobScripts, ALogThatIsALinkIsNone) {
  std::filesystem::create_directories(session_dir);
  put(dir + "/secret", "x");
  std::filesystem::create_symlink(dir + "/secret", session_dir + "/job.log");
  const auto script = job_log_script(kSession, 0, kMarker);
  EXPECT_EQ(parse_job_log(run_script(script), kMarker).error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace hpc
