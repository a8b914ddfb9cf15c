#include "manager/session/live_sessions.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/live_sessions_fixture.h"

namespace hpc {
namespace {

using LiveSessionsTest = LiveSessionsFixture;

TEST_F(LiveSessionsTest, AttachesToTheJobThatRuns) {
  make();
  run_jobs("alice", {{"4711", "c1"}});
  const auto created = create("alice");
  ASSERT_TRUE(created);
  EXPECT_EQ(created->row.key, (SessionKey{"alice", "main", "vscode", 1}));
  EXPECT_EQ(created->row.id.size(), 32U);
  EXPECT_EQ(created->url, "https://hpc.example.org/user/alice/main/vscode/");
  EXPECT_TRUE(created->active);
  const auto now = row(created->row.id);
  EXPECT_EQ(state(now.id), "running");
  EXPECT_EQ(now.job_id, "4711");
  EXPECT_EQ(now.node, "c1");
  EXPECT_EQ(now.started_at, wall_ms);
  EXPECT_EQ(now.ends_at, 1'795'251'600'000);
  EXPECT_TRUE(sessions->route(now.id)->tunnel.ready());
  EXPECT_EQ(sessions->active_of("alice")->row.id, now.id);
}

TEST_F(LiveSessionsTest, EveryChangeIsAnEventThatIsStoredFirst) {
  struct Watcher final : EventLog::Subscriber {
    void on_event(const Event& event) override { types.push_back(event.type); }
    void on_gap() override { types.emplace_back("gap"); }
    std::vector<std::string> types;
  } watcher;
  make();
  const auto watch = events.watch_user("alice", 0, watcher);
  run_jobs("alice", {{"4711", "c1"}});
  create("alice");
  const auto states = store.all<PutSession>();
  std::vector<std::string> seen;
  for (const auto& put : states) seen.emplace_back(state_name(put.row.state));
  EXPECT_EQ(seen, (std::vector<std::string>{"queued", "starting", "running"}));
  EXPECT_EQ(std::count(watcher.types.begin(), watcher.types.end(), "state"), 3);
  EXPECT_GE(std::count(watcher.types.begin(), watcher.types.end(), "progress"), 1);
}

TEST_F(LiveSessionsTest, TwoSessionsOfAUserNeverHaveOneJob) {
  make();
  run_jobs("alice", {{"4711", "c1"}, {"4712", "c2"}});
  const auto first = create("alice");
  const auto second = create("alice");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->row.key.slot, 2U);
  EXPECT_NE(row(first->row.id).job_id, row(second->row.id).job_id);
  const auto third = create("alice");
  ASSERT_TRUE(third);
  EXPECT_EQ(state(third->row.id), "starting") << "it waits for a job of its own";
  run_jobs("alice", {{"4711", "c1"}, {"4712", "c2"}, {"4713", "c1"}});
  advance(10'000);
  EXPECT_EQ(row(third->row.id).job_id, "4713");
}

TEST_F(LiveSessionsTest, TheJobCanBeNamed) {
  make();
  run_jobs("alice", {{"4711", "c1"}, {"4712", "c2"}});
  const auto named = create({"alice", "main", "vscode", std::nullopt, "4712", ""});
  EXPECT_EQ(row(named->row.id).node, "c2");
  EXPECT_EQ(code(create({"alice", "main", "jupyter", std::nullopt, "4712", ""})), Errc::kConflict);
  EXPECT_EQ(row(create("alice", "jupyter")->row.id).job_id, "4711");
  // Somebody else's job of the same number is on another cluster, or is his own.
  run_jobs("bob", {{"4712", "c2"}});
  EXPECT_TRUE(create({"bob", "main", "vscode", std::nullopt, "4712", ""}));
}

TEST_F(LiveSessionsTest, SlotsAreTheLowestFreeOrTheOneNamed) {
  make();
  EXPECT_EQ(create("alice")->row.key.slot, 1U);
  EXPECT_EQ(create({"alice", "main", "vscode", 3, std::nullopt, kAttach})->row.key.slot, 3U);
  EXPECT_EQ(create("alice")->row.key.slot, 2U);
  EXPECT_EQ(code(create({"alice", "main", "vscode", 3, std::nullopt, kAttach})), Errc::kConflict);
  EXPECT_EQ(create("alice")->row.key.slot, 4U);
  EXPECT_EQ(create("alice", "jupyter")->row.key.slot, 1U);
  EXPECT_EQ(create("bob")->row.key.slot, 1U);
}

TEST_F(LiveSessionsTest, LimitsAtTheBoundAndOnePast) {
  options.sessions_max = 3;
  options.sessions_per_user_max = 2;
  make();
  EXPECT_TRUE(create("alice"));
  EXPECT_TRUE(create("alice"));
  const auto third = create("alice");
  EXPECT_EQ(code(third), Errc::kTooMany);
  EXPECT_NE(third.error().detail.find("end one first"), std::string::npos);
  EXPECT_TRUE(create("bob"));
  EXPECT_EQ(code(create("carol")), Errc::kUnavailable);
  EXPECT_EQ(code(create({"bob", "nowhere", "x", std::nullopt, std::nullopt, kAttach})),
            Errc::kNotFound);
  options.sessions_max = 4;
  options.clusters = {{"main", "login01"}};
  sessions->reconfigure(options);
  EXPECT_TRUE(create("carol"));
  EXPECT_EQ(code(create({"dave", "gpu", "x", std::nullopt, std::nullopt, kAttach})),
            Errc::kNotFound);
}

TEST_F(LiveSessionsTest, EndingOneLeavesTheOthersAlone) {
  make();
  run_jobs("alice", {{"4711", "c1"}, {"4712", "c2"}});
  run_jobs("bob", {{"4720", "c1"}});
  const auto one = create("alice")->row.id;
  const auto two = create("alice")->row.id;
  const auto other = create("bob")->row.id;
  EXPECT_TRUE(end(one));
  EXPECT_EQ(state(one), "ended");
  EXPECT_EQ(row(one).reason, "ended by its user");
  EXPECT_EQ(row(one).ended_at, wall_ms);
  EXPECT_EQ(cut, std::vector<std::string>{one});
  EXPECT_FALSE(sessions->route(one));
  EXPECT_FALSE(sessions->route(SessionKey{"alice", "main", "vscode", 1}));
  for (const auto& id : {two, other}) {
    EXPECT_EQ(state(id), "running");
    EXPECT_EQ(sessions->route(row(id).key)->id, id);
    EXPECT_TRUE(sessions->route(id)->tunnel.ready());
  }
  EXPECT_EQ(sessions->list("alice").size(), 1U);
  EXPECT_EQ(sessions->list(std::nullopt).size(), 2U);
  EXPECT_EQ(sessions->find(SessionKey{"alice", "main", "vscode", 1})->row.id, one);
  EXPECT_EQ(end(one).error().code, Errc::kNotFound);
  EXPECT_EQ(end("nothing").error().code, Errc::kNotFound);
  const auto again = create("alice");
  EXPECT_EQ(again->row.key.slot, 1U) << "the slot is free again";
  EXPECT_EQ(sessions->find(again->row.key)->row.id, again->row.id) << "the live one comes first";
}

TEST_F(LiveSessionsTest, ActiveIsOnePerUserAndNeverAGuess) {
  make();
  const auto a = create("alice")->row.id;
  const auto b = create("alice")->row.id;
  const auto c = create("alice")->row.id;
  const auto bobs = create("bob")->row.id;
  EXPECT_EQ(sessions->active_of("alice")->row.id, a);
  std::optional<Result<SessionInfo>> answered;
  sessions->activate(b, [&](auto result) { answered = result; });
  play();
  ASSERT_TRUE(answered && *answered);
  EXPECT_TRUE((*answered)->active);
  EXPECT_EQ(sessions->active_of("alice")->row.id, b);
  EXPECT_EQ(sessions->active_of("bob")->row.id, bobs);
  end(b);
  EXPECT_FALSE(sessions->active_of("alice")) << "two are left";
  end(a);
  EXPECT_FALSE(sessions->active_of("alice")) << "nobody has chosen";
  EXPECT_EQ(stored().active, (std::map<std::string, std::string>{{"bob", bobs}}));
  sessions->activate(c, [](const auto&) {});
  play();
  end(bobs);
  EXPECT_FALSE(sessions->active_of("bob"));
  EXPECT_EQ(stored().active, (std::map<std::string, std::string>{{"alice", c}}));
}

TEST_F(LiveSessionsTest, ATunnelThatBreaksIsReconnectedAndTold) {
  make();
  run_jobs("alice", {{"4711", "c1"}});
  const auto id = create("alice")->row.id;
  logins.at("alice", "main").connector.current->die("reset by peer");
  play();
  EXPECT_EQ(state(id), "reconnecting");
  EXPECT_NE(row(id).reason.find("reset by peer"), std::string::npos) << row(id).reason;
  advance(5'000);
  EXPECT_EQ(state(id), "running");
  EXPECT_EQ(row(id).reason, "");
}

TEST_F(LiveSessionsTest, SessionsOfAUserShareOneConnection) {
  make();
  run_jobs("alice", {{"4711", "c1"}, {"4712", "c2"}});
  create("alice");
  create("alice");
  EXPECT_EQ(logins.at("alice", "main").connector.connects, 1);
}

TEST_F(LiveSessionsTest, AJobThatIsGoneEndsItsSession) {
  make();
  run_jobs("alice", {{"4711", "c1"}});
  const auto id = create("alice")->row.id;
  auto& place = logins.at("alice", "main");
  place.site.report = report_of({});
  place.site.job_report = "q=CANCELLED\n";
  place.connector.current->die("node down");
  advance(20'000);
  EXPECT_EQ(state(id), "ended");
  EXPECT_EQ(row(id).reason, "job 4711 has ended (CANCELLED)");
  EXPECT_EQ(cut, std::vector<std::string>{id});
}

TEST_F(LiveSessionsTest, AJobThatSlurmDoesNotSpeakOfIsNotGone) {
  make();
  run_jobs("alice", {{"4711", "c1"}});
  const auto id = create("alice")->row.id;
  auto& place = logins.at("alice", "main");
  place.site.report = report_of({});
  for (const char* said :
       {"q=slurm_load_jobs error: Unable to contact slurm controller\n", "q=PENDING\n", ""}) {
    place.site.job_report = said;
    if (place.connector.current != nullptr) place.connector.current->die("again");
    advance(60'000);
    EXPECT_EQ(state(id), "reconnecting") << said;
  }
  run_jobs("alice", {{"4711", "c2"}});
  advance(60'000);
  EXPECT_EQ(state(id), "running");
  EXPECT_EQ(row(id).node, "c2") << "requeued to another node, the same session";
}

TEST_F(LiveSessionsTest, ARestartKnowsEverythingAndComesBack) {
  make_ports(9'000, 9'003);
  make();
  run_jobs("alice", {{"4711", "c1"}});
  const auto running = create("alice")->row.id;
  const auto waiting = create("alice")->row.id;
  const auto gone = create("alice")->row.id;
  end(gone);
  const auto before = stored();
  const auto port = sessions->find(running)->local_port;
  sessions.reset();
  ports.reset();
  make_ports(9'000, 9'003);
  make(before);
  EXPECT_EQ(state(running), "running");
  EXPECT_EQ(state(waiting), "starting");
  EXPECT_EQ(state(gone), "ended");
  EXPECT_EQ(sessions->find(running)->local_port, port);
  EXPECT_EQ(sessions->active_of("alice")->row.id, running);
  EXPECT_EQ(sessions->count_by_state(),
            (std::map<SessionState, std::size_t>{{SessionState::kRunning, 1},
                                                 {SessionState::kStarting, 1}}));
}

TEST_F(LiveSessionsTest, ARestartOfAnAttachedSessionNeverTakesAnotherJob) {
  make();
  run_jobs("alice", {{"4711", "c1"}});
  const auto id = create("alice")->row.id;
  const auto before = stored();
  sessions.reset();
  run_jobs("alice", {{"4712", "c1"}});
  logins.at("alice", "main").site.job_report = "q=PENDING\n";
  make(before);
  advance(60'000);
  EXPECT_EQ(state(id), "reconnecting");
  EXPECT_EQ(row(id).job_id, "4711");
}

TEST_F(LiveSessionsTest, ARestartTellsOfEventsThatAreGone) {
  struct Watcher final : EventLog::Subscriber {
    void on_event(const Event&) override {}
    void on_gap() override { ++gaps; }
    int gaps = 0;
  } alices, bobs;
  StoreContents before;
  before.last_event_number = 9;
  before.forgotten_through = {{"alice", 7}};
  make(before);
  const auto one = events.watch_user("alice", 5, alices);
  const auto two = events.watch_user("bob", 0, bobs);
  EXPECT_EQ(alices.gaps, 1);
  EXPECT_EQ(bobs.gaps, 0);
}

TEST_F(LiveSessionsTest, PortsAreLentAndComeBack) {
  make_ports(9'000, 9'001);
  make();
  const auto a = create("alice");
  const auto b = create("bob");
  ASSERT_TRUE(a && b);
  EXPECT_NE(a->local_port, b->local_port);
  const auto c = create("carol");
  ASSERT_FALSE(c);
  EXPECT_EQ(c.error().code, Errc::kUnavailable);
  EXPECT_EQ(sessions->port_report()->ranges.at("local").allocated, 2U);
  end(a->row.id);
  EXPECT_EQ(sessions->port_report()->ranges.at("local").allocated, 1U);
  EXPECT_TRUE(create("carol"));
}

TEST_F(LiveSessionsTest, APortThatIsTakenMeanwhileIsReplaced) {
  make_ports(9'000, 9'001);
  make();
  const auto id = create("alice")->row.id;
  const auto before = stored();
  const auto port = *sessions->find(id)->local_port;
  sessions.reset();
  ports.reset();
  binder.refused.insert(port);
  make_ports(9'000, 9'001);
  make(before);
  EXPECT_NE(*sessions->find(id)->local_port, port);
  EXPECT_EQ(stored().leases.size(), 1U);
  EXPECT_EQ(stored().leases.front().port, *sessions->find(id)->local_port);
}

TEST_F(LiveSessionsTest, WhatCannotBeStoredIsNotCreated) {
  make_ports(9'000, 9'000);
  make();
  disk = fail(Errc::kSystem, "store", "the disk is full");
  const auto refused = create("alice");
  EXPECT_EQ(code(refused), Errc::kUnavailable);
  EXPECT_NE(refused.error().detail.find("the disk is full"), std::string::npos);
  EXPECT_TRUE(sessions->list(std::nullopt).empty());
  EXPECT_FALSE(sessions->active_of("alice"));
  disk = {};
  EXPECT_TRUE(create("alice")) << "slot and port are free again";
}

TEST_F(LiveSessionsTest, AnEndThatCouldNotBeStoredIsStoredLater) {
  make();
  const auto id = create("alice")->row.id;
  disk = fail(Errc::kSystem, "store", "the disk is full");
  EXPECT_TRUE(end(id)) << "it has ended all the same";
  EXPECT_EQ(state(id), "ended");
  EXPECT_NE(stored().sessions.front().row.state, SessionState::kEnded);
  disk = {};
  advance(kStoreRetryMs);
  EXPECT_EQ(stored().sessions.front().row.state, SessionState::kEnded);
}

TEST_F(LiveSessionsTest, NoKeyIsNoEndAndIsLookedForAgain) {
  make();
  logins.refuse = fail(Errc::kConfig, "identity", "/etc/hpc/keys/alice is not there");
  const auto id = create("alice")->row.id;
  EXPECT_EQ(state(id), "starting");
  EXPECT_EQ(sessions->route(id)->tunnel.trouble(), "/etc/hpc/keys/alice is not there");
  std::string failure;
  UpstreamLease lease;
  const auto pending = sessions->route(id)->pool.take(
      Tunnel::kMayWait, true, lease,
      [&](const auto& taken) { failure = taken ? "a channel" : taken.error().detail; });
  play();
  EXPECT_EQ(failure, "/etc/hpc/keys/alice is not there");
  logins.refuse = {};
  run_jobs("alice", {{"4711", "c1"}});
  advance(kLoginRetryMs);
  EXPECT_EQ(state(id), "running");
}

TEST_F(LiveSessionsTest, ActivityIsStoredNowAndThen) {
  make();
  const auto id = create("alice")->row.id;
  const auto writes = store.stored.size();
  sessions->note_activity(id);
  sessions->note_activity(id);
  play();
  EXPECT_EQ(store.stored.size(), writes + 1);
  EXPECT_EQ(row(id).last_activity, wall_ms);
  wall_ms += kActivityStoredEveryMs;
  sessions->note_activity(id);
  play();
  EXPECT_EQ(store.stored.size(), writes + 2);
  sessions->note_activity("nothing");
}

TEST_F(LiveSessionsTest, ClustersTellHowTheLoginIs) {
  make();
  run_jobs("alice", {{"4711", "c1"}});
  create("alice");
  const auto clusters = sessions->clusters("alice");
  ASSERT_EQ(clusters.size(), 2U);
  EXPECT_EQ(clusters[0].name, "main");
  EXPECT_EQ(clusters[0].host, "login01");
  EXPECT_EQ(clusters[0].login, "up");
  EXPECT_EQ(clusters[1].login, "down");
  EXPECT_EQ(sessions->clusters("bob")[0].login, "down");
  EXPECT_EQ(logins.size(), 1U) << "looking makes none";
}

}  // namespace
}  // namespace hpc
