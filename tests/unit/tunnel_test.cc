#include "manager/session/tunnel.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "manager/session/ssh_login.h"
#include "tests/support/fake_ssh.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

const std::string kToken(64, '7');
const std::string kOtherToken(64, '8');

std::string record_lines(const std::string& node, int port, const std::string& token) {
  JobRecord record;
  record.host = node;
  record.slurm_node = node;
  record.port = static_cast<std::uint16_t>(port);
  record.pid = 77;
  record.uid = 1000;
  record.token = token;
  record.job_id = "4711";
  record.started_at = "2026-11-21T07:00:00Z";
  record.program_version = "0.1.0";
  return "directory yes\nrecord 4711.json\n|" + write_job_record(record) + "\n";
}

std::string running_on(const std::string& node, int port, const std::string& token) {
  return "host login01\nuid 1000\nsqueue 0\n=4711 " + node + " 4711\n" +
         record_lines(node, port, token);
}

struct TunnelTest : ::testing::Test, Tunnel::Observer {
  void on_tunnel_progress(const std::string& text) override { said += text + "\n"; }
  void on_tunnel_ready(const JobRecord& /*record*/, bool was_moved) override {
    ++readies;
    moved = was_moved;
  }
  void on_tunnel_down(const Error& why) override {
    ++downs;
    last_down = why;
  }
  void on_job_not_listed(const std::string& job) override { not_listed.push_back(job); }
  void on_tunnel_failed(const Error& error) override { failure = error; }

  void start(bool wait_for_job = false) {
    Tunnel::Options options;
    options.wait_for_job = wait_for_job;
    start(std::move(options));
  }
  void start(Tunnel::Options options) {
    tunnel.reset();
    login = make_login();
    Tunnel::Observer& observer = *this;
    tunnel = std::make_unique<Tunnel>(scheduler, *login, most, std::move(options), observer);
    tunnel->start();
    scheduler.run();
  }
  std::unique_ptr<SshLogin> make_login() {
    SshLogin::Options options;
    options.target = [] {
      SshTarget target;
      target.host = "login01";
      target.user = "alice";
      return target;
    };
    options.destination = "login01 as alice";
    return std::make_unique<SshLogin>(scheduler, connector, prompter, most, std::move(options));
  }
  void follow(TunnelState state) { EXPECT_EQ(state_name(tunnel->state()), state_name(state)); }
  void take(const char* key) {
    ticket = tunnel->connect(key, [this](auto stream) {
      taken = stream ? "channel" : stream.error().detail;
      if (stream) held.push_back(std::move(*stream));
    });
    scheduler.run();
  }

  const BackOff::Random most = [](std::uint32_t n) { return n - 1; };
  ManualScheduler scheduler;
  FakeSite site;
  FakeSshConnector connector{scheduler, site};
  FakePrompter prompter;
  std::unique_ptr<SshLogin> login;
  std::string said;
  int readies = 0;
  int downs = 0;
  bool moved = false;
  std::optional<Error> last_down;
  std::vector<std::string> not_listed;
  std::optional<Error> failure;
  std::string taken;
  std::vector<std::unique_ptr<Stream>> held;
  std::unique_ptr<Tunnel> tunnel;
  std::unique_ptr<Pending> ticket;

  TunnelTest() {
    site.report = running_on("c1", 45678, kToken);
    site.token = kToken;
  }
};

TEST_F(TunnelTest, FindsTheProxyAndHandsOutChannels) {
  start();
  follow(TunnelState::kReady);
  EXPECT_EQ(readies, 1);
  EXPECT_FALSE(moved);
  EXPECT_NE(said.find("connecting to login01 as alice"), std::string::npos) << said;
  EXPECT_NE(said.find("job 4711 on c1: hpc-proxy 0.1.0 answers"), std::string::npos) << said;
  EXPECT_EQ(said.find(kToken), std::string::npos);
  EXPECT_EQ(site.opened[0], "c1:45678");
  take(Tunnel::kAtOnce);
  EXPECT_EQ(taken, "channel");
}

TEST_F(TunnelTest, AFirstConnectThatFailsEndsIt) {
  for (const Errc code :
       {Errc::kNetwork, Errc::kTimeout, Errc::kUnauthorized, Errc::kForbidden, Errc::kConfig}) {
    connector.result = fail(code, "ssh.connect", "no");
    failure.reset();
    start();
    follow(TunnelState::kFailed);
    ASSERT_TRUE(failure.has_value());
    EXPECT_EQ(failure->code, code);
    scheduler.advance(3'600'000);
  }
  EXPECT_EQ(connector.connects, 5) << "never again by itself";
}

