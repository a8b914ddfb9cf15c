#include "manager/session/cluster_sign_in.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "manager/session/ssh_logins.h"
#include "manager/session/user_identity.h"
#include "tests/support/fake_ssh.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

using State = SshSignIn::State;

/// A server that asks when the test says so.
struct ScriptedServer final : BrowserPrompter {
  explicit ScriptedServer(Asked asked) : show(std::move(asked)) {}
  std::optional<std::string> ask(const std::string&, bool) override { return std::nullopt; }
  std::optional<bool> confirm(const std::string&) override { return std::nullopt; }
  void answer(std::string text) override { answers.push_back(std::move(text)); }
  void close() override {
    closed = true;
    show = nullptr;
  }
  bool overdue() const override { return late; }

  Asked show;
  std::vector<std::string> answers;
  bool closed = false;
  bool late = false;
};

/// As FakeSshConnector, but each connect ends when the test says so.
struct HeldConnector final : SshConnector {
  struct Held {
    SshTarget target;
    std::shared_ptr<SshPrompter> prompter;
    SshConnectDone done;
  };
  struct Cancelling final : Pending {
    explicit Cancelling(int& counter) : cancelled(counter) {}
    ~Cancelling() override { ++cancelled; }
    int& cancelled;
  };
  std::unique_ptr<Pending> connect(const SshTarget& target, std::shared_ptr<SshPrompter> prompter,
                                   SshConnectDone done) override {
    held.push_back({target, std::move(prompter), std::move(done)});
    return std::make_unique<Cancelling>(ended);
  }
  std::vector<Held> held;
  int ended = 0;  // done or cancelled
};

struct ClusterSignInTest : ::testing::Test {
  ClusterSignInTest() {
    UserIdentities::Options options;
    options.clusters = {{"main", {}}, {"mine", {}}};
    options.clusters[0].target.host = "login01";
    options.clusters[1].target.user = "carol";
    options.sign_in = true;
    identities.emplace(options);
    logins = std::make_unique<SshLogins>(
        scheduler, keys, nobody, [](std::uint32_t) { return 0U; },
        SshLogins::Options{[this](const std::string& user, const std::string& cluster) {
                             return identities->target_of(user, cluster);
                           },
                           /*adopts=*/true});
    sign_in = std::make_unique<ClusterSignIn>(
        scheduler, connector, *logins,
        [this](BrowserPrompter::Asked asked) {
          servers.push_back(std::make_shared<ScriptedServer>(std::move(asked)));
          return servers.back();
        },
        [this](const std::string& user, const std::string& cluster) {
          return identities->sign_in_target(user, cluster);
        });
  }

  std::string begin(const std::string& user = "alice") {
    const auto started = sign_in->start(user, "main");
    EXPECT_TRUE(started) << started.error().detail;
    return started.value_or("");
  }
  void ask(const std::string& text, bool echo = false) {
    servers.back()->show({text, echo});
    scheduler.run();
  }
  void let_in() {
    auto done = std::move(connector.held.back().done);
    done(std::make_unique<FakeSshConnection>(scheduler, site, connection));
    scheduler.run();
  }
  void refuse(Errc code) {
    auto done = std::move(connector.held.back().done);
    done(fail(code, "ssh.login", "alice@login01 (10.1.2.3): a secret of the operators"));
    scheduler.run();
  }
  void expect_state(const std::string& id, State state) {
    const auto view = sign_in->find(id);
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(static_cast<int>(view->state), static_cast<int>(state));
  }

  ManualScheduler scheduler;
  FakeSite site;
  FakeSshConnector keys{scheduler, site};
  FakePrompter nobody;
  HeldConnector connector;
  FakeSshConnection* connection = nullptr;
  std::vector<std::shared_ptr<ScriptedServer>> servers;
  std::optional<UserIdentities> identities;
  std::unique_ptr<SshLogins> logins;
  std::unique_ptr<ClusterSignIn> sign_in;
};

