// Two users of one manager at a real sshd: each logs in with his own key, or not at all.
#include "manager/session/user_identity.h"

#include <gmock/gmock.h>
#include <pwd.h>
#include <unistd.h>

#include <filesystem>

#include "manager/session/session_key.h"
#include "manager/session/ssh_logins.h"
#include "manager/ssh/nobody_to_ask.h"
#include "tests/support/ssh_fixture.h"

namespace hpc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// "alice" is whoever runs the test, "bob" another account of this machine, which only root can be
/// logged in as. sshd takes a user's keys from authorized/USER.
struct TwoUsersTest : SshFixture {
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only a sshd of root's lets two users in";
    SshFixture::SetUp();
    sshd.emplace("AuthorizedKeysFile " + authorized.path("%u") + "\nLogLevel VERBOSE");
    std::filesystem::create_directory(keys());
    std::filesystem::permissions(keys(), std::filesystem::perms::owner_all);
    std::filesystem::permissions(authorized.path(""), std::filesystem::perms(0755));
    for (const auto& user : {alice, bob}) {
      make_key(key_of(user));
      authorize(user, key_of(user));
    }
    options.clusters = {{"main", {}}};
    options.clusters[0].target.host = "127.0.0.1";
    options.clusters[0].target.port = static_cast<std::uint16_t>(sshd->port());
    options.identity = keys() + "/%u";
    options.known_hosts = sshd->known_hosts();
    options.ssh_config = sshd->ssh_config("  IdentityFile none");
  }

  std::string keys() const { return folder.path("keys"); }
  std::string key_of(const std::string& user) const { return keys() + "/" + user; }
  void authorize(const std::string& user, const std::string& key) {
    write_file(authorized.path(user), read_file(key + ".pub"), 0644);
  }
  std::string accepted(const std::string& user) const { return "Accepted publickey for " + user; }
  static std::string fingerprint(const std::string& key) {
    const auto line = run_command("ssh-keygen -lf " + key + ".pub");
    const auto begin = line.find("SHA256:");
    return line.substr(begin, line.find(' ', begin) - begin);
  }
  /// The state that the user's login comes to, and what it says.
  std::pair<ClusterLogin::State, std::string> log_in(const std::string& user) {
    SshLogins logins(*scheduler, *connector, nobody, [](std::uint32_t) { return 0U; },
                     {[this](const std::string& who, const std::string& cluster) {
                        return UserIdentities(options).target_of(who, cluster);
                      },
                      /*adopts=*/false});
    const auto login = logins.login(user, "main");
    if (!login) return {ClusterLogin::State::kStopped, login.error().detail};
    struct Watching final : ClusterLogin::Watcher {
      void on_login_up(SshConnection&) override { over = true; }
      void on_login_down(const Error&) override { over = true; }
      void on_login_stopped(const Error&) override { over = true; }
      void on_login_progress(const std::string&) override {}
      bool over = false;
    } watching;
    (*login)->watch(watching);
    EXPECT_TRUE(run_until(loop, [&] { return watching.over; }));
    (*login)->unwatch(watching);
    return {(*login)->state(), (*login)->trouble()};
  }

  const std::string alice = current_user();
  const std::string bob = "nobody";
  TemporaryFolder folder;
  TemporaryFolder authorized;
  std::optional<TestSshd> sshd;
  NobodyToAsk nobody;
  UserIdentities::Options options;
  std::unique_ptr<Scheduler> scheduler = make_loop_scheduler(loop);
};

TEST_F(TwoUsersTest, EachLogsInAsHimselfWithHisOwnKey) {
  for (const auto& user : {alice, bob}) {
    const auto [state, trouble] = log_in(user);
    EXPECT_EQ(state, ClusterLogin::State::kUp) << trouble << sshd->log();
  }
  EXPECT_THAT(sshd->log(), HasSubstr(accepted(alice)));
  EXPECT_THAT(sshd->log(), HasSubstr(accepted(bob)));
  const auto log = sshd->log();
  const auto bobs = log.substr(log.find(accepted(bob)));
  EXPECT_THAT(bobs, HasSubstr(fingerprint(key_of(bob))));
  EXPECT_THAT(bobs, Not(HasSubstr(fingerprint(key_of(alice)))));
}

// Whatever would let bob in with alice's key is there, and is not used.
TEST_F(TwoUsersTest, WithoutAKeyOfHisOwnNobodyIsLetIn) {
  authorize(bob, key_of(alice));
  options.ssh_config = sshd->ssh_config("  IdentityFile " + key_of(alice));
  const auto [wrong_key, refused] = log_in(bob);
  EXPECT_EQ(wrong_key, ClusterLogin::State::kStopped);
  EXPECT_THAT(refused, HasSubstr(key_of(bob)));
  EXPECT_THAT(refused, Not(HasSubstr(key_of(alice))));

  std::filesystem::remove(key_of(bob));
  const auto [no_key, missing] = log_in(bob);
  EXPECT_EQ(no_key, ClusterLogin::State::kStopped);
  EXPECT_THAT(missing, HasSubstr(key_of(bob) + " does not exist"));

  EXPECT_THAT(sshd->log(), Not(HasSubstr("Accepted")));
  EXPECT_THAT(sshd->log(), Not(HasSubstr(fingerprint(key_of(alice)))));
}

TEST_F(TwoUsersTest, ACertificateBesideTheKeyCounts) {
  const std::string ca = folder.path("ca");
  make_key(ca);
  run_command("ssh-keygen -q -s " + ca + " -I bob -n " + bob + " " + key_of(bob) + ".pub");
  write_file(authorized.path(bob), "cert-authority " + read_file(ca + ".pub"), 0644);
  const auto [state, trouble] = log_in(bob);
  EXPECT_EQ(state, ClusterLogin::State::kUp) << trouble;
  EXPECT_THAT(sshd->log(), HasSubstr("ED25519-CERT"));
}

}  // namespace
}  // namespace hpc