// hpc-proxy has said in its job's comment that it listens, so its record is to be seen soon.
TEST_F(TunnelTest, LateRecordIsLookedForWithoutLongWaitsButNotForEver) {
  const std::string jobs = "host login01\nuid 1000\nsqueue 0\n=4711 c1 4711 ";
  for (const bool announced : {false, true}) {
    site.report = jobs + (announced ? "hpc1 c1:45678" : "my job") + "\ndirectory yes\n";
    const int before = site.execs;
    start(/*wait_for_job=*/true);
    scheduler.advance(kSearchBackOffFirstMs * kSearchHurriesMax);
    const int searches = site.execs - before;
    if (announced) {
      EXPECT_EQ(searches, 1 + static_cast<int>(kSearchHurriesMax));
    } else {
      EXPECT_LT(searches, 6);
    }
    const int then = site.execs;
    scheduler.advance(100 * kSearchBackOffMostMs);
    EXPECT_LE(site.execs - then, 105);
    EXPECT_EQ(said.find("says that it listens on c1:45678") != std::string::npos, announced);
  }
}

TEST_F(TunnelTest, NoJobEndsItWithTheNextStep) {
  site.report = "host login01\nuid 1000\nsqueue 0\n=\ndirectory no\n";
  start();
  follow(TunnelState::kFailed);
  EXPECT_EQ(failure->code, Errc::kNotFound);
  EXPECT_NE(failure->detail.find("hpc-proxy --daemon"), std::string::npos);
}