TEST_F(ClusterSignInTest, AsksAndAnswersAndSaysWhoItIs) {
  const auto id = begin();
  expect_state(id, State::kConnecting);
  EXPECT_EQ(connector.held[0].target.user, "alice");
  EXPECT_TRUE(connector.held[0].target.only_prompts);
  EXPECT_EQ(connector.held[0].prompter, servers[0]);
  ask("alice's password: ");
  auto view = *sign_in->find(id);
  EXPECT_EQ(view.question, "alice's password: ");
  EXPECT_FALSE(view.echo);
  ASSERT_TRUE(sign_in->answer(id, view.step, "s3cret"));
  EXPECT_EQ(servers[0]->answers, std::vector<std::string>{"s3cret"});
  expect_state(id, State::kConnecting);
  EXPECT_EQ(sign_in->find(id)->question, "");
  ask("Code: ", true);
  view = *sign_in->find(id);
  EXPECT_TRUE(view.echo);
  ASSERT_TRUE(sign_in->answer(id, view.step, "123456"));
  let_in();
  expect_state(id, State::kDone);
  const auto who = sign_in->take(id);
  ASSERT_TRUE(who);
  EXPECT_EQ(who->user, "alice");
  EXPECT_EQ(who->cluster, "main");
  EXPECT_EQ(sign_in->take(id).error().code, Errc::kNotFound) << "once";
}

TEST_F(ClusterSignInTest, TheConnectionBecomesTheUsersLogin) {
  begin();
  let_in();
  const auto* login = logins->find("alice", "main");
  ASSERT_NE(login, nullptr);
  EXPECT_EQ(login->state(), ClusterLogin::State::kUp);
  EXPECT_NE(connection, nullptr);
  EXPECT_EQ(keys.connects, 0);
}

TEST_F(ClusterSignInTest, WhatHasNotSucceededSignsNobodyIn) {
  const auto id = begin();
  EXPECT_EQ(sign_in->take(id).error().code, Errc::kConflict);
  ask("Password: ");
  EXPECT_EQ(sign_in->take(id).error().code, Errc::kConflict);
  refuse(Errc::kUnauthorized);
  EXPECT_EQ(sign_in->take(id).error().code, Errc::kConflict);
  EXPECT_EQ(sign_in->take("").error().code, Errc::kNotFound);
  EXPECT_EQ(logins->find("alice", "main"), nullptr);
}

TEST_F(ClusterSignInTest, ACancelledAttemptNeverComesUp) {
  const auto id = begin();
  sign_in->cancel(id);
  EXPECT_EQ(connector.ended, 1);
  EXPECT_TRUE(servers[0]->closed);
  EXPECT_EQ(sign_in->find(id), std::nullopt);
  sign_in->cancel(id);
  sign_in->cancel("unknown");
  scheduler.run();
}

