#include "manager/slurm/job_fate.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace hpc {
namespace {

const std::string kMarker(64, 'a');

std::string report(const std::string& lines) {
  return "Welcome to login01\n\n" + kMarker + " begin\n" + lines + kMarker + " end\nlogout\n";
}

JobFate fate(const std::string& lines) { return parse_job_fate(report(lines), kMarker).fate; }

const std::string kBothDeny = "q=slurm_load_jobs error: Invalid job id specified\ns=Invalid\n";

TEST(JobFate, EveryStateOfSqueue) {
  for (const char* word : {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD",
                           "RESV_DEL_HOLD", "SPECIAL_EXIT", "SUSPENDED", "STOPPED"}) {
    EXPECT_EQ(fate("q=" + std::string(word) + "\n"), JobFate::kWaiting) << word;
  }
  for (const char* word : {"RUNNING", "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT"}) {
    EXPECT_EQ(fate("q=" + std::string(word) + "\n"), JobFate::kRunning) << word;
  }
  for (const char* word : {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED",
                           "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY", "REVOKED"}) {
    const auto answer = parse_job_fate(report("q=" + std::string(word) + "\n"), kMarker);
    EXPECT_EQ(answer.fate, JobFate::kGone) << word;
    EXPECT_EQ(answer.word, word);
  }
}

TEST(JobFate, GoneOnlyWhereSlurmSaysSo) {
  EXPECT_EQ(fate(kBothDeny), JobFate::kGone);
  EXPECT_EQ(fate("q=slurm_load_jobs error: Invalid job id specified\n"), JobFate::kUnknown)
      << "squeue alone: the job has left its list, which the other may still know";
  EXPECT_EQ(fate("s=Invalid\n"), JobFate::kUnknown);
  EXPECT_EQ(fate("q=slurm_load_jobs error: Unable to contact slurm controller\n"),
            JobFate::kUnknown);
  EXPECT_EQ(fate(""), JobFate::kUnknown);
  EXPECT_EQ(fate("q=sh: squeue: command not found\n"), JobFate::kUnknown);
  EXPECT_EQ(fate("q=completed\n"), JobFate::kUnknown);
  EXPECT_EQ(fate("q=COMPLETED+\n"), JobFate::kUnknown);
  EXPECT_EQ(fate("q=" + std::string(10'000, 'C') + "\n"), JobFate::kUnknown);
}

TEST(JobFate, ScontrolSpeaksWhereSqueueDoesNot) {
  EXPECT_EQ(fate("q=slurm_load_jobs error: Invalid job id specified\ns=CANCELLED\n"),
            JobFate::kGone);
  EXPECT_EQ(fate("q=slurm_load_jobs error: Invalid job id specified\ns=PENDING\n"),
            JobFate::kWaiting);
  EXPECT_EQ(fate("q=RUNNING\ns=CANCELLED\n"), JobFate::kRunning);
}

TEST(JobFate, TheAccountingHasTheLastWordOnAJobThatLeftTheList) {
  const std::string denied = "q=slurm_load_jobs error: Invalid job id specified\n";
  for (const char* word :
       {"COMPLETED", "TIMEOUT", "NODE_FAIL", "CANCELLED by 20001", "CANCELLED", "OUT_OF_MEMORY"}) {
    const auto answer = parse_job_fate(report(denied + "s=Invalid\na=" + word + "\n"), kMarker);
    EXPECT_EQ(answer.fate, JobFate::kGone) << word;
    EXPECT_EQ(answer.word, word);
  }
  EXPECT_EQ(fate(denied + "a=TIMEOUT\n"), JobFate::kGone) << "a site where scontrol is not for all";
}

TEST(JobFate, TheAccountingAloneSaysNothing) {
  EXPECT_EQ(fate("a=TIMEOUT\n"), JobFate::kUnknown);
  EXPECT_EQ(fate("q=slurm_load_jobs error: Unable to contact slurm controller\na=TIMEOUT\n"),
            JobFate::kUnknown);
  EXPECT_EQ(fate("q=PENDING\ns=PENDING\na=NODE_FAIL\n"), JobFate::kWaiting)
      << "requeued: its first run has failed";
  EXPECT_EQ(fate("q=slurm_load_jobs error: Invalid job id specified\na=RUNNING\n"),
            JobFate::kUnknown);
  const auto late = parse_job_fate(report(kBothDeny + "a=RUNNING\n"), kMarker);
  EXPECT_EQ(late.fate, JobFate::kGone);
  EXPECT_EQ(late.word, "");
}

TEST(JobFate, WhatIsNoWordOfTheAccountingIsNotShown) {
  for (const char* word :
       {"", "Slurm accounting storage is disabled", "CANCELLED by root", "CANCELLED by ",
        "CANCELLED by 1 by 2", "TIMEOUT\x1b[m", "CANCELLED by 10000000000000000000000000000"}) {
    const auto answer =
        parse_job_fate(report(kBothDeny + "a=" + std::string(word) + "\n"), kMarker);
    EXPECT_EQ(answer.fate, JobFate::kGone) << word;
    EXPECT_EQ(answer.word, "") << word;
  }
}

TEST(JobFate, AJobOfSeveralPartsLivesAsLongAsOneOfThem) {
  EXPECT_EQ(fate("q=COMPLETED\nq=RUNNING\nq=FAILED\n"), JobFate::kRunning);
  EXPECT_EQ(fate("q=COMPLETED\nq=PENDING\nq=RUNNING\n"), JobFate::kWaiting);
}

TEST(JobFate, ACutOutputIsNoAnswer) {
  const auto whole = report("q=CANCELLED\n");
  const auto answered = whole.find("logout");
  for (std::size_t size = 0; size < answered; ++size) {
    EXPECT_EQ(parse_job_fate(whole.substr(0, size), kMarker).fate, JobFate::kUnknown) << size;
  }
  EXPECT_EQ(parse_job_fate(whole.substr(0, answered), kMarker).fate, JobFate::kGone);
  EXPECT_EQ(parse_job_fate(whole, std::string(64, 'b')).fate, JobFate::kUnknown);
  EXPECT_EQ(parse_job_fate(kMarker + " end\n\n" + kMarker + " begin\nq=FAILED\n", kMarker).fate,
            JobFate::kUnknown);
}

TEST(JobFate, JobIds) {
  for (const char* good : {"1", "4711", "4711_3", "99999999"}) {
    EXPECT_TRUE(is_slurm_job_id(good)) << good;
  }
  for (const char* bad : {"", "0", "-1", "4711;id", "4711_", "_3", "1_2_3", "c1-77", "4711 ",
                          "4711\n", "$(id)", "login01-4711"}) {
    EXPECT_FALSE(is_slurm_job_id(bad)) << bad;
  }
  EXPECT_TRUE(is_slurm_job_id(std::string(40, '1')));
  EXPECT_FALSE(is_slurm_job_id(std::string(41, '1')));
}

TEST(JobFate, TheScriptBeginsWithMarkerAndJob) {
  const auto script = job_fate_script("4711_3", kMarker);
  EXPECT_TRUE(script.starts_with("marker=" + kMarker + "\njob=4711_3\n")) << script;
}

TEST(JobFate, OfAWord) {
  EXPECT_EQ(job_fate_of("PENDING"), JobFate::kWaiting);
  EXPECT_EQ(job_fate_of("COMPLETING"), JobFate::kRunning);
  EXPECT_EQ(job_fate_of("TIMEOUT"), JobFate::kGone);
  for (const auto* word : {"", "pending", "PENDING ", "PENDINGS"}) {
    EXPECT_EQ(job_fate_of(word), JobFate::kUnknown) << word;
  }
  EXPECT_EQ(job_fate_of(std::string(kJobStateBytesMax + 1, 'P')), JobFate::kUnknown);
}

}  // namespace
}  // namespace hpc
