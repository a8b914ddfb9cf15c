#include "manager/session/session_job.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/fake_job_launcher.h"
#include "tests/support/fake_job_poller.h"
#include "tests/support/fake_logins.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

struct SessionJobTest : testing::Test, SessionJob::Owner {
  SessionJobTest() {
    row.id = std::string(32, 'a');
    row.key = {"alice", "main", "vscode", 1};
    row.state = SessionState::kSubmitting;
    SessionJob::Owner& owner = *this;
    job.emplace(SessionJob::Parts{scheduler, logins, launcher, poller,
                                  [](std::uint32_t n) { return n - 1; }},
                row, owner);
  }
  ~SessionJobTest() override {
    job.reset();
    scheduler.run();
  }

  void on_job_submitted(const std::string& id) override {
    row.job_id = id;
    news.push_back("submitted " + id);
  }
  void on_job_refused(const Error& why) override { news.push_back("refused: " + why.detail); }
  void on_job_trouble(const std::string& text) override { news.push_back("trouble: " + text); }
  void on_job_news(const ListedJob& listed, JobFate fate) override {
    news.push_back(listed.state + " " + std::to_string(static_cast<int>(fate)));
  }
  void on_job_over(const std::string& word) override { news.push_back("over " + word); }
  void on_job_ended(const Status& ended) override {
    news.push_back(ended ? "ended" : "not ended: " + ended.error().detail);
  }

  void play() { scheduler.run(); }
  void advance(std::uint64_t ms) {
    scheduler.advance(ms);
    play();
  }
  std::vector<std::string> take() { return std::exchange(news, {}); }
  using News = std::vector<std::string>;

  static tl::unexpected<Error> error(Errc code, const char* why) { return fail(code, "test", why); }
  void runs(SessionState state = SessionState::kRunning) {
    row.job_id = "4711";
    row.state = state;
    job->follow(JobPoller::Urgency::kSteady);
  }
  FakeSite& site() { return logins.at("alice", "main").site; }

  ManualScheduler scheduler;
  FakeLogins logins{scheduler};
  FakeJobLauncher launcher{scheduler};
  FakeJobPoller poller;
  SessionRow row;
  std::vector<std::string> news;
  std::optional<SessionJob> job;
};

TEST_F(SessionJobTest, SubmitsOnce) {
  job->submit();
  EXPECT_TRUE(take().empty()) << "in a later turn";
  play();
  EXPECT_EQ(take(), News{"submitted 4711"});
  advance(3'600'000);
  EXPECT_EQ(launcher.count("submit"), 1U);
  EXPECT_EQ(launcher.count("find"), 0U);
}

TEST_F(SessionJobTest, WhatSlurmRefusesIsNotTriedAgain) {
  for (const Errc code : {Errc::kBadRequest, Errc::kNotFound}) {
    launcher.submits[""] = error(code, "Invalid partition");
    job->submit();
    play();
    EXPECT_EQ(take(), News{"refused: Invalid partition"});
  }
  advance(3'600'000);
  EXPECT_EQ(launcher.count("submit"), 2U);
}

TEST_F(SessionJobTest, ABusySlurmIsAskedAgainAfterALook) {
  launcher.submits[""] = error(Errc::kUnavailable, "Unable to contact slurm controller");
  job->submit();
  play();
  EXPECT_EQ(take(), News{"trouble: Unable to contact slurm controller"});
  EXPECT_EQ(launcher.count("find"), 0U);
  advance(kJobBackOffFirstMs);
  EXPECT_EQ(launcher.count("find"), 1U);
  EXPECT_EQ(launcher.count("submit"), 2U) << "there is none, and sbatch has ended";
  EXPECT_TRUE(take().empty()) << "the same trouble is news once";
  launcher.submits.clear();
  advance(kJobBackOffMostMs);
  EXPECT_EQ(take(), News{"submitted 4711"});
}

TEST_F(SessionJobTest, ABusySlurmMayHaveTakenIt) {
  launcher.submits[""] = error(Errc::kUnavailable, "Socket timed out");
  job->submit();
  play();
  launcher.finds[""] = std::optional<std::string>("77");
  advance(kJobBackOffMostMs);
  EXPECT_EQ(take(), (News{"trouble: Socket timed out", "submitted 77"}));
  EXPECT_EQ(launcher.count("submit"), 1U);
}

