#include "manager/session/ssh_login.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "manager/session/ssh_logins.h"
#include "tests/support/fake_ssh.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

using State = ClusterLogin::State;

struct RecordingWatcher final : ClusterLogin::Watcher {
  void on_login_up(SshConnection& up) override {
    news += "up ";
    connection = &up;
    act();
  }
  void on_login_down(const Error& why) override {
    news += "down ";
    last = why;
    connection = nullptr;
    act();
  }
  void on_login_stopped(const Error& why) override {
    news += "stopped ";
    last = why;
    act();
  }
  void on_login_progress(const std::string& text) override { said += text + "\n"; }
  void act() {
    if (action) action();
  }

  std::string news;
  std::string said;
  std::optional<Error> last;
  SshConnection* connection = nullptr;
  std::function<void()> action;  // called from inside each
};

struct SshLoginTest : ::testing::Test {
  std::unique_ptr<SshLogin> make(bool config_may_heal = false) {
    SshLogin::Options options;
    options.target = [this] { return target; };
    options.destination = "login01 as alice";
    options.config_may_heal = config_may_heal;
    return std::make_unique<SshLogin>(
        scheduler, connector, prompter, [](std::uint32_t n) { return n - 1; }, std::move(options));
  }
  static Result<SshTarget> alice() {
    SshTarget target;
    target.host = "login01";
    target.user = "alice";
    return target;
  }
  std::unique_ptr<SshConnection> other_connection() {
    return std::make_unique<FakeSshConnection>(scheduler, site, other);
  }
  void watch(RecordingWatcher& watcher) {
    login->watch(watcher);
    scheduler.run();
  }
  void follow(State state) { EXPECT_EQ(state_name(login->state()), state_name(state)); }

  ManualScheduler scheduler;
  FakeSite site;
  FakeSshConnector connector{scheduler, site};
  FakePrompter prompter;
  Result<SshTarget> target = alice();
  FakeSshConnection* other = nullptr;
  RecordingWatcher first;
  RecordingWatcher second;
  std::unique_ptr<SshLogin> login = make();
};

TEST_F(SshLoginTest, NobodyNeedsItSoItDoesNothing) {
  scheduler.advance(3'600'000);
  EXPECT_EQ(connector.connects, 0);
  follow(State::kIdle);
}

TEST_F(SshLoginTest, WatchersShareOneConnection) {
  watch(first);
  EXPECT_EQ(first.news, "up ");
  EXPECT_EQ(first.said, "connecting to login01 as alice ...\n");
  login->watch(second);
  EXPECT_EQ(second.news, "") << "told in a later turn";
  scheduler.run();
  EXPECT_EQ(second.news, "up ");
  EXPECT_EQ(second.connection, first.connection);
  EXPECT_EQ(first.news, "up ") << "told once";
  EXPECT_EQ(connector.connects, 1);
}

TEST_F(SshLoginTest, AFirstFailureIsTriedAgain) {
  connector.result = fail(Errc::kNetwork, "ssh.connect", "no route to host\nmore");
  watch(first);
  follow(State::kWaiting);
  EXPECT_EQ(first.news, "down ");
  EXPECT_EQ(login->trouble(), "no route to host");
  connector.result = {};
  scheduler.advance(kConnectBackOffFirstMs);
  follow(State::kUp);
  EXPECT_EQ(first.news, "down up ");
  EXPECT_EQ(login->trouble(), "");
}

TEST_F(SshLoginTest, WaitsGrowToAMinuteAndNeverStop) {
  connector.result = fail(Errc::kTimeout, "ssh.connect", "silence");
  watch(first);
  scheduler.advance(3'600'000);
  EXPECT_GT(connector.connects, 60);
  EXPECT_LT(connector.connects, 70);
}

TEST_F(SshLoginTest, AWatcherThatComesWhileItIsDownIsToldWhy) {
  connector.result = fail(Errc::kNetwork, "ssh.connect", "no route to host");
  watch(first);
  watch(second);
  EXPECT_EQ(second.news, "down ");
  EXPECT_EQ(second.last->detail, "no route to host");
  EXPECT_EQ(connector.connects, 1) << "one more watcher is no reason to knock earlier";
}

TEST_F(SshLoginTest, ARefusalStopsItUntilSomebodyActs) {
  for (const Errc code : {Errc::kUnauthorized, Errc::kForbidden, Errc::kConfig}) {
    first = {};
    login = make();
    connector.result = fail(code, "ssh.auth", "no");
    connector.connects = 0;
    watch(first);
    scheduler.advance(3'600'000);
    follow(State::kStopped);
    EXPECT_EQ(first.news, "stopped ");
    EXPECT_EQ(first.last->code, code);
    EXPECT_EQ(connector.connects, 1);
    connector.result = {};
    login->retry();
    scheduler.run();
    EXPECT_EQ(first.news, "stopped up ");
    login->unwatch(first);
  }
}

