#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/live_sessions_fixture.h"

namespace hpc {
namespace {

using News = std::vector<std::string>;

struct LaunchedSessionsTest : LiveSessionsFixture {
  // "state: reason" of each state event so far, and what progress and others say.
  News story(const std::string& id) {
    News out;
    for (const auto& change : store.stored) {
      if (const auto* put = std::get_if<PutSession>(&change); put != nullptr && put->row.id == id) {
        out.push_back(std::string(state_name(put->row.state)) + ": " + put->row.reason);
      }
    }
    return out;
  }
  News events_of(const std::string& type) {
    News out;
    for (const auto& change : store.stored) {
      const auto* event = std::get_if<AppendEvent>(&change);
      if (event != nullptr && event->event.type == type) out.push_back(event->event.data);
    }
    return out;
  }
  bool said(const std::string& text) {
    for (const auto& data : events_of("progress")) {
      if (data.find(text) != std::string::npos) return true;
    }
    return false;
  }
  void list(const std::string& job, const std::string& word, const std::string& nodes = "",
            const std::string& reason = "") {
    poller.list(job, word, nodes, reason);
    play();
  }
  // As SLURM tells its owner himself.
  void confirm(const std::string& user, const std::string& job, const std::string& report) {
    logins.at(user, "main").site.job_report = report;
    scheduler.advance(kJobConfirmEveryMs);
    poller.unlist(job);
    play();
  }
  std::string running(const std::string& user = "alice", const std::string& job = "4711",
                      const std::string& ide = "vscode") {
    const auto id = launch(user, ide)->row.id;
    run_jobs(user, {{job, "c1"}});
    list(job, "RUNNING", "c1");
    EXPECT_EQ(state(id), "running");
    return id;
  }
  std::string reason(const std::string& id) { return row(id).reason; }
};

TEST_F(LaunchedSessionsTest, AllTheWayToRunning) {
  make();
  const auto created = launch("alice");
  ASSERT_TRUE(created);
  EXPECT_EQ(created->row.state, SessionState::kQueued);
  EXPECT_EQ(created->queue_position, 1U);
  const auto id = created->row.id;
  EXPECT_EQ(state(id), "pending");
  EXPECT_EQ(row(id).job_id, "4711");
  EXPECT_EQ(sessions->find(id)->queue_position, std::nullopt);
  EXPECT_EQ(poller.watched("4711")->urgency, JobPoller::Urgency::kWaiting);
  list("4711", "PENDING", "", "Priority");
  EXPECT_EQ(reason(id), "pending: Priority");
  run_jobs("alice", {});
  list("4711", "RUNNING", "c1");
  EXPECT_EQ(state(id), "starting");
  EXPECT_EQ(reason(id), "waiting for hpc-proxy on c1");
  EXPECT_EQ(poller.watched("4711")->urgency, JobPoller::Urgency::kChanging);
  run_jobs("alice", {{"4711", "c1"}});
  advance(kSearchBackOffMostMs);
  EXPECT_EQ(state(id), "running");
  EXPECT_EQ(row(id).node, "c1");
  EXPECT_EQ(poller.watched("4711")->urgency, JobPoller::Urgency::kSteady);
  EXPECT_EQ(story(id),
            (News{"queued: queued (1st)", "submitting: gives the job to SLURM",
                  "pending: pending: job 4711 is submitted", "pending: pending: Priority",
                  "starting: waiting for hpc-proxy on c1", "running: "}));
  EXPECT_TRUE(said("starting on c1"));
  EXPECT_TRUE(said("tunnel up"));
  EXPECT_FALSE(said("no hpc-proxy")) << "that it is not there at once is no news";
}

TEST_F(LaunchedSessionsTest, NothingIsSubmittedBeforeItIsStored) {
  make();
  sessions->create({"alice", "main", "vscode", std::nullopt, std::nullopt, ""}, [](const auto&) {});
  scheduler.run();
  store.commit(disk);
  scheduler.run();  // its turn comes here
  EXPECT_EQ(launcher.count("submit"), 0U);
  disk = fail(Errc::kSystem, "store", "the disk is full");
  play();
  EXPECT_EQ(launcher.count("submit"), 0U);
  disk = {};
  advance(kStoreRetryMs);
  EXPECT_EQ(launcher.count("submit"), 1U);
  const auto queued = store.all<PutQueued>();
  ASSERT_EQ(queued.size(), 2U);
  EXPECT_FALSE(queued[0].row.submit_started_at);
  EXPECT_EQ(queued[1].row.submit_started_at, wall_ms);
  EXPECT_EQ(store.all<DropQueued>().size(), 1U);
}

TEST_F(LaunchedSessionsTest, OneAtATimeAndTheOthersInTheirOrder) {
  make();
  const auto one = launch("alice")->row.id;
  const auto two = launch("alice")->row.id;
  const auto three = launch("alice")->row.id;
  EXPECT_EQ(state(one), "pending");
  EXPECT_EQ(reason(two), "queued (1st)");
  EXPECT_EQ(reason(three), "queued (2nd)");
  EXPECT_EQ(sessions->find(three)->queue_position, 2U);
  run_jobs("alice", {{"4711", "c1"}});
  list("4711", "RUNNING", "c1");
  EXPECT_EQ(state(one), "running");
  EXPECT_EQ(state(two), "pending");
  EXPECT_EQ(reason(three), "queued (1st)");
}

TEST_F(LaunchedSessionsTest, OneMoreThanMayWaitIsRefused) {
  make();
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(launch("alice")) << i;
  const auto refused = launch("alice");
  EXPECT_EQ(code(refused), Errc::kTooMany);
  EXPECT_TRUE(launch("bob"));
  run_jobs("alice", {{"1", "c1"}});
  EXPECT_TRUE(create("alice")) << "what attaches waits for nobody";
}

TEST_F(LaunchedSessionsTest, WithoutATemplateItIsRefused) {
  make();
  launcher.launchable = fail(Errc::kNotFound, "templates", "there is no template 'x'");
  EXPECT_EQ(code(launch("alice", "x")), Errc::kNotFound);
  EXPECT_TRUE(create("alice", "x"));
}

TEST_F(LaunchedSessionsTest, WhoWaitsForSlurmForLongHoldsUpNobody) {
  make();
  const auto one = launch("alice")->row.id;
  const auto two = launch("alice")->row.id;
  list("4711", "PENDING", "", "Resources");
  advance(kPendingKeepsTurnMs - 1);
  list("4711", "PENDING", "", "Resources");
  EXPECT_EQ(state(two), "queued");
  advance(1);
  list("4711", "PENDING", "", "Resources");
  EXPECT_EQ(state(one), "pending");
  EXPECT_EQ(state(two), "pending");
}

TEST_F(LaunchedSessionsTest, EndedWhileItWaitsItLeavesNothing) {
  make();
  launch("alice");
  const auto two = launch("alice")->row.id;
  ASSERT_TRUE(end(two));
  EXPECT_EQ(state(two), "ended");
  EXPECT_EQ(launcher.count("submit"), 1U);
  EXPECT_EQ(launcher.count("end"), 0U);
}

TEST_F(LaunchedSessionsTest, WhatSlurmRefusesEndsItWithSlurmsWords) {
  make();
  launcher.submits[""] = fail(Errc::kBadRequest, "sbatch", "invalid partition specified: nope");
  const auto one = launch("alice")->row.id;
  EXPECT_EQ(state(one), "ended");
  EXPECT_EQ(reason(one), "invalid partition specified: nope");
  launcher.submits.clear();
  EXPECT_EQ(state(launch("alice")->row.id), "pending") << "the turn is free again";
}

TEST_F(LaunchedSessionsTest, WithoutSlurmItAttaches) {
  make();
  launcher.submits[""] = fail(Errc::kNotFound, "sbatch", "there is no sbatch on main");
  run_jobs("alice", {{"77", "c1"}});
  const auto id = launch("alice")->row.id;
  EXPECT_EQ(state(id), "running");
  EXPECT_EQ(row(id).job_id, "77");
  EXPECT_TRUE(said("there is no sbatch on main"));
  ASSERT_TRUE(end(id));
  EXPECT_EQ(launcher.count("end"), 0U) << "not our job";
}

TEST_F(LaunchedSessionsTest, ABusySlurmIsSaidAndTriedAgain) {
  make();
  launcher.submits[""] = fail(Errc::kUnavailable, "sbatch", "Unable to contact slurm controller");
  const auto id = launch("alice")->row.id;
  EXPECT_EQ(state(id), "submitting");
  EXPECT_EQ(reason(id), "Unable to contact slurm controller");
  launcher.submits.clear();
  advance(kJobBackOffMostMs);
  EXPECT_EQ(state(id), "pending");
}

TEST_F(LaunchedSessionsTest, ItsEndCancelsItsJobAndIsTold) {
  make();
  const auto id = running();
  launcher.hold = true;
  ASSERT_TRUE(end(id));
  EXPECT_EQ(state(id), "ending");
  EXPECT_TRUE(cut.empty());
  launcher.release();
  play();
  EXPECT_EQ(state(id), "ended");
  EXPECT_EQ(reason(id), "ended by its user");
  EXPECT_EQ(launcher.count("end"), 1U);
  EXPECT_EQ(poller.size(), 0U);
}

TEST_F(LaunchedSessionsTest, AJobThatEndsByItselfEndsItWithItsReason) {
  make();
  const auto id = running();
  confirm("alice", "4711", "q=TIMEOUT\n");
  EXPECT_EQ(state(id), "ended");
  EXPECT_EQ(reason(id), "job 4711 has ended (TIMEOUT): it reached its time limit");
  EXPECT_EQ(launcher.count("log"), 1U);
  EXPECT_EQ(launcher.count("end"), 1U) << "what it left is removed";
  const auto told = story(id);
  EXPECT_TRUE(told[told.size() - 2].starts_with("ending: job 4711")) << told[told.size() - 2];
}

TEST_F(LaunchedSessionsTest, AJobThatFailsAtOnceIsExplainedByItsLog) {
  make();
  const auto id = launch("alice")->row.id;
  launcher.logs[""] = JobLogPart{0, 30, "starting\ncode-server: not found\n"};
  confirm("alice", "4711", "q=FAILED\n");
  EXPECT_EQ(state(id), "ended");
  EXPECT_EQ(reason(id),
            "job 4711 has ended (FAILED): its script failed; its log ends: code-server: not found");
  EXPECT_TRUE(said("starting\\ncode-server: not found"));
}

TEST_F(LaunchedSessionsTest, WhatCannotBeAskedIsNoEnd) {
  make();
  const auto id = running();
  confirm("alice", "4711", "");
  EXPECT_EQ(state(id), "running");
  poller.unknown("4711", "slurmctld is away");
  play();
  EXPECT_EQ(state(id), "running");
  EXPECT_TRUE(said("SLURM does not say how the job is: slurmctld is away"));
}

TEST_F(LaunchedSessionsTest, ARequeuedJobIsFollowedToItsNewNode) {
  make();
  const auto id = running();
  run_jobs("alice", {});
  // Its channels have noticed nothing: the node was switched off.
  confirm("alice", "4711", "q=PENDING\n");
  EXPECT_EQ(state(id), "reconnecting");
  EXPECT_EQ(reason(id), "pending");
  EXPECT_EQ(row(id).node, "");
  EXPECT_FALSE(sessions->route(id)->tunnel.ready());
  scheduler.advance(kJobConfirmEveryMs);
  list("4711", "PENDING", "", "BeginTime");
  EXPECT_EQ(reason(id), "pending: BeginTime");
  list("4711", "RUNNING", "c2");
  EXPECT_EQ(state(id), "reconnecting") << "there is no hpc-proxy yet";
  run_jobs("alice", {{"4711", "c2"}});
  advance(kSearchBackOffMostMs);
  EXPECT_EQ(state(id), "running");
  EXPECT_EQ(row(id).node, "c2");
  EXPECT_EQ(row(id).job_id, "4711");
}

TEST_F(LaunchedSessionsTest, ASuspendedJobKeepsItsTunnel) {
  make();
  const auto id = running();
  confirm("alice", "4711", "q=SUSPENDED\n");
  EXPECT_EQ(state(id), "reconnecting");
  EXPECT_EQ(reason(id), "pending (SUSPENDED)");
  list("4711", "RUNNING", "c1");
  EXPECT_EQ(state(id), "running");
}

TEST_F(LaunchedSessionsTest, TimeThatRunsOutIsAnEvent) {
  make();
  const auto id = running();
  ListedJob job;
  job.id = "4711";
  job.state = "RUNNING";
  job.nodes = "c1";
  job.ends_at = wall_ms + 11 * 60'000;
  poller.list(job);
  advance(0);
  EXPECT_EQ(row(id).ends_at, job.ends_at);
  ASSERT_EQ(events_of("expiring").size(), 1U) << "the half hour has passed";
  wall_ms += 60'000;
  advance(60'000);
  ASSERT_EQ(events_of("expiring").size(), 2U);
  EXPECT_NE(events_of("expiring")[1].find("\"minutes\":10"), std::string::npos)
      << events_of("expiring")[1];
}

TEST_F(LaunchedSessionsTest, MoreTime) {
  make();
  const auto id = running();
  const auto before = *row(id).ends_at;
  const auto extend = [&](std::uint64_t minutes) {
    std::optional<Result<SessionInfo>> out;
    sessions->extend(id, minutes, [&](auto result) { out = std::move(result); });
    play();
    return *out;
  };
  ASSERT_TRUE(extend(30));
  EXPECT_EQ(row(id).ends_at, before + 30 * 60'000);
  EXPECT_TRUE(said("job 4711 has been given 30 minutes more"));
  launcher.extends[""] = fail(Errc::kForbidden, "scontrol", "Access/permission denied");
  const auto refused = extend(30);
  EXPECT_EQ(code(refused), Errc::kForbidden);
  EXPECT_EQ(refused.error().detail,
            "this site does not let you give the job more time; SLURM says: Access/permission "
            "denied");
  EXPECT_EQ(row(id).ends_at, before + 30 * 60'000);
  ASSERT_TRUE(end(id));
  EXPECT_EQ(code(extend(30)), Errc::kNotFound);
}

TEST_F(LaunchedSessionsTest, AnAttachedSessionHasNeitherLogNorMoreTime) {
  make();
  run_jobs("alice", {{"4711", "c1"}});
  const auto id = create("alice")->row.id;
  Errc why = Errc::kUsage;
  sessions->extend(id, 30, [&](const auto& result) { why = code(result); });
  play();
  EXPECT_EQ(why, Errc::kConflict);
  const auto reading = sessions->read_log(
      id, kJobLogTail, [&](const auto& part) { why = part ? Errc::kUsage : part.error().code; });
  play();
  EXPECT_EQ(why, Errc::kNotFound);
}

TEST_F(LaunchedSessionsTest, RestartWhileTheAnswerOfSbatchWasOutstanding) {
  make();
  launcher.hold = true;
  const auto id = launch("alice")->row.id;
  const auto waiting = launch("alice")->row.id;
  ASSERT_EQ(state(id), "submitting");
  const auto contents = stored();
  sessions.reset();
  scheduler.run();
  launcher.hold = false;
  launcher.finds[id] = std::optional<std::string>("77");
  make(contents);
  EXPECT_EQ(state(id), "pending");
  EXPECT_EQ(row(id).job_id, "77");
  EXPECT_EQ(launcher.count("submit"), 1U) << "not again";
  EXPECT_EQ(reason(waiting), "queued (1st)") << "it has the turn still";
}

TEST_F(LaunchedSessionsTest, RestartOfAllStates) {
  make();
  const auto runs = running("alice");
  const auto pending = launch("alice")->row.id;
  const auto queued = launch("alice")->row.id;
  const auto last = launch("alice")->row.id;
  const auto contents = stored();
  sessions.reset();
  scheduler.run();
  make(contents);
  EXPECT_EQ(state(runs), "running");
  EXPECT_EQ(state(pending), "pending");
  EXPECT_EQ(reason(queued), "queued (1st)");
  EXPECT_EQ(reason(last), "queued (2nd)");
  EXPECT_EQ(launcher.count("submit"), 2U);
  EXPECT_TRUE(poller.watched("4711"));
  EXPECT_TRUE(poller.watched("4712"));
}

TEST_F(LaunchedSessionsTest, ARestartKeepsWhoseTurnIsNext) {
  options.launches.launching_max = 1;
  make();
  for (int i = 0; i < 3; ++i) launch("alice");
  for (int i = 0; i < 2; ++i) launch("bob");
  const auto order = [&] {
    std::map<unsigned, std::string> out;
    for (const auto& info : sessions->list(std::nullopt)) {
      if (info.queue_position) out[*info.queue_position] = info.row.id;
    }
    return out;
  };
  list("4711", "RUNNING", "c1");
  run_jobs("alice", {{"4711", "c1"}});
  advance(kSearchBackOffMostMs);  // alice's first runs, her second has the turn
  const auto before = order();
  ASSERT_EQ(before.size(), 3U);
  EXPECT_EQ(row(before.at(1)).key.user, "bob");
  EXPECT_EQ(row(before.at(2)).key.user, "alice");
  EXPECT_EQ(row(before.at(3)).key.user, "bob");
  const auto contents = stored();
  sessions.reset();
  scheduler.run();
  make(contents);
  EXPECT_EQ(order(), before);
}

TEST_F(LaunchedSessionsTest, RestartWhileEndingGoesOnEnding) {
  make();
  const auto id = running();
  launcher.hold = true;
  ASSERT_TRUE(end(id));
  const auto contents = stored();
  sessions.reset();
  scheduler.run();
  launcher.hold = false;
  make(contents);
  EXPECT_EQ(state(id), "ended");
  EXPECT_EQ(launcher.count("end"), 2U);
}

// The fake hpc-proxy says nothing of its activity, and what says nothing is not idle; so what is
// seen here is that it is asked at all. What comes of answers is tested with IdleWatch.
TEST_F(LaunchedSessionsTest, IdlenessIsWatchedWhereItEndsSessions) {
  make();
  const auto id = running();
  auto& site = logins.at("alice", "main").site;
  // Spare channels are made anew all the time; each question takes one more.
  const auto channels_made = [&](std::uint64_t idle_ms) {
    options.idle_end_ms = idle_ms;
    sessions->reconfigure(options);
    const int before = site.channels;
    advance(10 * kIdleAskEveryMs);
    return site.channels - before;
  };
  channels_made(0);
  const int off = channels_made(0);
  EXPECT_GT(channels_made(60 * kIdleAskEveryMs), off);
  channels_made(0);
  EXPECT_EQ(channels_made(0), off);
  EXPECT_EQ(state(id), "running");
}

TEST_F(LaunchedSessionsTest, NewLimitsCountAtOnce) {
  make();
  launch("alice");
  const auto two = launch("alice")->row.id;
  options.launches.launching_per_user_max = 2;
  sessions->reconfigure(options);
  play();
  EXPECT_EQ(state(two), "pending");
}

}  // namespace
}  // namespace hpc
