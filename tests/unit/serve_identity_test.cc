#include "manager/gateway/serve_identity.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/fake_store.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

using By = Caller::By;

struct ServeIdentityTest : ::testing::Test {
  ServeIdentityTest() {
    client.peer_address = "127.0.0.1";
    api = make("alice", TokenKind::kApi);
    login = make("alice", TokenKind::kLogin);
  }
  std::string make(const std::string& user, TokenKind kind) {
    std::string text;
    EXPECT_TRUE(tokens.create(user, kind, "", now + 1000,
                              [&](const Result<NewToken>& made) { text = made->text; }));
    store.commit();
    return text;
  }
  /// "alice by cookie", "nobody".
  std::string who(AuthMode auth, std::initializer_list<std::pair<std::string, std::string>> list) {
    ServeIdentity identity({auth, "Remote-User", {"root"}}, proxies, user_map, cookies, tokens,
                           throttle, audit);
    RequestHead head;
    for (const auto& [name, value] : list) head.fields.add(name, value);
    caller = identity.identify(head, client);
    if (caller.by == By::kNobody) return "nobody" + caller.user;
    return caller.user + " by " + std::string(name_of(caller.by));
  }
  std::string cookie(const std::string& text) { return "hpc-manager-8000=" + text; }

  std::int64_t now = 1'700'000'000'000;
  FakeStore store;
  TokenTable tokens{store, [this] { return now; }};
  ManualScheduler clock;
  LoginThrottle throttle{clock};
  TrustedProxies proxies = *TrustedProxies::parse({"127.0.0.1"});
  UserMap user_map = *UserMap::parse({{"(.*)@example\\.org", "$1"}});
  LoginCookies cookies{{"http", "127.0.0.1:8000"}, 8000};
  std::string lines;
  Log log{LogLevel::kInfo, LogFormat::kText, [this](auto line) { lines += line; }};
  AuditLog audit{log};
  ClientInfo client;
  Caller caller;
  std::string api, login;
};

constexpr AuthMode kModes[] = {AuthMode::kHeader, AuthMode::kToken, AuthMode::kSsh};

TEST_F(ServeIdentityTest, NothingIsNobody) {
  for (const auto mode : kModes) {
    EXPECT_EQ(who(mode, {}), "nobody");
    EXPECT_EQ(who(mode, {{"Authorization", "Basic x"}, {"Cookie", "a=1"}}), "nobody");
  }
  EXPECT_EQ(lines, "");
}

TEST_F(ServeIdentityTest, ATokenWorksInEveryMode) {
  for (const auto mode : kModes) {
    EXPECT_EQ(who(mode, {{"Authorization", "Bearer " + api}}), "alice by token");
    EXPECT_NE(caller.token_id, "");
    EXPECT_FALSE(caller.admin);
    EXPECT_EQ(who(mode, {{"X-HPC-Manager-Token", api}}), "alice by token");
  }
}

TEST_F(ServeIdentityTest, AWrongTokenIsNobodyWhateverElseIsThere) {
  const std::string wrong = "hpm_" + std::string(64, '0');
  for (const auto mode : kModes) {
    for (const auto& text : {wrong, std::string("hpm_"), login}) {
      EXPECT_EQ(who(mode, {{"Authorization", "Bearer " + text},
                           {"Cookie", cookie(login)},
                           {"Remote-User", "alice"}}),
                "nobody")
          << text;
    }
    EXPECT_EQ(who(mode, {{"X-HPC-Manager-Token", ""}, {"Cookie", cookie(login)}}), "nobody");
    EXPECT_EQ(who(mode, {{"X-HPC-Manager-Token", wrong}, {"Authorization", "Bearer " + api}}),
              "nobody");
  }
  EXPECT_GT(throttle.wait_ms("", "127.0.0.1"), 0U) << "counted by address";
  EXPECT_NE(lines.find("audit: not identified"), std::string::npos);
  EXPECT_EQ(lines.find("hpm_"), std::string::npos) << lines;
  EXPECT_EQ(who(AuthMode::kToken, {{"Authorization", "Bearer " + api}}), "alice by token")
      << "a good token is not delayed by somebody else's guesses";
}