TEST_F(SshLoginTest, AStoppedLoginStaysStoppedForTheNextWatcher) {
  connector.result = fail(Errc::kUnauthorized, "ssh.auth", "no");
  watch(first);
  login->unwatch(first);
  scheduler.advance(3'600'000);
  watch(second);
  EXPECT_EQ(second.news, "stopped ");
  EXPECT_EQ(connector.connects, 1);
}

TEST_F(SshLoginTest, AConfigurationThatMayHealIsTriedAgain) {
  login = make(/*config_may_heal=*/true);
  connector.result = fail(Errc::kConfig, "ssh.key", "the key file is away");
  watch(first);
  follow(State::kWaiting);
}

TEST_F(SshLoginTest, TheTargetIsAskedForBeforeEachConnect) {
  target = fail(Errc::kConfig, "identity", "no key for alice: /keys/alice");
  watch(first);
  EXPECT_EQ(first.news, "stopped ");
  EXPECT_EQ(first.last->detail, "no key for alice: /keys/alice");
  EXPECT_EQ(connector.connects, 0);
  target = alice();
  login->retry();
  scheduler.run();
  follow(State::kUp);
  EXPECT_EQ(connector.targets.back().user, "alice");
}

TEST_F(SshLoginTest, RetryWhileItWaitsBeginsTheBackOffAnew) {
  connector.result = fail(Errc::kNetwork, "ssh.connect", "no");
  watch(first);
  scheduler.advance(600'000);
  const int before = connector.connects;
  login->retry();
  scheduler.run();
  EXPECT_EQ(connector.connects, before + 1);
  EXPECT_EQ(scheduler.next_alarm_in(), kConnectBackOffFirstMs);
}

TEST_F(SshLoginTest, RetryChangesNothingWhereThereIsNothingToDo) {
  login->retry();
  scheduler.run();
  EXPECT_EQ(connector.connects, 0) << "nobody needs it";
  watch(first);
  login->retry();
  scheduler.run();
  EXPECT_EQ(connector.connects, 1) << "it is up";
}

TEST_F(SshLoginTest, ComesBackAfterALoss) {
  watch(first);
  watch(second);
  scheduler.advance(kLoginStableMs);
  connector.current->die("reset by peer");
  scheduler.run();
  EXPECT_EQ(first.news, "up down ");
  EXPECT_EQ(first.last->code, Errc::kNetwork);
  EXPECT_EQ(login->trouble(), "the SSH connection was lost: reset by peer");
  EXPECT_EQ(connector.current, nullptr) << "the dead connection is gone";
  scheduler.advance(kConnectBackOffFirstMs);
  EXPECT_EQ(first.news, "up down up ");
  EXPECT_EQ(second.news, "up down up ");
  EXPECT_NE(first.said.find("connecting again to login01 as alice"), std::string::npos);
}

TEST_F(SshLoginTest, TellsItsConnectionWhileItIsUp) {
  EXPECT_EQ(login->connection(), nullptr);
  SshConnection* seen = connector.current;
  first.action = [&] { seen = login->connection(); };
  watch(first);
  EXPECT_EQ(seen, connector.current);
  connector.current->die("gone");
  scheduler.run();
  EXPECT_EQ(seen, nullptr) << "when the watchers are told";
  EXPECT_EQ(login->connection(), nullptr);
  first.action = nullptr;
}

TEST_F(SshLoginTest, AServerThatCutsUsOffAtOnceIsAskedLessAndLess) {
  watch(first);
  int cut = 0;
  while (scheduler.now_ms() < 1'000'000 + 600'000) {
    if (connector.current != nullptr) {
      connector.current->die("go away");
      ++cut;
    }
    scheduler.advance(100);
  }
  EXPECT_LT(cut, 20);
  while (login->state() != State::kUp) scheduler.advance(1'000);
  scheduler.advance(kLoginStableMs);
  connector.current->die("one more");
  scheduler.run();
  EXPECT_EQ(scheduler.next_alarm_in(), kConnectBackOffFirstMs) << "it had been stable";
}

TEST_F(SshLoginTest, DisconnectsAfterAWhileWithoutWatchers) {
  watch(first);
  watch(second);
  login->unwatch(first);
  scheduler.advance(10 * kLoginIdleMs);
  EXPECT_NE(connector.current, nullptr) << "somebody watches";
  login->unwatch(second);
  scheduler.advance(kLoginIdleMs - 1);
  EXPECT_NE(connector.current, nullptr);
  scheduler.advance(1);
  EXPECT_EQ(connector.current, nullptr);
  follow(State::kIdle);
}

TEST_F(SshLoginTest, AWatcherInTimeKeepsTheConnection) {
  watch(first);
  login->unwatch(first);
  scheduler.advance(kLoginIdleMs - 1);
  watch(second);
  scheduler.advance(10 * kLoginIdleMs);
  EXPECT_EQ(second.news, "up ");
  EXPECT_EQ(connector.connects, 1);
}

TEST_F(SshLoginTest, ConnectingForNobodyIsGivenUp) {
  connector.answers = false;
  watch(first);
  follow(State::kConnecting);
  login->unwatch(first);
  scheduler.advance(0);
  follow(State::kIdle);
  connector.answers = true;
  watch(second);
  EXPECT_EQ(second.news, "up ");
  EXPECT_EQ(first.news, "");
}

TEST_F(SshLoginTest, WaitingForNobodyIsGivenUp) {
  connector.result = fail(Errc::kNetwork, "ssh.connect", "no");
  watch(first);
  login->unwatch(first);
  scheduler.advance(3'600'000);
  follow(State::kIdle);
  EXPECT_EQ(connector.connects, 1);
}

TEST_F(SshLoginTest, ALossThatNobodyWatchesIsNoReasonToComeBack) {
  watch(first);
  login->unwatch(first);
  connector.current->die("reset by peer");
  scheduler.advance(3'600'000);
  follow(State::kIdle);
  EXPECT_EQ(connector.connects, 1);
}

TEST_F(SshLoginTest, TheNextWatcherWakesItEvenRightAfterALoss) {
  watch(first);
  login->unwatch(first);
  connector.current->die("reset by peer");
  scheduler.run();
  watch(second);
  scheduler.advance(kConnectBackOffFirstMs);
  follow(State::kUp);
}

TEST_F(SshLoginTest, AdoptsAConnectionInEveryStateButUp) {
  login->adopt(other_connection());
  scheduler.run();
  follow(State::kUp);
  watch(first);
  EXPECT_EQ(first.connection, other);
  EXPECT_EQ(connector.connects, 0);
}

TEST_F(SshLoginTest, AdoptingHealsAStoppedLogin) {
  target = fail(Errc::kConfig, "identity", "no key");
  watch(first);
  login->adopt(other_connection());
  scheduler.run();
  EXPECT_EQ(first.news, "stopped up ");
  other->die("gone");
  scheduler.advance(kConnectBackOffFirstMs);
  EXPECT_EQ(first.news, "stopped up down stopped ") << "it cannot come back by itself";
}

TEST_F(SshLoginTest, AdoptingWhileConnectingOrWaitingEndsThat) {
  connector.answers = false;
  watch(first);
  login->adopt(other_connection());
  scheduler.run();
  follow(State::kUp);
  ASSERT_EQ(first.connection, other);
  connector.answers = true;
  connector.result = fail(Errc::kNetwork, "ssh.connect", "no");
  other->die("gone");
  scheduler.run();
  follow(State::kWaiting);
  login->adopt(other_connection());
  scheduler.advance(3'600'000);
  EXPECT_EQ(first.connection, other);
  EXPECT_EQ(connector.connects, 1) << "the back-off is over";
  login->unwatch(first);
}

TEST_F(SshLoginTest, WhatIsUpStaysAndTheSecondConnectionGoes) {
  watch(first);
  login->adopt(other_connection());
  scheduler.run();
  EXPECT_EQ(first.connection, connector.current);
  EXPECT_EQ(other, nullptr);
  EXPECT_EQ(first.news, "up ");
}

TEST_F(SshLoginTest, AnAdoptedConnectionIsKeptOverTheDay) {
  login->adopt(other_connection());
  scheduler.advance(kAdoptedLoginIdleMs - 1);
  EXPECT_NE(other, nullptr);
  scheduler.advance(1);
  EXPECT_EQ(other, nullptr);
}

TEST_F(SshLoginTest, AWatcherMayActFromInside) {
  first.action = [this] { login->unwatch(second); };
  login->watch(first);
  watch(second);
  EXPECT_EQ(first.news, "up ");
  EXPECT_EQ(second.news, "");
  first.action = [this] { login->retry(); };
  connector.result = fail(Errc::kUnauthorized, "ssh.auth", "no");
  watch(second);
  connector.current->die("gone");
  scheduler.advance(kConnectBackOffFirstMs);
  EXPECT_EQ(second.news.substr(0, 16), "up down stopped ") << "all are told before the retry";
  first.action = nullptr;
  scheduler.run();
}

TEST_F(SshLoginTest, GoneMidwayItLeavesNoTrace) {
  login->watch(first);
  login->adopt(other_connection());
  login->retry();
  login.reset();
  scheduler.advance(3'600'000);
  EXPECT_EQ(first.news, "");
  EXPECT_EQ(other, nullptr);
}

TEST(LoginStateTest, WhatIsNotInTheTableIsRefused) {
  EXPECT_EQ(next_state(State::kIdle, LoginEvent::kWanted), State::kConnecting);
  EXPECT_EQ(next_state(State::kIdle, LoginEvent::kAlarm), std::nullopt);
  EXPECT_EQ(next_state(State::kUp, LoginEvent::kConnected), std::nullopt);
  for (int event = 0; event <= static_cast<int>(LoginEvent::kUnneeded); ++event) {
    const auto one = static_cast<LoginEvent>(event);
    EXPECT_FALSE(event_name(one).empty());
    const bool heals = one == LoginEvent::kRetry || one == LoginEvent::kAdopted;
    EXPECT_EQ(next_state(State::kStopped, one).has_value(), heals) << event_name(one);
  }
}

struct SshLoginsTest : SshLoginTest {
  SshLogins::Options options() {
    return {[](const std::string& user, const std::string& cluster) -> Result<SshTarget> {
              if (cluster != "main") return fail(Errc::kNotFound, "identity", "no such cluster");
              if (user == "bob") return fail(Errc::kConfig, "identity", "no key for bob");
              SshTarget made;
              made.host = "login01";
              made.user = user;
              return made;
            },
            /*adopts=*/false};
  }
  SshLogins with(SshLogins::Options chosen) {
    return {scheduler, connector, prompter, [](std::uint32_t n) { return n - 1; },
            std::move(chosen)};
  }
};

TEST_F(SshLoginsTest, OnePerUserAndCluster) {
  auto logins = with(options());
  const auto alice = logins.login("alice", "main");
  const auto carol = logins.login("carol", "main");
  ASSERT_TRUE(alice && carol);
  EXPECT_NE(*alice, *carol);
  EXPECT_EQ(logins.login("alice", "main").value_or(nullptr), *alice);
  EXPECT_EQ((*alice)->destination(), "login01 as alice");
  (*carol)->watch(first);
  scheduler.run();
  EXPECT_EQ(connector.targets.back().user, "carol");
  (*carol)->unwatch(first);
}

TEST_F(SshLoginsTest, FindMakesNone) {
  auto logins = with(options());
  EXPECT_EQ(logins.find("alice", "main"), nullptr);
  const auto made = logins.login("alice", "main");
  EXPECT_EQ(logins.find("alice", "main"), *made);
  EXPECT_EQ(logins.find("alice", "other"), nullptr);
}

TEST_F(SshLoginsTest, WhoHasNoKeyHasNoLogin) {
  auto logins = with(options());
  EXPECT_EQ(logins.login("bob", "main").error().code, Errc::kConfig);
  EXPECT_EQ(logins.login("alice", "moon").error().code, Errc::kNotFound);
}

TEST_F(SshLoginsTest, WithALoginPageTheConnectionMayComeFromThere) {
  auto chosen = options();
  chosen.adopts = true;
  auto logins = with(std::move(chosen));
  EXPECT_EQ(logins.login("alice", "moon").error().code, Errc::kNotFound);
  const auto bob = logins.login("bob", "main");
  ASSERT_TRUE(bob);
  (*bob)->watch(first);
  scheduler.run();
  EXPECT_EQ(first.news, "stopped ");
  (*bob)->adopt(other_connection());
  scheduler.run();
  EXPECT_EQ(first.news, "stopped up ");
  (*bob)->unwatch(first);
}

TEST_F(SshLoginsTest, AreBounded) {
  auto logins = with(options());
  for (std::size_t i = 0; i < kLoginsMax; ++i) {
    ASSERT_TRUE(logins.login("user" + std::to_string(i), "main"));
  }
  EXPECT_EQ(logins.login("onemore", "main").error().code, Errc::kUnavailable);
  EXPECT_TRUE(logins.login("user7", "main")) << "those that are there stay";
}

}  // namespace
}  // namespace hpc