TEST_F(SessionJobTest, AfterALostAnswerTheJobMayComeForAWhile) {
  for (const Errc code : {Errc::kTimeout, Errc::kSsh, Errc::kNetwork}) {
    launcher.calls.clear();
    launcher.submits[""] = error(code, "lost");
    launcher.finds[""] = std::optional<std::string>();
    job->submit();
    play();
    advance(kSubmitLostMs - 1);
    EXPECT_EQ(launcher.count("submit"), 1U) << "sbatch may still run";
    EXPECT_GE(launcher.count("find"), kSubmitLostMs / kSubmitLookEveryMs - 1);
    launcher.submits.clear();
    advance(kSubmitLookEveryMs + 1);
    EXPECT_EQ(launcher.count("submit"), 2U);
    row.job_id.clear();
  }
}

TEST_F(SessionJobTest, WhoCannotLookDoesNotSubmit) {
  launcher.submits[""] = error(Errc::kNetwork, "lost");
  launcher.finds[""] = error(Errc::kUnavailable, "the login is down");
  job->submit();
  play();
  advance(10 * kSubmitLostMs);
  EXPECT_EQ(launcher.count("submit"), 1U);
  launcher.finds[""] = std::optional<std::string>("77");
  advance(kJobBackOffMostMs);
  EXPECT_EQ(take(), (News{"trouble: lost", "trouble: the login is down", "submitted 77"}));
}

TEST_F(SessionJobTest, AfterARestartItIsLookedForFirst) {
  launcher.finds[""] = std::optional<std::string>("77");
  job->submit_again(0);
  play();
  EXPECT_EQ(take(), News{"submitted 77"});
  EXPECT_EQ(launcher.count("submit"), 0U);
}

