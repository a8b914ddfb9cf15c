#include "manager/session/login_exec.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tests/support/fake_logins.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

using State = ClusterLogin::State;

struct LoginExecTest : ::testing::Test {
  LoginExecTest() {
    place.site.run = [](const FakeCommand& asked) {
      return ExecOutput{"did " + asked.command + " with " + asked.input, "", 3};
    };
  }
  void begin() {
    pending = login_exec(scheduler, logins, "alice", "main", "sh -s", "text", 5'000,
                         [this](const Result<ExecOutput>& output) {
                           ++answers;
                           answer = output;
                           if (action) action();
                         });
  }
  std::string trouble() const {
    if (!answer) return "no answer";
    return *answer ? "none" : describe(answer->error());
  }
  Errc code() const { return answer && !*answer ? answer->error().code : Errc::kUsage; }
  /// Does the login know that nobody needs it any more?
  bool let_go() {
    scheduler.advance(kLoginIdleMs);
    return place.login->state() == State::kIdle || place.login->state() == State::kStopped;
  }

  ManualScheduler scheduler;
  FakeLogins logins{scheduler};
  FakeLogins::Place& place = logins.at("alice", "main");
  std::unique_ptr<Pending> pending;
  std::optional<Result<ExecOutput>> answer;
  int answers = 0;
  std::function<void()> action;  // called from inside the answer
};

