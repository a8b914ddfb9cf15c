// Logging in at a login page, with real servers that ask.
#include <gmock/gmock.h>

#include "manager/session/cluster_sign_in.h"
#include "manager/session/ssh_logins.h"
#include "manager/session/user_identity.h"
#include "manager/ssh/nobody_to_ask.h"
#include "tests/support/password_server.h"
#include "tests/support/ssh_fixture.h"

namespace hpc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using State = SshSignIn::State;

struct SignInTest : SshFixture {
  void use(int port, const std::string& known_hosts_line, const std::string& lines = {}) {
    write_file(folder.path("known_hosts"), known_hosts_line);
    write_file(folder.path("config"), "Host *\n" + lines);
    UserIdentities::Options options;
    options.clusters = {{"main", {}}};
    options.clusters[0].target.host = "127.0.0.1";
    options.clusters[0].target.port = static_cast<std::uint16_t>(port);
    options.known_hosts = folder.path("known_hosts");
    options.ssh_config = folder.path("config");
    options.sign_in = true;
    identities.emplace(options);
  }
  void use(const PasswordServer& server) { use(server.port(), server.known_hosts_line()); }

  std::string begin(const std::string& user = "alice") {
    const auto started = sign_in.start(user, "main");
    EXPECT_TRUE(started);
    return started.value_or("");
  }
  SshSignIn::View view_in(const std::string& id, State state) {
    EXPECT_TRUE(wait([&] {
      const auto view = sign_in.find(id);
      return view && (view->state == state || view->state == State::kFailed);
    }));
    const auto view = sign_in.find(id).value_or(SshSignIn::View{});
    EXPECT_EQ(static_cast<int>(view.state), static_cast<int>(state))
        << (view.error ? view.error->detail : "");
    return view;
  }
  void answer(const std::string& id, const std::string& text) {
    EXPECT_TRUE(sign_in.answer(id, view_in(id, State::kAsking).step, text));
  }

  TemporaryFolder folder;
  NobodyToAsk nobody;
  std::optional<UserIdentities> identities;
  std::unique_ptr<Scheduler> scheduler = make_loop_scheduler(loop);
  std::unique_ptr<SshConnector> asking_connector =
      make_ssh_connector(loop, {.connects_per_host_max = static_cast<int>(kSignInsMax)});
  SshLogins logins{*scheduler,
                   *connector,
                   nobody,
                   [](std::uint32_t) { return 0U; },
                   {[this](const std::string& user, const std::string& cluster) {
                      return identities->target_of(user, cluster);
                    },
                    /*adopts=*/true}};
  ClusterSignIn sign_in{*scheduler, *asking_connector, logins,
                        browser_prompters(loop, kSignInQuestionMs),
                        [this](const std::string& user, const std::string& cluster) {
                          return identities->sign_in_target(user, cluster);
                        }};
};

TEST_F(SignInTest, ThePasswordOfTheClusterIsTheLogin) {
  const PasswordServer server({.password = "s3cret", .code = "", .anybody = false});
  use(server);
  const auto id = begin();
  const auto view = view_in(id, State::kAsking);
  EXPECT_THAT(view.question, HasSubstr("alice@127.0.0.1's password"));
  EXPECT_FALSE(view.echo);
  answer(id, "s3cret");
  view_in(id, State::kDone);
  EXPECT_EQ(sign_in.take(id)->user, "alice");
  const auto* login = logins.find("alice", "main");
  ASSERT_NE(login, nullptr);
  EXPECT_TRUE(wait([login] { return login->state() == ClusterLogin::State::kUp; }));
}

TEST_F(SignInTest, AOneTimeCodeIsAskedForInTheServersWords) {
  const PasswordServer server({.password = "", .code = "123456", .anybody = false});
  use(server);
  const auto id = begin();
  const auto view = view_in(id, State::kAsking);
  EXPECT_THAT(view.question, HasSubstr("Look at your token"));
  EXPECT_TRUE(view.echo);
  answer(id, "123456");
  view_in(id, State::kDone);
}

TEST_F(SignInTest, AWrongAnswerEndsItAndNobodyIsIn) {
  const PasswordServer server({.password = "s3cret", .code = "123456", .anybody = false});
  use(server);
  const auto id = begin();
  answer(id, "wrong");
  EXPECT_EQ(view_in(id, State::kFailed).error->code, Errc::kUnauthorized);
  EXPECT_FALSE(sign_in.take(id));
  EXPECT_EQ(logins.find("alice", "main"), nullptr);
}

TEST_F(SignInTest, ACancelledQuestionFreesItsThread) {
  const PasswordServer server({.password = "s3cret", .code = "", .anybody = false});
  use(server);
  const auto id = begin();
  view_in(id, State::kAsking);
  sign_in.cancel(id);
  const auto next = begin();
  answer(next, "s3cret");
  view_in(next, State::kDone);
}

TEST_F(SignInTest, ManyMayThinkAtATimeAndNobodysReconnectWaits) {
  TestSshd sshd("PasswordAuthentication yes\nAuthenticationMethods password publickey");
  use(sshd.port(), sshd.known_hosts_line());
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < kSignInsMax; ++i) ids.push_back(begin("user" + std::to_string(i)));
  for (const auto& id : ids) view_in(id, State::kAsking);
  EXPECT_TRUE(connect(target_of(sshd))) << "by key, over the connector of the others";
}

// The agent, ssh_config and the server would all let the manager's own key in.
TEST_F(SignInTest, AKeyOfTheManagersNeverSignsAPersonIn) {
  TestSshd sshd("PasswordAuthentication yes");
  const TestAgent agent(folder.path("agent"), sshd.client_key());
  use(sshd.port(), sshd.known_hosts_line(),
      "  IdentityFile " + sshd.client_key() + "\n  IdentityAgent " + agent.socket() + "\n");
  const auto id = begin(current_user());
  answer(id, "not the password");
  EXPECT_EQ(view_in(id, State::kFailed).error->code, Errc::kUnauthorized);
  EXPECT_THAT(sshd.log(), HasSubstr("Failed password"));
  EXPECT_THAT(sshd.log(), Not(HasSubstr("Accepted")));
}

TEST_F(SignInTest, AServerThatAsksNothingSignsNobodyIn) {
  TestSshd sshd;
  use(sshd.port(), sshd.known_hosts_line(), "  IdentityFile " + sshd.client_key() + "\n");
  const auto id = begin(current_user());
  EXPECT_EQ(view_in(id, State::kFailed).error->code, Errc::kForbidden);
}

TEST_F(SignInTest, AnUnknownHostKeyIsRefused) {
  const PasswordServer server({.password = "s3cret", .code = "", .anybody = false});
  use(server.port(), "");
  EXPECT_EQ(view_in(begin(), State::kFailed).error->code, Errc::kForbidden);
}

}  // namespace
}  // namespace hpc
