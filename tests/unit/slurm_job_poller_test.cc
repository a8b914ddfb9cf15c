#include "manager/session/slurm_job_poller.h"

#include "tests/support/poller_fixture.h"

namespace hpc {
namespace {

const News kRuns = {"listed RUNNING c1"};

struct SlurmJobPollerTest : PollerFixture {};

TEST_F(SlurmJobPollerTest, AsksForANewJobAfterASecond) {
  job("4711", "alice");
  watch(first, "alice", "4711");
  EXPECT_EQ(first.news, News()) << "in a later turn";
  scheduler.advance(kPollSoonMs - 1);
  EXPECT_EQ(squeue.questions.size(), 0U);
  scheduler.advance(1);
  EXPECT_EQ(first.news, kRuns);
  EXPECT_EQ(first.last.user, "alice");
  EXPECT_EQ(site("alice").commands.back().command, "sh -s");
  EXPECT_EQ(site("alice").commands.back().timeout_ms, kPollTimeoutMs);
}

TEST_F(SlurmJobPollerTest, OneQuestionForAllUsers) {
  job("1", "alice");
  job("2", "bob");
  job("3", "carol");
  watch(first, "alice", "1");
  watch(second, "bob", "2");
  watch(third, "carol", "3");
  scheduler.advance(kPollSoonMs);
  ASSERT_EQ(squeue.questions.size(), 1U);
  EXPECT_EQ(squeue.questions.at(0), (std::set<std::string>{"1", "2", "3"}));
  for (auto* watcher : {&first, &second, &third}) EXPECT_EQ(watcher->news, kRuns);
  EXPECT_EQ(logins.at("carol", "main").connector.connects, 0) << "her login is not woken";
}

TEST_F(SlurmJobPollerTest, AJobThatTwoWatchIsAskedForOnce) {
  job("1", "alice");
  watch(first, "alice", "1");
  watch(second, "alice", "1");
  scheduler.advance(kPollSoonMs);
  EXPECT_EQ(squeue.questions.at(0).size(), 1U);
  EXPECT_EQ(first.news, kRuns);
  EXPECT_EQ(second.news, kRuns);
}

TEST_F(SlurmJobPollerTest, WithoutALoginNobodyIsAskedAndNothingSaid) {
  job("3", "carol");
  watch(third, "carol", "3", Urgency::kChanging);
  scheduler.advance(600'000);
  EXPECT_EQ(logins.at("carol", "main").connector.connects, 0);
  EXPECT_EQ(third.news, News());
  raise("carol");
  scheduler.advance(kPollFastMs);
  EXPECT_EQ(third.news, kRuns) << "its coming up is seen soon";
}

TEST_F(SlurmJobPollerTest, ALoginThatDoesNotExistIsNotMade) {
  logins.refuse = fail(Errc::kConfig, "login", "no key");
  watch(first, "dave", "4");
  scheduler.advance(10'000);
  EXPECT_EQ(logins.find("dave", "main"), nullptr);
}

TEST_F(SlurmJobPollerTest, TheLoginThatAnsweredStaysUntilItFails) {
  job("1", "alice");
  job("2", "bob");
  watch(first, "alice", "1", Urgency::kChanging);
  watch(second, "bob", "2", Urgency::kChanging);
  scheduler.advance(5'000);
  EXPECT_EQ(squeue.askers, (News{"alice", "alice", "alice"}));
  site("alice").run = [](const FakeCommand&) { return ExecOutput{"bash: squeue: gone", "", 127}; };
  const auto asked = site("alice").execs;
  scheduler.advance(10'000);
  EXPECT_EQ(site("alice").execs, asked + 1);
  EXPECT_EQ(squeue.askers.back(), "bob");
  site("bob").run = [](const FakeCommand&) { return fail(Errc::kTimeout, "ssh.exec", "late"); };
  scheduler.advance(10'000);
  EXPECT_GE(site("alice").execs, asked + 2) << "the one whose failure is longest ago";
}

TEST_F(SlurmJobPollerTest, ALoginThatIsDownIsPassedOver) {
  job("1", "alice");
  job("2", "bob");
  watch(first, "alice", "1", Urgency::kChanging);
  watch(second, "bob", "2", Urgency::kChanging);
  scheduler.advance(1'000);
  cut("alice");
  first.take();
  scheduler.advance(2'000);
  EXPECT_EQ(squeue.askers.back(), "bob");
  EXPECT_EQ(first.news, kRuns) << "over another's login";
}

TEST_F(SlurmJobPollerTest, AConnectionLostUnderTheQuestionIsAFailure) {
  job("1", "alice");
  watch(first, "alice", "1", Urgency::kChanging);
  site("alice").silent = true;
  scheduler.advance(1'000);
  EXPECT_EQ(site("alice").execs, 1);
  cut("alice");
  scheduler.advance(60'000);
  EXPECT_EQ(site("alice").execs, 1);
  EXPECT_EQ(first.news, News()) << "one failure is none to speak of";
}

TEST_F(SlurmJobPollerTest, AFailureIsSaidEachThirdTime) {
  job("1", "alice");
  watch(first, "alice", "1", Urgency::kChanging);
  squeue.error = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)";
  tick();
  tick();
  EXPECT_EQ(first.take(), News());
  tick();
  ASSERT_EQ(first.news.size(), 1U);
  EXPECT_EQ(first.news[0].find("unknown "), 0U) << first.news[0];
  EXPECT_NE(first.news[0].find("Unable to contact slurm controller"), std::string::npos);
  tick();
  tick();
  EXPECT_EQ(first.take().size(), 1U);
  tick();
  EXPECT_EQ(first.take().size(), 1U);
  squeue.error.clear();
  EXPECT_LE(tick(), kPollFailedMs) << "its return is seen soon";
  EXPECT_EQ(first.take(), kRuns);
  squeue.error = "again";
  tick();
  tick();
  EXPECT_EQ(first.take(), News()) << "in a row";
}

TEST_F(SlurmJobPollerTest, WhateverIsNoAnswerIsAFailure) {
  const std::string megabytes(std::size_t{9} << 20U, 'x');
  const Result<ExecOutput> failures[] = {
      fail(Errc::kTimeout, "ssh.exec", "the command did not end within 30 s"),
      fail(Errc::kForbidden, "ssh.exec", "the SSH server does not run commands for this user"),
      fail(Errc::kTooLarge, "ssh.exec", "the command printed more than 10 MiB"),
      ExecOutput{"", "", 0},
      ExecOutput{"nonsense\n", "", 0},
      ExecOutput{megabytes, megabytes, 0},
  };
  for (const auto& failure : failures) {
    SlurmJobPoller another(scheduler, logins, [this] { return wall_ms; }, log, {});
    RecordingJobWatcher watcher;
    another.watch(watcher, {"alice", "main", "1", Urgency::kChanging});
    squeue.instead = failure;
    for (int i = 0; i < 3; ++i) tick();
    ASSERT_EQ(watcher.news.size(), 1U);
    EXPECT_EQ(watcher.news[0].find("unknown "), 0U);
    EXPECT_LE(watcher.news[0].size(), 400U);
    another.unwatch(watcher);
  }
}

TEST_F(SlurmJobPollerTest, GoneIsWhatItsOwnUserIsTold) {
  watch(first, "alice", "1");
  scheduler.advance(1'000);
  EXPECT_EQ(first.news, News{"unlisted"});
  EXPECT_EQ(squeue.questions.size(), 1U) << "asked as alice already";
}

TEST_F(SlurmJobPollerTest, WhatAnotherUserIsNotShownItsOwnIsAskedFor) {
  job("1", "alice");
  watch(first, "alice", "1");
  watch(second, "bob", "2");
  scheduler.advance(1'000);
  EXPECT_EQ(squeue.askers, (News{"alice", "bob"}));
  EXPECT_EQ(squeue.questions.at(1), std::set<std::string>{"2"});
  EXPECT_EQ(second.news, News{"unlisted"});
  EXPECT_EQ(first.news, kRuns);
  second.take();
  tick();
  EXPECT_EQ(squeue.questions.at(2).size(), 2U) << "nothing is hidden, so one asks for all";
}

TEST_F(SlurmJobPollerTest, WithoutItsOwnLoginNothingIsKnownOfIt) {
  job("1", "alice");
  watch(first, "alice", "1", Urgency::kChanging);
  watch(third, "carol", "3", Urgency::kChanging);
  scheduler.advance(60'000);
  EXPECT_EQ(third.news, News());
  raise("carol");
  scheduler.advance(2'000);
  EXPECT_EQ(third.news, News{"unlisted"});
}

TEST_F(SlurmJobPollerTest, WhereJobsAreHiddenEachUserIsAsked) {
  squeue.visible = [](const std::string& user, const FakeSqueue::Job& one) {
    return one.user == user;
  };
  job("1", "alice");
  job("2", "bob");
  watch(first, "alice", "1", Urgency::kChanging);
  watch(second, "bob", "2", Urgency::kChanging);
  scheduler.advance(1'000);
  EXPECT_EQ(first.take(), kRuns);
  EXPECT_EQ(second.take(), kRuns);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("cluster=main"), std::string::npos) << lines[0];
  for (int i = 0; i < 3; ++i) {
    squeue.questions.clear();
    squeue.askers.clear();
    scheduler.advance(kPollFastMs);
    EXPECT_EQ(squeue.askers, (News{"alice", "bob"}));
    EXPECT_EQ(squeue.questions, (std::vector<std::set<std::string>>{{"1"}, {"2"}}));
  }
  cut("bob");
  squeue.askers.clear();
  second.take();
  scheduler.advance(kPollFastMs);
  EXPECT_EQ(squeue.askers, News{"alice"});
  EXPECT_EQ(second.news, News());
}

TEST_F(SlurmJobPollerTest, AfterAnHourOneIsAskedForAllAgain) {
  bool hides = true;
  squeue.visible = [&](const std::string& user, const FakeSqueue::Job& one) {
    return !hides || one.user == user;
  };
  job("1", "alice");
  job("2", "bob");
  watch(first, "alice", "1");
  watch(second, "bob", "2");
  scheduler.advance(kPollPerUserMs);
  EXPECT_EQ(squeue.questions.back().size(), 1U);
  scheduler.advance(61'000);
  EXPECT_EQ(lines.size(), 1U) << "said once";
  EXPECT_EQ(squeue.questions.back().size(), 1U) << "still hidden";
  hides = false;
  scheduler.advance(kPollPerUserMs + 61'000);
  EXPECT_EQ(squeue.questions.back().size(), 2U);
}

TEST_F(SlurmJobPollerTest, ALiarsLinesAreIgnored) {
  job("1", "alice");
  job("2", "bob");
  job("9", "mallory");
  squeue.jobs["2"].user = "mallory";  // the job is not bob's, says alice's squeue
  squeue.jobs["1"].as_id = "9";       // and here is one that nobody asked for
  watch(first, "alice", "1");
  watch(second, "bob", "2");
  scheduler.advance(1'000);
  EXPECT_EQ(first.news, News{"unlisted"});
  EXPECT_EQ(second.news, News{"unlisted"}) << "its own user says so, too";
  EXPECT_EQ(squeue.askers, (News{"alice", "bob"}));
}

TEST_F(SlurmJobPollerTest, NamesThatASiteWritesInAnotherWayAreNoLies) {
  for (const char* name : {"bob@corp.example.org", "CORP\\bob", "Bob", "1002", ""}) {
    SlurmJobPoller another(scheduler, logins, [this] { return wall_ms; }, log, {});
    RecordingJobWatcher watcher;
    job("2", name);
    another.watch(watcher, {"bob", "main", "2", Urgency::kSteady});
    scheduler.advance(1'000);
    EXPECT_EQ(watcher.news, kRuns) << name;
    another.unwatch(watcher);
  }
}

TEST_F(SlurmJobPollerTest, AnotherUsersWordsReachNobody) {
  job("1", "alice");
  job("2", "bob");
  squeue.jobs["1"].reason = squeue.jobs["2"].reason = "log in at http://evil.example";
  watch(first, "alice", "1", Urgency::kChanging);
  watch(second, "bob", "2", Urgency::kChanging);
  scheduler.advance(1'000);
  EXPECT_EQ(first.last.reason, "log in at http://evil.example") << "his own shell's";
  EXPECT_EQ(second.last.reason, "");
  squeue.jobs["2"].reason = "ReqNodeNotAvail";
  scheduler.advance(2'000);
  EXPECT_EQ(second.last.reason, "ReqNodeNotAvail");
  second.take();
  cut("bob");
  squeue.error = "log in at http://evil.example";
  for (int i = 0; i < 3; ++i) tick();
  EXPECT_EQ(second.take(), News{"unknown it could not be asked"});
}

TEST_F(SlurmJobPollerTest, WhatIsNoJobOfSlurmIsNotAskedFor) {
  for (const char* id : {"", "c1-4711", "4711;id", "$(id)"}) watch(first, "alice", id);
  scheduler.advance(600'000);
  EXPECT_EQ(squeue.questions.size(), 0U);
  EXPECT_EQ(first.news, News());
}

}  // namespace
}  // namespace hpc