TEST_F(LoginExecTest, ConnectsRunsAndLetsGo) {
  begin();
  EXPECT_EQ(answers, 0) << "in a later turn";
  scheduler.run();
  ASSERT_EQ(answers, 1);
  EXPECT_EQ((*answer)->out, "did sh -s with text");
  EXPECT_EQ((*answer)->exit_status, 3);
  EXPECT_EQ(place.site.commands.back().timeout_ms, 5'000U);
  EXPECT_TRUE(let_go()) << "before its answer was destroyed";
  EXPECT_EQ(answers, 1);
}

TEST_F(LoginExecTest, UsesALoginThatIsUp) {
  begin();
  scheduler.run();
  answer.reset();
  begin();
  EXPECT_FALSE(answer);
  scheduler.run();
  EXPECT_EQ(trouble(), "none");
  EXPECT_EQ(place.connector.connects, 1);
}

TEST_F(LoginExecTest, HoldsTheLoginWhileTheCommandRuns) {
  place.site.silent = true;
  begin();
  scheduler.advance(10 * kLoginIdleMs);
  EXPECT_EQ(place.login->state(), State::kUp);
  EXPECT_EQ(answers, 0) << "its time is bounded by the connection, not by the wait for it";
  pending.reset();
  EXPECT_TRUE(let_go());
}

TEST_F(LoginExecTest, PassesTheCommandsErrorOn) {
  place.site.run = [](const FakeCommand&) { return fail(Errc::kTimeout, "ssh.exec", "too slow"); };
  begin();
  scheduler.run();
  EXPECT_EQ(trouble(), "ssh.exec: too slow");
  EXPECT_EQ(code(), Errc::kTimeout);
}

TEST_F(LoginExecTest, ThereIsNoSuchLogin) {
  logins.refuse = fail(Errc::kConfig, "login", "no key for alice");
  begin();
  EXPECT_EQ(answers, 0);
  scheduler.run();
  EXPECT_EQ(trouble(), "login: no key for alice");
  EXPECT_EQ(code(), Errc::kConfig);
}

TEST_F(LoginExecTest, ALoginThatFailsIsWaitedFor) {
  place.connector.result = fail(Errc::kNetwork, "ssh.connect", "no route");
  begin();
  scheduler.advance(10'000);
  EXPECT_EQ(answers, 0);
  place.connector.result = {};
  scheduler.advance(10'000);
  EXPECT_EQ(trouble(), "none");
}

TEST_F(LoginExecTest, WaitsForALoginSoLongAndNoLonger) {
  place.connector.result = fail(Errc::kNetwork, "ssh.connect", "no route\nmore");
  begin();
  scheduler.advance(kLoginWaitMs - 1);
  EXPECT_EQ(answers, 0);
  scheduler.advance(1);
  EXPECT_EQ(trouble(),
            "login: the SSH connection to main as alice was not up within 60 s: no route");
  EXPECT_EQ(code(), Errc::kUnavailable);
  EXPECT_TRUE(let_go());
  EXPECT_EQ(answers, 1);
}

TEST_F(LoginExecTest, WaitsForAServerThatIsSilent) {
  place.connector.answers = false;
  begin();
  scheduler.advance(kLoginWaitMs);
  EXPECT_EQ(trouble(), "login: the SSH connection to main as alice was not up within 60 s");
}

TEST_F(LoginExecTest, ALoginThatIsRefusedEndsIt) {
  place.connector.result = fail(Errc::kUnauthorized, "ssh.auth", "the key is not known\nmore");
  begin();
  scheduler.run();
  EXPECT_EQ(trouble(), "login: the key is not known");
  EXPECT_EQ(code(), Errc::kUnavailable);
  answer.reset();
  begin();
  scheduler.run();
  EXPECT_EQ(trouble(), "login: the key is not known") << "one that was stopped before";
  EXPECT_EQ(place.connector.connects, 1);
}

TEST_F(LoginExecTest, ALoginThatComesUpWhileTheRefusalIsToldIsTooLate) {
  place.connector.result = fail(Errc::kUnauthorized, "ssh.auth", "the key is not known");
  FakeSshConnection* adopted = nullptr;
  struct Adopter final : ClusterLogin::Watcher {
    void on_login_up(SshConnection&) override {}
    void on_login_down(const Error&) override {}
    void on_login_stopped(const Error&) override { adopt(); }
    void on_login_progress(const std::string&) override {}
    std::function<void()> adopt;
  } adopter;
  adopter.adopt = [&] {
    place.login->adopt(std::make_unique<FakeSshConnection>(scheduler, place.site, adopted));
  };
  place.login->watch(adopter);
  begin();
  scheduler.run();
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(trouble(), "login: the key is not known");
  EXPECT_EQ(place.site.execs, 0) << "after its failure it must not run";
  place.login->unwatch(adopter);
}

TEST_F(LoginExecTest, AConnectionThatDiesTakesTheCommandWithIt) {
  place.site.silent = true;
  begin();
  scheduler.run();
  place.connector.current->die("reset by peer");
  scheduler.run();
  EXPECT_EQ(trouble(), "login: the SSH connection was lost: reset by peer");
  EXPECT_EQ(code(), Errc::kNetwork);
  scheduler.advance(10 * kLoginWaitMs);
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(place.site.execs, 1) << "whether it has run is the caller's question";
}

TEST_F(LoginExecTest, AnAnswerThatComesWithTheLossIsToldOnce) {
  begin();
  while (place.site.execs == 0) scheduler.run_one();
  place.connector.current->die("reset by peer");
  scheduler.run();
  EXPECT_EQ(answers, 1);
}

TEST_F(LoginExecTest, MayBeDestroyedInsideItsAnswer) {
  for (const bool refused : {false, true}) {
    if (refused) logins.refuse = fail(Errc::kNotFound, "login", "no such cluster");
    answers = 0;
    action = [this] { pending.reset(); };
    begin();
    scheduler.run();
    EXPECT_EQ(answers, 1);
    EXPECT_EQ(pending, nullptr);
  }
}

TEST_F(LoginExecTest, MayBeginTheNextInsideItsAnswer) {
  action = [this] {
    if (answers == 1) begin();
  };
  begin();
  scheduler.run();
  EXPECT_EQ(answers, 2);
  EXPECT_EQ(place.connector.connects, 1);
}

// After so many turns: before the connect, during it, with the command on its way, with its answer
// on its way; and the same on the way to a failure.
TEST_F(LoginExecTest, DestroyedAtEveryMomentItSaysNothing) {
  for (const bool dies : {false, true}) {
    for (int turns = 0; turns < 8; ++turns) {
      ManualScheduler clock;
      FakeLogins all(clock);
      auto& at = all.at("alice", "main");
      at.site.silent = dies;
      int told = 0;
      auto exec = login_exec(clock, all, "alice", "main", "true", "", 1'000,
                             [&](const Result<ExecOutput>&) { ++told; });
      for (int i = 0; i < turns; ++i) {
        if (dies && i == 2 && at.connector.current != nullptr) at.connector.current->die("gone");
        clock.run_one();
      }
      const int before = told;
      exec.reset();
      clock.advance(2 * kLoginWaitMs);
      EXPECT_EQ(told, before) << turns;
      EXPECT_EQ(at.login->state(), State::kIdle) << "the login was let go, after " << turns;
    }
  }
}

}  // namespace
}  // namespace hpc
