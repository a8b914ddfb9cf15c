#include "node-proxy/job.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "node-proxy/url_template.h"
#include "node-proxy/verbs.h"

namespace hpc {
namespace {

using Variables = std::map<std::string, std::string>;

Result<JobIdentity> identity(const Variables& variables, RecordKind kind = RecordKind::kServe) {
  return job_identity(
      [&](const char* name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        if (found == variables.end()) return std::nullopt;
        return found->second;
      },
      "node-07", 4711, kind);
}

TEST(JobIdentityTest, OutsideSlurmItIsHostAndProcess) {
  const auto got = identity({});
  EXPECT_EQ(got->id, "node-07-4711");
  EXPECT_EQ(got->job_id, "node-07-4711");
  EXPECT_FALSE(got->in_slurm);
}

TEST(JobIdentityTest, BatchScriptIsTheJobItself) {
  const auto got = identity({{"SLURM_JOB_ID", "77"},
                             {"SLURM_NODEID", "0"},
                             {"SLURMD_NODENAME", "c1"},
                             {"SLURM_JOB_END_TIME", "1772366400"}});
  EXPECT_EQ(got->id, "77");
  EXPECT_EQ(got->slurm_node, "c1");
  EXPECT_EQ(got->job_end, "2026-03-01T12:00:00.000Z");
}

TEST(JobIdentityTest, AnotherNodeOrStepHasANameOfItsOwn) {
  EXPECT_EQ(identity({{"SLURM_JOB_ID", "77"}, {"SLURM_NODEID", "1"}})->id, "77-node-07-4711");
  EXPECT_EQ(identity({{"SLURM_JOB_ID", "77"}, {"SLURM_STEP_ID", "0"}})->id, "77-node-07-4711");
  EXPECT_EQ(identity({{"SLURM_JOB_ID", "77"}, {"SLURM_STEP_ID", "0"}})->job_id, "77");
  EXPECT_EQ(identity({{"SLURM_JOB_ID", "77"}, {"SLURM_STEP_ID", "4294967290"}})->id, "77");
}

TEST(JobIdentityTest, TheFirstShellOfAJobSpeaksForIt) {
  const Variables batch = {{"SLURM_JOB_ID", "77"}, {"SLURM_NODEID", "0"}};
  EXPECT_TRUE(identity(batch)->in_first_shell);
  EXPECT_TRUE(identity({{"SLURM_JOB_ID", "77"}, {"SLURM_STEP_ID", "4294967290"}})->in_first_shell);
  EXPECT_FALSE(identity({{"SLURM_JOB_ID", "77"}, {"SLURM_STEP_ID", "0"}})->in_first_shell);
  EXPECT_FALSE(identity({{"SLURM_JOB_ID", "77"}, {"SLURM_NODEID", "1"}})->in_first_shell);
  EXPECT_FALSE(identity({})->in_first_shell);
}

TEST(JobIdentityTest, RunHasANameOfItsOwnAndTheJobsNumber) {
  const auto got = identity({{"SLURM_JOB_ID", "77"}, {"SLURM_NODEID", "0"}}, RecordKind::kRun);
  EXPECT_EQ(got->id, "77-node-07-4711");
  EXPECT_EQ(got->job_id, "77");
  EXPECT_EQ(identity({}, RecordKind::kRun)->id, "node-07-4711") << "the process is in it already";
}

TEST(JobIdentityTest, RefusesAnIdThatIsAPath) {
  EXPECT_FALSE(identity({{"SLURM_JOB_ID", "../../x"}}).has_value());
}

TEST(JobIdentityTest, OddValuesAreLeftOut) {
  const auto got = identity(
      {{"SLURM_JOB_ID", "77"}, {"SLURMD_NODENAME", "a b"}, {"SLURM_JOB_END_TIME", "soon"}});
  EXPECT_FALSE(got->slurm_node || got->job_end);
}

TEST(SqueueEndTest, LocalTimeBecomesUtc) {
  setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
  tzset();
  EXPECT_EQ(parse_squeue_end("2026-03-01T20:00:00\n"), "2026-03-01T19:00:00.000Z");
  EXPECT_EQ(parse_squeue_end("2026-07-01T20:00:00\n"), "2026-07-01T18:00:00.000Z");
  unsetenv("TZ");
  tzset();
}

TEST(SqueueEndTest, NoEndIsNoTime) {
  for (const char* text : {"", "N/A\n", "NONE\n", "Unknown", "2026-03-01", "2026-13-01T20:00:00"}) {
    EXPECT_EQ(parse_squeue_end(text), std::nullopt) << text;
  }
}

StoredRecord stored(const char* id, const char* job, const char* started) {
  JobRecord record;
  record.job_id = job;
  record.started_at = started;
  return {id, record};
}

TEST(ChooseRecordTest, OwnJobFirstThenTheNewest) {
  const std::vector<StoredRecord> live = {stored("1", "1", "2026-03-01T12:00:00Z"),
                                          stored("2", "2", "2026-03-01T13:00:00.5Z"),
                                          stored("3", "3", "2026-03-01T13:00:00Z")};
  EXPECT_EQ(choose_record(live, "1", "")->id, "1");
  EXPECT_EQ(choose_record(live, "", "")->id, "2");
  EXPECT_EQ(choose_record(live, "99", "")->id, "2");
  EXPECT_FALSE(choose_record({}, "1", "1").has_value());
}

TEST(ChooseRecordTest, InsideOfARunItIsThatOne) {
  const std::vector<StoredRecord> live = {stored("7", "7", "2026-03-01T12:00:00Z"),
                                          stored("7-n-10", "7", "2026-03-01T13:00:00Z"),
                                          stored("7-n-11", "7", "2026-03-01T14:00:00Z")};
  EXPECT_EQ(choose_record(live, "7", "7-n-10")->id, "7-n-10");
  EXPECT_EQ(choose_record(live, "", "7-n-10")->id, "7-n-10");
  EXPECT_EQ(choose_record(live, "7", "")->id, "7-n-11");
  // A run that has ended, or whose records are in another directory.
  EXPECT_EQ(choose_record(live, "7", "7-n-12")->id, "7-n-11");
  EXPECT_EQ(choose_record({live[1]}, "7", "")->id, "7-n-10") << "the only one of the job";
}

TEST(ChooseRecordTest, JobThatWasSubmittedFromARunIsNotInIt) {
  const std::vector<StoredRecord> live = {stored("8", "8", "2026-03-01T12:00:00Z"),
                                          stored("7-n-10", "7", "2026-03-01T13:00:00Z")};
  EXPECT_EQ(choose_record(live, "8", "7-n-10")->id, "8");
}

TEST(VerbTextTest, UrlAndEnv) {
  EXPECT_EQ(fill_url("/port/{port}/", "5500"), "http://127.0.0.1:9000/port/5500/");
  EXPECT_EQ(fill_url("https://h/user/u/c/i/port/{port}/", "80"), "https://h/user/u/c/i/port/80/");
  EXPECT_EQ(env_lines(41234, "/port/{port}/"),
            "export HPC_PROXY_PORT=41234\n"
            "export HPC_PROXY_URL_TEMPLATE='/port/{port}/'\n"
            "export VSCODE_PROXY_URI='/port/{{port}}/'\n");
}

}  // namespace
}  // namespace hpc