TEST_F(ServeIdentityTest, TheAddressBehindATrustedProxyIsCounted) {
  for (int i = 0; i < 5; ++i) {
    who(AuthMode::kToken, {{"X-HPC-Manager-Token", "x"}, {"X-Forwarded-For", "203.0.113.5"}});
  }
  EXPECT_GT(throttle.wait_ms("", "203.0.113.5"), 0U);
  EXPECT_EQ(throttle.wait_ms("", "127.0.0.1"), 0U);
  EXPECT_EQ(throttle.wait_ms("", "203.0.113.6"), 0U) << "an unnamed user is not one user";
}

TEST_F(ServeIdentityTest, ACookieIsALogin) {
  for (const auto mode : {AuthMode::kToken, AuthMode::kSsh}) {
    EXPECT_EQ(who(mode, {{"Cookie", cookie(login)}}), "alice by cookie");
    EXPECT_NE(caller.token_id, "");
    EXPECT_EQ(who(mode, {{"Cookie", cookie(api)}}), "nobody") << "an API token is no login";
    EXPECT_EQ(who(mode, {{"Cookie", "__Host-hpc-manager=" + login}}), "nobody");
    EXPECT_EQ(who(mode, {{"Cookie", cookie(login) + "; " + cookie(login)}}), "nobody");
    EXPECT_EQ(who(mode, {{"Cookie", cookie(login)}, {"Authorization", "Bearer app"}}),
              "alice by cookie");
  }
  EXPECT_EQ(who(AuthMode::kHeader, {{"Cookie", cookie(login)}}), "nobody")
      << "there the proxy alone says who it is";
  now += 1000;
  EXPECT_EQ(who(AuthMode::kToken, {{"Cookie", cookie(login)}}), "nobody") << "expired";
}

TEST_F(ServeIdentityTest, AHeaderCountsFromATrustedProxyInItsMode) {
  EXPECT_EQ(who(AuthMode::kHeader, {{"remote-user", "bob"}}), "bob by header");
  EXPECT_EQ(who(AuthMode::kHeader, {{"Remote-User", "bob@example.org"}}), "bob by header");
  EXPECT_EQ(who(AuthMode::kHeader, {{"Remote-User", ""}}), "nobody");
  EXPECT_EQ(who(AuthMode::kHeader, {{"Remote-User", "bob"}, {"Remote-User", "bob"}}), "nobody");
  EXPECT_EQ(who(AuthMode::kHeader, {{"Remote_User", "bob"}}), "nobody");
  EXPECT_EQ(who(AuthMode::kToken, {{"Remote-User", "bob"}}), "nobody");
  EXPECT_EQ(who(AuthMode::kSsh, {{"Remote-User", "bob"}}), "nobody");
  client.peer_address = "127.0.0.2";
  EXPECT_EQ(who(AuthMode::kHeader, {{"Remote-User", "bob"}}), "nobody");
  client.peer_address = "";
  EXPECT_EQ(who(AuthMode::kHeader, {{"Remote-User", "bob"}}), "nobody") << "a Unix socket";
}

TEST_F(ServeIdentityTest, ANameThatIsNoneIsRefusedAndSaid) {
  EXPECT_EQ(who(AuthMode::kHeader, {{"Remote-User", "Bob"}}), "nobody");
  EXPECT_NE(lines.find("--user-map"), std::string::npos) << lines;
}

TEST_F(ServeIdentityTest, AdminsAreNamedByTheOperator) {
  EXPECT_EQ(who(AuthMode::kHeader, {{"Remote-User", "root"}}), "root by header");
  EXPECT_TRUE(caller.admin);
  const auto token = make("root", TokenKind::kApi);
  who(AuthMode::kToken, {{"Authorization", "Bearer " + token}});
  EXPECT_TRUE(caller.admin);
  who(AuthMode::kHeader, {{"Remote-User", "bob"}});
  EXPECT_FALSE(caller.admin);
}

TEST_F(ServeIdentityTest, AdminsMayChangeWhileItRuns) {
  ServeIdentity identity({AuthMode::kHeader, "Remote-User", {"root"}}, proxies, user_map, cookies,
                         tokens, throttle, audit);
  const auto admin = [&](const char* name) {
    RequestHead head;
    head.fields.add("Remote-User", name);
    return identity.identify(head, client).admin;
  };
  EXPECT_TRUE(admin("root") && !admin("bob"));
  identity.set_admins({"bob"});
  EXPECT_TRUE(!admin("root") && admin("bob"));
}

}  // namespace
}  // namespace hpc