TEST_F(ClusterSignInTest, IdsAreLongAndNeverTheSame) {
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(begin());
  for (const auto& id : ids) {
    EXPECT_EQ(id.size(), 32U);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
}

TEST_F(ClusterSignInTest, AnAnswerIsForOneQuestion) {
  const auto id = begin();
  EXPECT_EQ(sign_in->answer(id, 0, "x").error().code, Errc::kConflict) << "nobody has asked";
  ask("Password: ");
  const unsigned step = sign_in->find(id)->step;
  EXPECT_EQ(sign_in->answer(id, step + 1, "x").error().code, Errc::kConflict);
  EXPECT_EQ(sign_in->answer("unknown", step, "x").error().code, Errc::kNotFound);
  EXPECT_TRUE(sign_in->answer(id, step, "x"));
  EXPECT_EQ(sign_in->answer(id, step, "x").error().code, Errc::kConflict) << "sent twice";
  EXPECT_EQ(servers[0]->answers.size(), 1U);
}

TEST_F(ClusterSignInTest, AnswersAreBoundedAndHaveNoNul) {
  const auto id = begin();
  ask("Password: ");
  const unsigned step = sign_in->find(id)->step;
  const std::string longest(kSignInAnswerBytesMax, 'x');
  EXPECT_EQ(sign_in->answer(id, step, longest + "x").error().code, Errc::kTooLarge);
  EXPECT_EQ(sign_in->answer(id, step, std::string("a\0b", 3)).error().code, Errc::kBadRequest);
  expect_state(id, State::kAsking);
  EXPECT_TRUE(sign_in->answer(id, step, longest));
}

TEST_F(ClusterSignInTest, FailuresTellAPersonWhatHeMayKnow) {
  struct Case {
    Errc from, to;
    const char* says;
  };
  for (const auto& one : {Case{Errc::kUnauthorized, Errc::kUnauthorized, "check the user name"},
                          Case{Errc::kNetwork, Errc::kUnavailable, "cannot be reached"},
                          Case{Errc::kTimeout, Errc::kUnavailable, "cannot be reached"},
                          Case{Errc::kForbidden, Errc::kForbidden, "ask the operator"},
                          Case{Errc::kSsh, Errc::kSsh, "try again"}}) {
    const auto id = begin();
    refuse(one.from);
    expect_state(id, State::kFailed);
    const auto error = *sign_in->find(id)->error;
    EXPECT_EQ(error.code, one.to);
    EXPECT_NE(error.detail.find(one.says), std::string::npos) << error.detail;
    EXPECT_EQ(error.detail.find("secret"), std::string::npos) << error.detail;
  }
}

TEST_F(ClusterSignInTest, AnAnswerThatDidNotComeIsSaidSo) {
  const auto id = begin();
  ask("Password: ");
  servers[0]->late = true;
  refuse(Errc::kForbidden);
  EXPECT_EQ(sign_in->find(id)->error->code, Errc::kTimeout);
}

TEST_F(ClusterSignInTest, WhoMayNotIsToldAtOnce) {
  EXPECT_EQ(sign_in->start("../alice", "main").error().code, Errc::kBadRequest);
  EXPECT_EQ(sign_in->start("alice", "moon").error().code, Errc::kNotFound);
  EXPECT_EQ(sign_in->start("alice", "mine").error().code, Errc::kForbidden);
  EXPECT_TRUE(connector.held.empty());
}

TEST_F(ClusterSignInTest, OneAttemptPerUser) {
  const auto first = begin();
  ask("Password: ");
  const auto second = begin();
  EXPECT_EQ(sign_in->find(first), std::nullopt);
  EXPECT_TRUE(servers[0]->closed);
  EXPECT_EQ(connector.ended, 1);
  expect_state(second, State::kConnecting);
}

TEST_F(ClusterSignInTest, SoManyAtOnceAndNoMore) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < kSignInsMax; ++i) ids.push_back(begin("user" + std::to_string(i)));
  EXPECT_EQ(sign_in->start("onemore", "main").error().code, Errc::kTooMany);
  EXPECT_TRUE(sign_in->start("user3", "main")) << "instead of his own";
  refuse(Errc::kUnauthorized);
  EXPECT_TRUE(sign_in->start("onemore", "main")) << "a place is free";
}

TEST_F(ClusterSignInTest, OutcomesAreForgotten) {
  const auto id = begin();
  refuse(Errc::kUnauthorized);
  scheduler.advance(kSignInOutcomeMs - 1);
  EXPECT_TRUE(sign_in->find(id));
  scheduler.advance(1);
  EXPECT_FALSE(sign_in->find(id));
  const auto done = begin();
  let_in();
  scheduler.advance(kSignInOutcomeMs);
  EXPECT_EQ(sign_in->take(done).error().code, Errc::kNotFound);
}

TEST_F(ClusterSignInTest, OnlyTheNewestOutcomesAreKept) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < kSignInOutcomesMax; ++i) {
    ids.push_back(begin());
    refuse(Errc::kUnauthorized);
  }
  EXPECT_TRUE(sign_in->find(ids[0]));
  begin();
  EXPECT_FALSE(sign_in->find(ids[0])) << "one more than the bound";
  EXPECT_TRUE(sign_in->find(ids[1]));
}

