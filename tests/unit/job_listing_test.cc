#include "manager/slurm/job_listing.h"

#include <gtest/gtest.h>

#include "manager/slurm/slurm_answer.h"

namespace hpc {
namespace {

const std::string kMarker(64, 'a');

std::string row(const std::string& fields) { return kMarker + " job " + fields + "\n"; }

std::string report(const std::string& lines, const std::string& status = "0") {
  return "Welcome\n\n" + kMarker + " begin\n" + lines + "\n" + kMarker + " status " + status +
         "\n\n" + kMarker + " end\nlogout\n";
}

JobListing listing(const std::string& lines, const std::string& status = "0") {
  return parse_job_listing(report(lines, status), kMarker);
}

const std::string kRunning =
    "4711|4711|alice|RUNNING|c1|2026-03-01T12:00:00|2026-03-01T14:00:00|None|hpc1 c1:40001";

TEST(JobListingTest, ARunningJob) {
  const auto got = listing(row(kRunning));
  EXPECT_TRUE(got.answered);
  EXPECT_EQ(got.trouble, "");
  ASSERT_EQ(got.jobs.size(), 1U);
  const ListedJob want{"4711", "alice",         "RUNNING",         "c1",
                       "",     "hpc1 c1:40001", 1'772'366'400'000, 1'772'373'600'000};
  EXPECT_EQ(got.jobs.front(), want);
}

TEST(JobListingTest, AWaitingJobHasNeitherNodeNorTimes) {
  const auto got = listing(row("8|8|bob|PENDING||N/A|N/A|Priority|(null)"));
  ASSERT_EQ(got.jobs.size(), 1U);
  const ListedJob want{"8", "bob", "PENDING", "", "Priority", "", std::nullopt, std::nullopt};
  EXPECT_EQ(got.jobs.front(), want);
}

TEST(JobListingTest, WhatIsNoTimeIsNone) {
  for (const char* text : {"", "N/A", "NONE", "Unknown", "UNLIMITED", "2026-13-01T00:00:00",
                           "2026-03-01 12:00:00", "12:00:00", "2026-03-01T12:00:00Z"}) {
    const auto got = listing(row("8|8|bob|RUNNING|c1|" + std::string(text) + "|x|None|"));
    ASSERT_EQ(got.jobs.size(), 1U) << text;
    EXPECT_EQ(got.jobs.front().starts_at, std::nullopt) << text;
    EXPECT_EQ(got.jobs.front().ends_at, std::nullopt) << text;
  }
}

TEST(JobListingTest, TasksOfAnArrayAreListedUnderBothIds) {
  const auto got = listing(row("4712|4711_3|alice|RUNNING|c1|N/A|N/A|None|") +
                           row("4711|4711_[4-9]|alice|PENDING||N/A|N/A|Resources|"));
  ASSERT_EQ(got.jobs.size(), 3U);
  EXPECT_EQ(got.jobs[0].id, "4712");
  EXPECT_EQ(got.jobs[1].id, "4711_3");
  EXPECT_EQ(got.jobs[2].id, "4711");
  EXPECT_EQ(got.jobs[2].state, "PENDING");
}

TEST(JobListingTest, PartsOfAHeterogeneousJobHaveIdsOfTheirOwn) {
  const auto got = listing(row("4711|4711+0|alice|RUNNING|c1|N/A|N/A|None|") +
                           row("4712|4711+1|alice|RUNNING|c2|N/A|N/A|None|"));
  ASSERT_EQ(got.jobs.size(), 2U);
  EXPECT_EQ(got.jobs[0].id, "4711");
  EXPECT_EQ(got.jobs[1].id, "4712");
}

TEST(JobListingTest, OnlySqueuesSuccessIsAnAnswer) {
  EXPECT_TRUE(listing("").answered);
  EXPECT_TRUE(listing("slurm_load_jobs error: Invalid job id specified", "1").answered)
      << "the only id of the question is not known";
  const auto away = listing("slurm_load_jobs error: Unable to contact slurm controller (x)", "1");
  EXPECT_FALSE(away.answered);
  EXPECT_EQ(away.trouble, "Unable to contact slurm controller (x)");
  const auto absent = listing("sh: 9: squeue: not found", "127");
  EXPECT_FALSE(absent.answered);
  EXPECT_EQ(absent.trouble, "there is no squeue");
  EXPECT_EQ(listing("", "3").trouble, "squeue ended with status 3");
  EXPECT_EQ(listing("\x1b[2Jx\n", "1").trouble, "?[2Jx");
  const auto half = listing(row(kRunning) + "slurm_load_jobs error: Invalid job id specified", "1");
  EXPECT_FALSE(half.answered);
  EXPECT_TRUE(half.jobs.empty());
}

TEST(JobListingTest, ALineEndInACommentMakesNoJob) {
  const auto got = listing(row("8|8|mallory|RUNNING|c1|N/A|N/A|None|x") +
                           "4711|4711|alice|FAILED|c1|N/A|N/A|None|\n" + "end\n" +
                           std::string(64, 'b') + " job 4711|4711|alice|FAILED|c1|N/A|N/A|None|\n");
  ASSERT_EQ(got.jobs.size(), 1U);
  EXPECT_EQ(got.jobs.front().comment, "x");
}

TEST(JobListingTest, AnythingMayBeInAComment) {
  const auto got = listing(row("8|8|bob|RUNNING|c1|N/A|N/A|None|a|b|\xc3\x1b[m"));
  ASSERT_EQ(got.jobs.size(), 1U);
  EXPECT_EQ(got.jobs.front().comment, "a|b|??[m");
}

TEST(JobListingTest, TextsAreCutAtTheirBounds) {
  const std::string x(2000, 'x');
  const auto got = listing(row("8|8|" + x + "|RUNNING|" + x + "|N/A|N/A|" + x + "|" + x));
  ASSERT_EQ(got.jobs.size(), 1U);
  EXPECT_EQ(got.jobs.front().user.size(), 64U);
  EXPECT_EQ(got.jobs.front().nodes.size(), 256U);
  EXPECT_EQ(got.jobs.front().reason.size(), 200U);
  EXPECT_EQ(got.jobs.front().comment.size(), 300U);
}

TEST(JobListingTest, RubbishIsNoJob) {
  for (const char* fields : {"", "|", "||||||||", "x|y|alice|RUNNING|c1|||None|", "8", "8|8|alice",
                             "8|8|alice|running|c1", "8|8|alice|RUNNING+|c1", "8|8|alice||c1",
                             "-8|-8|alice|RUNNING|c1", "mixed*|idle~"}) {
    EXPECT_TRUE(listing(row(fields)).jobs.empty()) << fields;
  }
  EXPECT_TRUE(listing(row("8|8|alice|" + std::string(33, 'R') + "|c1|N/A|N/A|None|")).jobs.empty());
  EXPECT_EQ(listing(row("8|8|alice|" + std::string(32, 'R') + "|c1|N/A|N/A|None|")).jobs.size(),
            1U);
}

TEST(JobListingTest, ACutAnswerIsNone) {
  const auto whole = report(row(kRunning) + row("8|8|bob|PENDING||N/A|N/A|Priority|"));
  const auto answered = whole.find("logout");
  for (std::size_t cut = 0; cut < answered; ++cut) {
    const auto got = parse_job_listing(whole.substr(0, cut), kMarker);
    EXPECT_FALSE(got.answered) << cut;
    EXPECT_TRUE(got.jobs.empty()) << cut;
    EXPECT_EQ(got.trouble, "the answer of the login node was cut short") << cut;
  }
  EXPECT_EQ(parse_job_listing(whole.substr(0, answered), kMarker).jobs.size(), 2U);
}

TEST(JobListingTest, TenMegabytesAreBounded) {
  std::string lines;
  while (lines.size() < std::size_t{10} * 1024 * 1024) lines += row(kRunning);
  const auto got = listing(lines);
  EXPECT_TRUE(got.answered);
  EXPECT_EQ(got.jobs.size(), 10 * kListedJobsMax);
}

TEST(JobListingTest, TheScriptBeginsWithMarkerAndJobs) {
  const std::vector<std::string> jobs{"4711", "4712_3"};
  const auto script = job_listing_script(jobs, kMarker);
  EXPECT_TRUE(script.starts_with("marker=" + kMarker + "\njobs=4711,4712_3\n")) << script;
}

TEST(JobListingTest, NoScriptForWhatIsNoQuestion) {
  const auto script = [](const std::vector<std::string>& jobs, const std::string& marker) {
    return job_listing_script(jobs, marker);
  };
  EXPECT_EQ(script({}, kMarker), kNoScript);
  EXPECT_EQ(script({"4711;id"}, kMarker), kNoScript);
  EXPECT_EQ(script({"login01-4711", "4711", "$(id)"}, kMarker), script({"4711"}, kMarker));
  EXPECT_EQ(script({"4711"}, "a b"), kNoScript);
  EXPECT_NE(script(std::vector<std::string>(kListedJobsMax, "4711"), kMarker), kNoScript);
  EXPECT_EQ(script(std::vector<std::string>(kListedJobsMax + 1, "4711"), kMarker), kNoScript);
}

}  // namespace
}  // namespace hpc