TEST_F(TunnelTest, WithWaitItKeepsLookingAndSaysSoOnce) {
  const auto later = std::exchange(site.report, "host login01\nuid 1000\nsqueue 0\ndirectory no\n");
  start(true);
  follow(TunnelState::kWaitToSearch);
  scheduler.advance(60'000);
  EXPECT_GE(site.execs, 8);
  EXPECT_EQ(said.find("no hpc-proxy of yours"), said.rfind("no hpc-proxy of yours"));
  site.report = later;
  scheduler.advance(kSearchBackOffMostMs);
  follow(TunnelState::kReady);
  EXPECT_EQ(connector.connects, 1);
}

TEST_F(TunnelTest, AReasonToSearchCutsTheWaitShort) {
  site.report = "host login01\nuid 1000\nsqueue 0\ndirectory no\n";
  start(true);
  scheduler.advance(60'000);  // the waits are long by now
  const int before = site.execs;
  scheduler.advance(kSearchBackOffFirstMs / 2);
  ASSERT_EQ(site.execs, before);
  follow(TunnelState::kWaitToSearch);
  tunnel->search_soon();
  scheduler.advance(0);
  EXPECT_EQ(site.execs, before + 1);
}

TEST_F(TunnelTest, AnImpostorEndsItAndSeesNoToken) {
  site.token = kOtherToken;
  start(true);
  follow(TunnelState::kFailed);
  EXPECT_EQ(failure->code, Errc::kForbidden);
}

TEST_F(TunnelTest, ForwardingThatIsOffEndsIt) {
  site.channel_result = fail(Errc::kForbidden, "ssh.channel", "forwarding is off on login01");
  start();
  EXPECT_EQ(failure->code, Errc::kForbidden);
  EXPECT_NE(failure->detail.find("forwarding is off"), std::string::npos);
}

TEST_F(TunnelTest, NothingListeningEndsItAsNotFound) {
  site.channel_result = fail(Errc::kRefused, "ssh.channel", "nothing listens");
  start();
  EXPECT_EQ(failure->code, Errc::kRefused);
}

TEST_F(TunnelTest, ComesBackAfterTheSshConnectionDied) {
  start();
  connector.current->die("reset by peer");
  scheduler.run();
  follow(TunnelState::kWaitForLogin);
  EXPECT_NE(tunnel->trouble().find("reset by peer"), std::string::npos);
  scheduler.advance(kConnectBackOffFirstMs);
  follow(TunnelState::kReady);
  EXPECT_EQ(connector.connects, 2);
  EXPECT_EQ(readies, 2);
  EXPECT_EQ(downs, 1);
  EXPECT_FALSE(moved);
  EXPECT_EQ(tunnel->trouble(), "");
}

TEST_F(TunnelTest, ReconnectBacksOffAndNeverStops) {
  start();
  connector.result = fail(Errc::kNetwork, "ssh.connect", "no route to host");
  connector.current->die("gone");
  scheduler.advance(3'600'000);
  EXPECT_GT(connector.connects, 60);
  EXPECT_LT(connector.connects, 70) << "one a minute";
  connector.result = {};
  scheduler.advance(kConnectBackOffMostMs);
  follow(TunnelState::kReady);
}

TEST_F(TunnelTest, AKeyThatIsRefusedLaterEndsIt) {
  start();
  connector.result = fail(Errc::kUnauthorized, "ssh.auth", "no key was accepted");
  connector.current->die("gone");
  scheduler.advance(kConnectBackOffFirstMs);
  follow(TunnelState::kFailed);
  EXPECT_EQ(failure->code, Errc::kUnauthorized);
}

TEST_F(TunnelTest, FollowsTheJobToAnotherNode) {
  start();
  // hpc-proxy ends with its node: its channels end and nothing listens there any more.
  site.channel_result = fail(Errc::kRefused, "ssh.channel", "nothing listens");
  connector.current->last_channel->end();
  scheduler.run();
  follow(TunnelState::kWaitToSearch);
  take(Tunnel::kMayWait);
  EXPECT_EQ(taken, "") << "waits";
  scheduler.advance(3'000);
  site.channel_result = {};
  site.report = running_on("c2", 45679, kOtherToken);
  site.token = kOtherToken;
  scheduler.advance(kSearchBackOffMostMs);
  follow(TunnelState::kReady);
  EXPECT_TRUE(moved);
  EXPECT_EQ(tunnel->record()->host, "c2");
  EXPECT_EQ(site.opened.back(), "c2:45679");
  EXPECT_EQ(taken, "channel");
  EXPECT_EQ(connector.connects, 1) << "the SSH connection is still good";
}

TEST_F(TunnelTest, WhileDownOthersAreRefusedAtOnceWithTheReason) {
  start();
  connector.current->die("reset by peer");
  scheduler.run();
  take(Tunnel::kAtOnce);
  EXPECT_NE(taken.find("reset by peer"), std::string::npos);
}

TEST_F(TunnelTest, AfterItHasWorkedAnEmptyQueueIsWaitedFor) {
  start();
  site.report = "host login01\nuid 1000\nsqueue 0\ndirectory no\n";
  site.channel_result = fail(Errc::kRefused, "ssh.channel", "nothing listens");
  connector.current->last_channel->end();
  scheduler.advance(600'000);
  follow(TunnelState::kWaitToSearch);
  EXPECT_FALSE(failure.has_value());
}

TEST_F(TunnelTest, LosingSshWhileSearchingReconnects) {
  start();
  site.answers = false;
  connector.current->last_channel->end();
  scheduler.advance(kSearchBackOffFirstMs);
  connector.current->die("gone");
  site.answers = true;
  scheduler.advance(60'000);
  follow(TunnelState::kReady);
  EXPECT_EQ(connector.connects, 2);
}

TEST_F(TunnelTest, DestroyingItInEveryStateIsClean) {
  start();
  take(Tunnel::kAtOnce);
  ticket.reset();
  held.clear();
  tunnel.reset();
  scheduler.advance(120'000);
  EXPECT_EQ(connector.current, nullptr);
}

Tunnel::Options that_stays(std::optional<std::string> job = {}) {
  Tunnel::Options options;
  options.stay = true;
  options.job = std::move(job);
  return options;
}

TEST_F(TunnelTest, OneThatStaysIsTriedAgainWhateverFailsFirst) {
  connector.result = fail(Errc::kNetwork, "ssh.connect", "no route to host");
  start(that_stays());
  follow(TunnelState::kWaitForLogin);
  EXPECT_EQ(last_down->code, Errc::kNetwork);
  EXPECT_EQ(tunnel->trouble(), "no route to host");
  connector.result = {};
  site.channel_result = fail(Errc::kForbidden, "ssh.channel", "forwarding is off");
  scheduler.advance(kConnectBackOffFirstMs);
  follow(TunnelState::kWaitToSearch);
  EXPECT_EQ(last_down->code, Errc::kForbidden);
  site.channel_result = {};
  scheduler.advance(kSearchBackOffMostMs);
  follow(TunnelState::kReady);
  EXPECT_FALSE(failure.has_value());
}

TEST_F(TunnelTest, OneThatStaysWaitsForARefusedLogin) {
  connector.result = fail(Errc::kUnauthorized, "ssh.auth", "no key was accepted");
  start(that_stays());
  follow(TunnelState::kWaitForLogin);
  EXPECT_EQ(last_down->code, Errc::kUnauthorized);
  take(Tunnel::kAtOnce);
  EXPECT_EQ(taken, "no key was accepted");
  connector.result = {};
  login->retry();
  scheduler.run();
  follow(TunnelState::kReady);
}

TEST_F(TunnelTest, AJobThatIsNotListedIsToldApart) {
  site.report = "host login01\nuid 1000\nsqueue 0\n=9 c1 9\n" + record_lines("c1", 1024, kToken);
  start(that_stays("4711"));
  EXPECT_EQ(not_listed, std::vector<std::string>{"4711"});
  EXPECT_EQ(downs, 1);
  site.report = "host login01\nuid 1000\nsqueue 1\n=slurm_load_jobs error\ndirectory no\n";
  scheduler.advance(60'000);
  EXPECT_EQ(not_listed.size(), 1U) << "a squeue that fails says nothing";
  EXPECT_GT(downs, 2);
  site.report = running_on("c1", 45678, kToken);
  scheduler.advance(kSearchBackOffMostMs);
  follow(TunnelState::kReady);
}

TEST_F(TunnelTest, ARunningJobWithoutAProxyIsListed) {
  site.report = "host login01\nuid 1000\nsqueue 0\n=4711 c1 4711\ndirectory no\n";
  start(that_stays("4711"));
  EXPECT_EQ(downs, 1);
  EXPECT_TRUE(not_listed.empty());
}

TEST_F(TunnelTest, OtherJobsAreNoNewsToWhoWantsOne) {
  auto other = running_on("c1", 45678, kToken);
  other += "record stale.json\n|no JSON\n";
  site.report = other;
  start(that_stays("4711"));
  follow(TunnelState::kReady);
  EXPECT_EQ(said.find("passed over"), std::string::npos) << said;
  site.report = other;
  said.clear();
  start(that_stays());
  EXPECT_NE(said.find("passed over"), std::string::npos) << said;
}

TEST_F(TunnelTest, LeavesARecordThatItMayNotUse) {
  bool free = false;
  auto options = that_stays();
  options.may_use = [&free](const JobRecord& record) { return free && record.job_id == "4711"; };
  start(std::move(options));
  follow(TunnelState::kWaitToSearch);
  EXPECT_EQ(site.channels, 0);
  EXPECT_NE(said.find("another session of yours has it"), std::string::npos) << said;
  free = true;
  scheduler.advance(kSearchBackOffMostMs);
  follow(TunnelState::kReady);
}

TEST_F(TunnelTest, ARecordThatWasTakenMeanwhileIsLeft) {
  int asked = 0;
  auto options = that_stays();
  options.may_use = [&asked](const JobRecord&) { return ++asked == 1; };
  start(std::move(options));
  follow(TunnelState::kWaitToSearch);
  EXPECT_EQ(asked, 2) << "asked again when the channel was there";
}

TEST_F(TunnelTest, PinnedItLooksForNoOtherJob) {
  start(that_stays());
  tunnel->pin("4712");
  follow(TunnelState::kReady);
  site.channel_result = fail(Errc::kRefused, "ssh.channel", "nothing listens");
  connector.current->last_channel->end();
  scheduler.run();
  site.channel_result = {};
  scheduler.advance(60'000);
  follow(TunnelState::kWaitToSearch);
  EXPECT_FALSE(not_listed.empty());
}

struct SecondTunnelTest : TunnelTest {
  SecondTunnelTest() {
    start(that_stays());
    Tunnel::Observer& same = *this;
    other = std::make_unique<Tunnel>(scheduler, *login, most, that_stays(), same);
    other->start();
    scheduler.run();
  }
  std::unique_ptr<Tunnel> other;
};

TEST_F(SecondTunnelTest, SharesTheLogin) {
  EXPECT_EQ(connector.connects, 1);
  EXPECT_TRUE(tunnel->ready() && other->ready());
  connector.current->die("gone");
  scheduler.run();
  EXPECT_FALSE(tunnel->ready() || other->ready());
  scheduler.advance(kConnectBackOffFirstMs);
  EXPECT_TRUE(tunnel->ready() && other->ready());
  EXPECT_EQ(connector.connects, 2);
}

TEST_F(SecondTunnelTest, LivesOnWhenTheFirstIsDestroyedInAnyState) {
  take(Tunnel::kAtOnce);
  ticket.reset();
  held.clear();
  tunnel.reset();
  scheduler.advance(10 * kLoginIdleMs);
  EXPECT_TRUE(other->ready());
  EXPECT_EQ(connector.connects, 1);
  connector.current->die("gone");
  scheduler.run();
  EXPECT_EQ(state_name(other->state()), state_name(TunnelState::kWaitForLogin));
  other.reset();
  scheduler.advance(kLoginIdleMs);
  EXPECT_EQ(connector.current, nullptr);
  EXPECT_EQ(connector.connects, 1) << "nobody is left to connect for";
}

TEST(TunnelStateTest, WhatIsNotInTheTableIsRefused) {
  EXPECT_EQ(next_state(TunnelState::kIdle, TunnelEvent::kStart), TunnelState::kWaitForLogin);
  EXPECT_EQ(next_state(TunnelState::kIdle, TunnelEvent::kAlarm), std::nullopt);
  EXPECT_EQ(next_state(TunnelState::kReady, TunnelEvent::kLoginUp), std::nullopt);
  for (int event = 0; event <= static_cast<int>(TunnelEvent::kGiveUp); ++event) {
    EXPECT_EQ(next_state(TunnelState::kFailed, static_cast<TunnelEvent>(event)), std::nullopt);
    EXPECT_FALSE(event_name(static_cast<TunnelEvent>(event)).empty());
  }
}

}  // namespace
}  // namespace hpc