TEST_F(SessionJobTest, AfterARestartItIsSubmittedOnceNoneCanCome) {
  job->submit_again(kSubmitLostMs - 10'000);
  play();
  EXPECT_EQ(launcher.count("submit"), 0U);
  advance(9'999);
  EXPECT_EQ(launcher.count("submit"), 0U);
  advance(kSubmitLookEveryMs);
  EXPECT_EQ(launcher.count("submit"), 1U);
  EXPECT_EQ(take(), News{"submitted 4711"});
}

TEST_F(SessionJobTest, AnOldSubmitIsSettledByOneLook) {
  job->submit_again(kSubmitLostMs);
  play();
  EXPECT_EQ(launcher.count("find"), 1U);
  EXPECT_EQ(launcher.count("submit"), 1U);
}

TEST_F(SessionJobTest, EndsAndUnwatches) {
  runs();
  EXPECT_EQ(poller.size(), 1U);
  job->end();
  job->end();
  EXPECT_EQ(poller.size(), 0U);
  job->follow(JobPoller::Urgency::kChanging);
  EXPECT_EQ(poller.size(), 0U) << "it is on its way out";
  play();
  EXPECT_EQ(take(), News{"ended"});
  EXPECT_EQ(launcher.count("end"), 1U);
}

TEST_F(SessionJobTest, AnEndWaitsForTheSubmitThatIsUnderWay) {
  launcher.hold = true;
  job->submit();
  job->end();
  advance(30'000);
  EXPECT_EQ(launcher.count("end"), 0U);
  launcher.hold = false;
  launcher.release();
  play();
  EXPECT_EQ(take(), (News{"submitted 4711", "ended"}));
  EXPECT_EQ(launcher.calls.back().session.job_id, "4711");
}

TEST_F(SessionJobTest, AnEndWaitsUntilNoJobCanCome) {
  launcher.submits[""] = error(Errc::kTimeout, "lost");
  job->submit();
  play();
  job->end();
  advance(kSubmitLostMs - 1);
  EXPECT_EQ(launcher.count("end"), 0U);
  advance(kSubmitLookEveryMs);
  EXPECT_EQ(launcher.count("end"), 1U) << "by its name";
  EXPECT_EQ(launcher.count("submit"), 1U);
}

TEST_F(SessionJobTest, ASubmitRefusedWhileEndingLeavesNothing) {
  launcher.hold = true;
  launcher.submits[""] = error(Errc::kBadRequest, "no");
  job->submit();
  job->end();
  launcher.hold = false;
  launcher.release();
  play();
  EXPECT_EQ(take(), News{"refused: no"});
}

TEST_F(SessionJobTest, AnEndIsTriedForAnHour) {
  launcher.ends[""] = error(Errc::kUnavailable, "the job still ends");
  runs();
  job->end();
  play();
  advance(kJobBackOffMostMs);
  EXPECT_GE(launcher.count("end"), 2U);
  EXPECT_EQ(take(), News{"trouble: the job still ends"});
  advance(kJobEndTriedMs);
  advance(kJobBackOffMostMs);
  EXPECT_EQ(take(), News{"not ended: the job still ends"});
}

TEST_F(SessionJobTest, WhatBeginsIsBelieved) {
  runs(SessionState::kPending);
  poller.list("4711", "PENDING");
  poller.list("4711", "RUNNING", "c1");
  poller.list("4711", "RUBBISH");
  EXPECT_EQ(take(), (News{"PENDING 1", "RUNNING 2"}));
  EXPECT_EQ(site().execs, 0);
}

TEST_F(SessionJobTest, WhatEndsIsConfirmedByTheUsersOwnLogin) {
  runs();
  site().job_report = "q=RUNNING\n";
  poller.list("4711", "CANCELLED");  // another user's shell lies
  play();
  EXPECT_EQ(take(), News{"RUNNING 2"});
  advance(kJobConfirmEveryMs);
  site().job_report = "q=CANCELLED\n";
  poller.list("4711", "CANCELLED");
  play();
  EXPECT_EQ(take(), News{"over CANCELLED"});
}

TEST_F(SessionJobTest, AQueueThatDoesNotListItIsNoEnd) {
  runs();
  site().job_report = "";
  poller.unlist("4711");
  play();
  EXPECT_TRUE(take().empty()) << "SLURM did not say";
  advance(kJobConfirmEveryMs - 1);
  poller.unlist("4711");
  play();
  EXPECT_EQ(site().execs, 1) << "not at every tick";
  advance(1);
  site().job_report = "q=slurm_load_jobs error: Invalid job id specified\ns=Invalid\n";
  poller.unlist("4711");
  play();
  EXPECT_EQ(take(), News{"over "});
}

TEST_F(SessionJobTest, ARunningJobThatWaitsAgainIsConfirmed) {
  runs();
  site().job_report = "q=PENDING\n";
  poller.list("4711", "PENDING", "", "BeginTime");
  play();
  EXPECT_EQ(take(), News{"PENDING 1"});
}

TEST_F(SessionJobTest, AQueryThatFailsIsSaidOnceAndIsNoEnd) {
  runs();
  poller.unknown("4711", "timed out\nand more");
  poller.unknown("4711", "timed out\nand more");
  EXPECT_EQ(take(), News{"trouble: SLURM does not say how the job is: timed out"});
  poller.list("4711", "RUNNING", "c1");
  poller.unknown("4711", "timed out");
  EXPECT_EQ(take(), (News{"RUNNING 2", "trouble: SLURM does not say how the job is: timed out"}));
}

TEST_F(SessionJobTest, HoldsTheLoginWhileItFollows) {
  job->submit();
  play();
  EXPECT_EQ(logins.find("alice", "main"), nullptr);
  runs(SessionState::kPending);
  play();
  EXPECT_EQ(logins.find("alice", "main")->state(), ClusterLogin::State::kUp);
  advance(3'600'000);
  EXPECT_EQ(logins.find("alice", "main")->state(), ClusterLogin::State::kUp);
  take();
  logins.at("alice", "main").connector.current->die("the network is gone");
  play();
  EXPECT_EQ(take(), News{"trouble: the SSH connection was lost: the network is gone"});
  advance(60'000);
  EXPECT_EQ(logins.find("alice", "main")->state(), ClusterLogin::State::kUp) << "again";
}

TEST_F(SessionJobTest, ALoginThatIsRefusedIsAskedForAgain) {
  logins.refuse = fail(Errc::kConfig, "identity", "there is no key for alice");
  runs(SessionState::kPending);
  EXPECT_EQ(take(), News{"trouble: there is no key for alice"});
  logins.refuse = {};
  advance(kJobLoginRetryMs);
  EXPECT_EQ(logins.find("alice", "main")->state(), ClusterLogin::State::kUp);
}

TEST_F(SessionJobTest, DestroyingItStopsEverything) {
  launcher.hold = true;
  job->submit();
  runs();
  poller.unlist("4711");
  job.reset();
  EXPECT_EQ(poller.size(), 0U);
  EXPECT_EQ(launcher.waiting(), 0U);
  play();
  EXPECT_TRUE(take().empty());
}

}  // namespace
}  // namespace hpc
