#include "manager/session/job_texts.h"

#include <gtest/gtest.h>

#include <string>

namespace hpc {
namespace {

constexpr std::int64_t kNow = 1'795'251'600'000;  // 2026-11-21T09:00:00Z
constexpr std::int64_t kHour = 3'600'000;

TEST(JobTexts, WhatAJobWaitsFor) {
  ListedJob job;
  job.state = "PENDING";
  EXPECT_EQ(waiting_text(job, kNow), "pending");
  job.reason = "None";
  EXPECT_EQ(waiting_text(job, kNow), "pending");
  job.reason = "Priority";
  EXPECT_EQ(waiting_text(job, kNow), "pending: Priority");
  job.starts_at = kNow + 5 * kHour + 5 * 60'000;
  EXPECT_EQ(waiting_text(job, kNow), "pending: Priority, starts about 14:05 UTC");
  job.starts_at = kNow + 24 * kHour;
  EXPECT_EQ(waiting_text(job, kNow), "pending: Priority, starts about 2026-11-22 09:00 UTC");
  job.reason.clear();
  job.starts_at = kNow + kHour;
  EXPECT_EQ(waiting_text(job, kNow), "pending: starts about 10:00 UTC");
  job.starts_at = kNow;  // not in the future: an estimate that has passed
  EXPECT_EQ(waiting_text(job, kNow), "pending");
  job.state = "REQUEUED";
  EXPECT_EQ(waiting_text(job, kNow), "pending (REQUEUED)");
}

TEST(JobTexts, HowAJobEnded) {
  EXPECT_EQ(job_over_text("4711", ""), "job 4711 has ended");
  EXPECT_EQ(job_over_text("4711", "TIMEOUT"),
            "job 4711 has ended (TIMEOUT): it reached its time limit");
  EXPECT_EQ(job_over_text("4711", "CANCELLED by 1001"),
            "job 4711 has ended (CANCELLED by 1001): it was cancelled");
  EXPECT_EQ(job_over_text("4711", "CANCELLEDX"), "job 4711 has ended (CANCELLEDX)");
  EXPECT_EQ(job_over_text("4711", "REVOKED"), "job 4711 has ended (REVOKED)");
}

TEST(JobTexts, TheTailOfALog) {
  EXPECT_EQ(log_tail(""), "");
  EXPECT_EQ(log_tail("\n\n  \n"), "");
  EXPECT_EQ(log_tail("one\n\ntwo\r\n"), "one\ntwo");
  EXPECT_EQ(log_tail("no end"), "no end");
  EXPECT_EQ(log_tail("a\x1b[31mred\x07\tb\xc3\xa4\n"), "a?[31mred? b??");
  std::string many;
  for (std::size_t i = 0; i <= kLogTailLines; ++i) many += std::to_string(i) + "\n";
  EXPECT_EQ(log_tail(many).substr(0, 4), "1\n2\n");
  EXPECT_EQ(log_tail(std::string(kLogTailBytes, 'x')).size(), kLogTailBytes);
  EXPECT_EQ(log_tail(std::string(kLogTailBytes, 'x') + "y"),
            std::string(kLogTailBytes - 1, 'x') + "y");
}

TEST(JobTexts, TheLastWords) {
  EXPECT_EQ(last_line(""), "");
  EXPECT_EQ(last_line("one"), "one");
  EXPECT_EQ(last_line("one\ntwo"), "two");
  EXPECT_EQ(last_line(std::string(200, 'x')), std::string(200, 'x'));
  EXPECT_EQ(last_line(std::string(201, 'x')), std::string(200, 'x') + "...");
}

}  // namespace
}  // namespace hpc