TEST_F(ClusterSignInTest, NothingGoesOnForEver) {
  const auto id = begin();
  for (std::uint64_t at = 0; at < kSignInMs - 1; at += kSignInMs / 2) {
    ask("again?");
    EXPECT_TRUE(sign_in->answer(id, sign_in->find(id)->step, "y"));
    scheduler.advance(kSignInMs / 2 - 1);
  }
  expect_state(id, State::kConnecting);
  scheduler.advance(2);
  expect_state(id, State::kFailed);
  EXPECT_EQ(sign_in->find(id)->error->code, Errc::kTimeout);
  EXPECT_EQ(connector.ended, 1);
}

TEST_F(ClusterSignInTest, ChangesAreToldOnceInALaterTurn) {
  const auto id = begin();
  int told = 0;
  auto waiting = sign_in->when_changed(id, 0, [&told] { ++told; });
  scheduler.run();
  EXPECT_EQ(told, 0);
  servers[0]->show({"Password: ", false});
  EXPECT_EQ(told, 0);
  scheduler.run();
  EXPECT_EQ(told, 1);
  ask("Code: ");
  EXPECT_EQ(told, 1);
  waiting = sign_in->when_changed(id, 0, [&told] { ++told; });
  scheduler.run();
  EXPECT_EQ(told, 2) << "it is not at that step any more";
}

TEST_F(ClusterSignInTest, TheEndOfAnAttemptIsAChange) {
  int told = 0;
  const auto count = [&told] { ++told; };
  const auto unknown = sign_in->when_changed("unknown", 0, count);
  const auto id = begin();
  const auto cancelled = sign_in->when_changed(id, 0, count);
  sign_in->cancel(id);
  scheduler.run();
  EXPECT_EQ(told, 2);
  const auto next = begin();
  const auto replaced = sign_in->when_changed(next, 0, count);
  begin();
  scheduler.run();
  EXPECT_EQ(told, 3);
}

TEST_F(ClusterSignInTest, WhoStopsWaitingIsNotTold) {
  const auto id = begin();
  int told = 0;
  auto early = sign_in->when_changed(id, 0, [&told] { ++told; });
  early.reset();
  auto late = sign_in->when_changed(id, 0, [&told] { ++told; });
  servers[0]->show({"Password: ", false});
  late.reset();
  scheduler.run();
  EXPECT_EQ(told, 0);
}

struct QuestionCase {
  const char* name;
  std::string from;
  std::string to;
};
void PrintTo(const QuestionCase& c, std::ostream* os) { *os << c.name; }

struct QuestionForPageTest : ::testing::TestWithParam<QuestionCase> {};
INSTANTIATE_TEST_SUITE_P(
    All, QuestionForPageTest,
    ::testing::Values(QuestionCase{"plain", "Code: ", "Code: "},
                      QuestionCase{"lines", "Two steps\r\nCode:\n", "Two steps\nCode:\n"},
                      QuestionCase{"umlaut", "Paßwort für ü: ", "Paßwort für ü: "},
                      QuestionCase{"escape", "\x1b[2Jgone\x07\x7f", "?[2Jgone??"},
                      QuestionCase{"tab", "a\tb", "a b"},
                      QuestionCase{"broken", "a\xc3(b\xff", "a?(b?"},
                      QuestionCase{"at_the_bound", std::string(kSignInQuestionBytesMax, 'x'),
                                   std::string(kSignInQuestionBytesMax, 'x')},
                      QuestionCase{"past_it", std::string(kSignInQuestionBytesMax + 1, 'x'),
                                   std::string(kSignInQuestionBytesMax, 'x')},
                      QuestionCase{"cut_between_characters",
                                   std::string(kSignInQuestionBytesMax - 1, 'x') + "ü",
                                   std::string(kSignInQuestionBytesMax - 1, 'x')}));

TEST_P(QuestionForPageTest, ShowsWhatAPersonCanRead) {
  EXPECT_EQ(question_for_page(GetParam().from), GetParam().to);
}

}  // namespace
}  // namespace hpc
