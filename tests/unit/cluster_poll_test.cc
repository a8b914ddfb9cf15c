#include "manager/session/cluster_poll.h"

#include "tests/support/poller_fixture.h"

// When ticks are, how they are cut, and what may happen in the middle of one; whom they reach is in
// slurm_job_poller_test.cc.

namespace hpc {
namespace {

const News kRuns = {"listed RUNNING c1"};

struct ClusterPollTest : PollerFixture {
  ClusterPollTest() {
    job("1", "alice");
    job("2", "alice");
    job("3", "bob");
  }
};

TEST_F(ClusterPollTest, TheQuieterTheSlowerAndFastAfterAChange) {
  watch(first, "alice", "1");
  EXPECT_EQ(tick(), kPollSoonMs);
  for (const unsigned seconds : {2U, 4U, 8U, 16U, 32U, 60U, 60U})
    EXPECT_EQ(tick(), seconds * 1'000U);
  squeue.jobs["1"].nodes = "c2";
  EXPECT_EQ(tick(), 60'000U);
  EXPECT_EQ(tick(), 2'000U);
  EXPECT_EQ(tick(), 4'000U);
  squeue.jobs["1"].state = "SUSPENDED";
  tick();
  EXPECT_EQ(tick(), 2'000U);
  squeue.jobs["1"].comment = squeue.jobs["1"].reason = "other";
  tick();
  EXPECT_EQ(tick(), 8'000U) << "words are no change";
  squeue.jobs.erase("1");
  tick();
  EXPECT_EQ(tick(), 2'000U);
  EXPECT_EQ(tick(), 4'000U) << "that it is not there is news once";
}

TEST_F(ClusterPollTest, AJobThatChangesIsFollowedClosely) {
  watch(first, "alice", "1");
  scheduler.advance(3'600'000);
  watch(first, "alice", "1", Urgency::kChanging);
  EXPECT_EQ(tick(), kPollFastMs) << "from the slow pace at once";
  EXPECT_EQ(tick(), kPollFastMs);
  watch(first, "alice", "1", Urgency::kSteady);
  EXPECT_EQ(tick(), 2'000U);
  EXPECT_EQ(tick(), 4'000U) << "and slowly back";
}

TEST_F(ClusterPollTest, TheSameAgainChangesNothing) {
  watch(first, "alice", "1");
  for (int i = 0; i < 8; ++i) tick();
  scheduler.advance(30'000);
  watch(first, "alice", "1");
  EXPECT_EQ(tick(), 30'000U);
}

TEST_F(ClusterPollTest, ANewJobBringsTheNextTickForward) {
  watch(first, "alice", "1");
  for (int i = 0; i < 8; ++i) tick();
  watch(second, "bob", "3");
  EXPECT_EQ(tick(), kPollSoonMs);
  EXPECT_EQ(squeue.questions.back().size(), 2U);
  first.take();
  watch(first, "alice", "2");
  EXPECT_EQ(tick(), kPollSoonMs) << "another job of the same watcher";
  EXPECT_EQ(squeue.questions.back(), (std::set<std::string>{"2", "3"}));
}

TEST_F(ClusterPollTest, WaitingJobsAreAskedForTheSlowerTheLongerTheyWait) {
  squeue.jobs["1"].state = "PENDING";
  squeue.jobs["1"].starts = "N/A";
  watch(first, "alice", "1", Urgency::kWaiting);
  scheduler.advance(119'000);
  EXPECT_EQ(squeue.questions.size(), 60U);
  scheduler.advance(3'600'000);
  EXPECT_EQ(tick() % 500, 0U);
  EXPECT_EQ(tick(), kPollSlowMs);
  squeue.jobs["1"].starts = "2026-11-21T07:00:30";
  tick();
  EXPECT_EQ(tick(), kPollFastMs) << "SLURM says that it starts soon";
  wall_ms += 151'000;
  tick();
  EXPECT_EQ(tick(), kPollSlowMs) << "but it did not";
}

TEST_F(ClusterPollTest, NeverFasterThanTheSiteWantsIt) {
  poller->set_options({5'000});
  watch(first, "alice", "1", Urgency::kChanging);
  EXPECT_EQ(tick(), kPollSoonMs) << "the first";
  EXPECT_EQ(tick(), 5'000U);
  scheduler.advance(1'000);
  watch(second, "bob", "3");
  EXPECT_EQ(tick(), 4'000U);
  poller->set_options({120'000});
  tick();
  EXPECT_EQ(tick(), 120'000U) << "also past the slow pace";
  poller->set_options({});
  tick();
  EXPECT_EQ(tick(), kPollFastMs) << "after a reload";
}

TEST_F(ClusterPollTest, ASilentControllerIsAskedEverLessOften) {
  watch(first, "alice", "1", Urgency::kChanging);
  squeue.error = "nobody there";
  tick();
  for (const unsigned seconds : {2U, 4U, 8U, 16U, 16U}) EXPECT_EQ(tick(), seconds * 1'000U);
  squeue.error.clear();
  tick();
  EXPECT_EQ(tick(), kPollFastMs);
}

TEST_F(ClusterPollTest, AThousandJobsAreOneQuestionAndOneMoreAreTwo) {
  std::vector<std::unique_ptr<RecordingJobWatcher>> many;
  const auto add = [&] {
    const auto id = std::to_string(10'000 + many.size());
    job(id, "alice");
    many.push_back(std::make_unique<RecordingJobWatcher>());
    watch(*many.back(), "alice", id);
  };
  while (many.size() < kListedJobsMax) add();
  scheduler.advance(kPollSoonMs);
  ASSERT_EQ(squeue.questions.size(), 1U);
  EXPECT_EQ(squeue.questions.at(0).size(), kListedJobsMax);
  squeue.questions.clear();
  for (auto& one : many) one->take();
  add();
  scheduler.advance(kPollSoonMs);
  ASSERT_EQ(squeue.questions.size(), 2U);
  EXPECT_EQ(squeue.questions.at(0).size() + squeue.questions.at(1).size(), kListedJobsMax + 1);
  for (const auto& one : many) EXPECT_EQ(one->news, kRuns);
  for (const auto& one : many) poller->unwatch(*one);
}

TEST_F(ClusterPollTest, SoManyQuestionsSideBySideAndNoMore) {
  squeue.visible = [](const std::string& user, const FakeSqueue::Job& one) {
    return one.user == user;
  };
  std::vector<std::unique_ptr<RecordingJobWatcher>> many;
  for (int i = 0; i < 6; ++i) {
    const std::string user = "user" + std::to_string(i);
    site(user).run = squeue.as(user);
    raise(user);
    job(std::to_string(100 + i), user);
    many.push_back(std::make_unique<RecordingJobWatcher>());
    watch(*many.back(), user, std::to_string(100 + i), Urgency::kChanging);
  }
  scheduler.advance(kPollSoonMs);  // from now on each is asked
  for (auto& one : many) EXPECT_EQ(one->take(), kRuns) << "those that had to wait, too";
  int running = 0;
  for (int i = 0; i < 6; ++i) {
    auto& place = site("user" + std::to_string(i));
    place.silent = true;
    place.execs = 0;
  }
  scheduler.advance(kPollFastMs);
  for (int i = 0; i < 6; ++i) running += site("user" + std::to_string(i)).execs;
  EXPECT_EQ(running, static_cast<int>(kPollQuestionsAtOnce));
  for (const auto& one : many) poller->unwatch(*one);
}

TEST_F(ClusterPollTest, NothingIsAskedForWhoHasGone) {
  watch(first, "alice", "1");
  poller->unwatch(first);
  poller->unwatch(first);
  scheduler.advance(600'000);
  EXPECT_EQ(squeue.questions.size(), 0U);
  EXPECT_FALSE(scheduler.next_alarm_in()) << "and no alarm is set";
}

TEST_F(ClusterPollTest, WhoGoesWhileTheQuestionRunsHearsNothing) {
  watch(first, "alice", "1");
  watch(second, "bob", "3");
  site("alice").run = [this](const FakeCommand& asked) {
    poller->unwatch(first);
    return squeue.answer("alice", asked);
  };
  scheduler.advance(kPollSoonMs);
  EXPECT_EQ(first.news, News());
  EXPECT_EQ(second.news, kRuns);
}

TEST_F(ClusterPollTest, WhoGoesAndComesBackHearsOfTheNextQuestionOnly) {
  watch(first, "alice", "1");
  site("alice").run = [this](const FakeCommand& asked) {
    auto said = squeue.answer("alice", asked);
    watch(first, "alice", "2");  // while the answer about job 1 is on its way
    return said;
  };
  scheduler.advance(kPollSoonMs);
  EXPECT_EQ(first.news, News());
  site("alice").run = squeue.as("alice");
  scheduler.advance(kPollSoonMs);
  EXPECT_EQ(first.news, kRuns);
  EXPECT_EQ(first.last.id, "2");
}

TEST_F(ClusterPollTest, WatchersMayUnwatchEachOther) {
  watch(first, "alice", "1");
  watch(second, "bob", "3");
  first.action = [this] { poller->unwatch(second); };
  second.action = [this] { poller->unwatch(first); };
  scheduler.advance(kPollSoonMs);
  EXPECT_EQ(first.news.size() + second.news.size(), 1U);
  scheduler.advance(kPollFastMs);
  EXPECT_EQ(first.news.size() + second.news.size(), 2U) << "the one that is left";
}

TEST_F(ClusterPollTest, WatchersMayWatchFromInside) {
  std::vector<std::unique_ptr<RecordingJobWatcher>> more;
  watch(first, "alice", "1");
  watch(second, "bob", "3");
  first.action = [&] {
    while (more.size() < 100) {
      more.push_back(std::make_unique<RecordingJobWatcher>());
    }
    for (auto& one : more) watch(*one, "alice", "2");
    watch(first, "alice", "2", Urgency::kChanging);
  };
  scheduler.advance(kPollSoonMs);
  EXPECT_EQ(second.news, kRuns) << "behind the one who did all that";
  scheduler.advance(kPollSoonMs);
  EXPECT_EQ(more.at(99)->news, kRuns);
  EXPECT_EQ(first.last.id, "2");
  for (auto& one : more) poller->unwatch(*one);
}

TEST_F(ClusterPollTest, WatchersMayGoFromInsideEveryKindOfNews) {
  for (const std::string error : {"", "down"}) {
    squeue.error = error;
    for (const char* id : {"1", "99"}) {
      first.action = [this] { poller->unwatch(first); };
      first.take();
      watch(first, "alice", id, Urgency::kChanging);
      scheduler.advance(60'000);
      EXPECT_EQ(first.news.size(), 1U) << id << error;
    }
  }
}

TEST_F(ClusterPollTest, MayBeDestroyedWhileQuestionsRun) {
  for (const bool dies : {false, true}) {
    for (int turns = 0; turns < 6; ++turns) {
      auto another = std::make_unique<SlurmJobPoller>(
          scheduler, logins, [this] { return wall_ms; }, log, SlurmJobPoller::Options{});
      RecordingJobWatcher watcher;
      another->watch(watcher, {"alice", "main", "1", Urgency::kChanging});
      const auto due = scheduler.next_alarm_in();
      ASSERT_TRUE(due);
      scheduler.advance(*due - 1);
      if (dies) another->watch(second, {"bob", "main", "3", Urgency::kChanging});
      site("alice").silent = dies;
      scheduler.advance(turns > 3 ? 1 : 0);
      for (int i = 0; i < turns; ++i) scheduler.run_one();
      const auto before = watcher.news.size();
      another.reset();
      scheduler.advance(60'000);
      EXPECT_EQ(watcher.news.size(), before);
      site("alice").silent = false;
    }
  }
}

TEST_F(ClusterPollTest, ClustersAreFollowedEachByItself) {
  FakeSqueue other;
  other.jobs["1"].user = "alice";
  other.jobs["1"].nodes = "g7";
  logins.at("alice", "gpu").site.run = other.as("alice");
  raise("alice", "gpu");
  watch(first, "alice", "1");
  poller->watch(second, {"alice", "gpu", "1", Urgency::kSteady});
  squeue.error = "down";
  scheduler.advance(kPollSoonMs);
  EXPECT_EQ(first.news, News());
  EXPECT_EQ(second.news, News{"listed RUNNING g7"});
  // A watcher that moves is followed at one of them only.
  poller->watch(first, {"alice", "gpu", "1", Urgency::kSteady});
  squeue.questions.clear();
  scheduler.advance(kPollSlowMs);
  EXPECT_EQ(squeue.questions.size(), 0U);
  EXPECT_EQ(first.last.nodes, "g7");
}

}  // namespace
}  // namespace hpc
