#include "manager/gateway/edge_policy.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/fake_tunnel_view.h"

namespace hpc {
namespace {

using Fields = std::initializer_list<std::pair<const char*, const char*>>;

// `serve` behind https://hpc.example.org; what `connect` does is in connect_gateway_test.cc.
struct EdgePolicyOfServeTest : ::testing::Test {
  EdgePolicyOfServeTest() {
    tunnel.found.emplace();
    tunnel.found->token = std::string(64, '7');
    client.peer_address = "10.0.0.1";
    view.scheme = "https";
    view.host = "hpc.example.org";
    view.prefix = "/user/alice/main/vscode/port/5500";
    view.identity_header = "Remote-User";
    head.method = "GET";
    head.target = "/user/alice/main/vscode/port/5500/x";
    head.host = "hpc.example.org";
  }
  /// What goes on of these fields, without what is always there.
  std::string sent(Fields fields) {
    for (const auto& [name, value] : fields) head.fields.add(name, value);
    std::string text;
    HeadWriter out(text);
    make_edge_policy(head, client, tunnel, view)
        ->write_request_fields(head, HopFields(head.fields), out);
    head.fields.clear();
    for (const std::string& always :
         {std::string("Host: hpc.example.org\r\n"),
          std::string("X-Forwarded-Host: hpc.example.org\r\nX-Forwarded-Proto: https\r\n"
                      "X-Forwarded-Prefix: /user/alice/main/vscode/port/5500\r\n"),
          "X-HPC-Proxy-Token: " + std::string(64, '7') + "\r\n"}) {
      const auto at = text.find(always);
      EXPECT_NE(at, std::string::npos) << always << " in " << text;
      if (at != std::string::npos) text.erase(at, always.size());
    }
    return text;
  }

  FakeTunnelView tunnel;
  ClientInfo client;
  EdgeView view;
  RequestHead head;
};

TEST_F(EdgePolicyOfServeTest, TheClientSaysNothingAboutItself) {
  EXPECT_EQ(sent({{"X-Forwarded-For", "6.6.6.6"},
                  {"X-Forwarded-Proto", "http"},
                  {"X-Forwarded-Port", "1"},
                  {"X-Forwarded-User", "root"},
                  {"Forwarded", "for=6.6.6.6"},
                  {"X-HPC-Proxy-Token", "0"},
                  {"X_HPC_Proxy_Token", "0"},
                  {"X-HPC-Proxy-Base-Rewrite", "1"}}),
            "X-Forwarded-For: 10.0.0.1\r\n");
}

TEST_F(EdgePolicyOfServeTest, OurCredentialsStayHereAndTheAppsGoOn) {
  EXPECT_EQ(sent({{"Authorization", "Bearer hpm_secret"},
                  {"X-HPC-Manager-Token", "hpm_secret"},
                  {"Remote-User", "alice"},
                  {"remote_user", "alice"},
                  {"Cookie",
                   "__Host-hpc-manager=s; hpc-manager-8000=s; "
                   "hpc-manager-8000-attempt=s; hpc-last-app-8000=/x; a=1"}}),
            "Cookie: a=1\r\nX-Forwarded-For: 10.0.0.1\r\n");
  EXPECT_EQ(sent({{"Authorization", "Bearer app"}, {"Authorization", "Basic hpm_x"}}),
            "Authorization: Bearer app\r\nAuthorization: Basic hpm_x\r\n"
            "X-Forwarded-For: 10.0.0.1\r\n");
}

TEST_F(EdgePolicyOfServeTest, ATrustedProxyIsBelievedAndAdded) {
  view.peer_is_trusted = true;
  EXPECT_EQ(sent({{"X-Forwarded-For", "203.0.113.5"},
                  {"X-Forwarded-For", "10.0.0.2"},
                  {"X-Forwarded-Port", "443"},
                  {"X_Forwarded_Port", "1"},
                  {"X-Forwarded-Host", "evil.example"},
                  {"X-Forwarded-Prefix", "/evil"},
                  {"Forwarded", "for=203.0.113.5"},
                  {"Remote-User", "alice"},
                  {"X-HPC-Proxy-Token", "0"}}),
            "X-Forwarded-Port: 443\r\n"
            "X-Forwarded-For: 203.0.113.5, 10.0.0.2, 10.0.0.1\r\n"
            "Forwarded: for=203.0.113.5, for=10.0.0.1\r\n");
  client.peer_address = "::1";
  EXPECT_EQ(sent({{"Forwarded", "for=203.0.113.5"}}),
            "X-Forwarded-For: ::1\r\nForwarded: for=203.0.113.5, for=\"[::1]\"\r\n");
  client.peer_address = "";
  EXPECT_EQ(sent({}), "") << "a Unix socket has no address";
}

TEST_F(EdgePolicyOfServeTest, AnAppSetsNoCookieOfOurs) {
  ResponseHead answer;
  answer.status = 200;
  for (const char* cookie : {"__Host-hpc-manager=evil; Path=/; Secure", "hpc-manager-8000=evil",
                             "__Host-hpc-manager-attempt=evil", "=hpc-manager-8000=evil",
                             "hpc-last-app-8000=/evil", "app=1"}) {
    answer.fields.add("Set-Cookie", cookie);
  }
  view.last_app_cookie = "hpc-last-app-8000=/good";
  std::string text;
  HeadWriter out(text);
  make_edge_policy(head, client, tunnel, view)
      ->write_response_fields(answer, HopFields(answer.fields), out);
  EXPECT_EQ(text, "Set-Cookie: app=1\r\nSet-Cookie: hpc-last-app-8000=/good\r\n");
}

TEST_F(EdgePolicyOfServeTest, TheRecordSaysWhetherTheIdeKeepsThePrefix) {
  const auto target = [&] {
    std::string chosen = "/x";
    make_edge_policy(head, client, tunnel, view)->choose_target(chosen);
    return chosen;
  };
  EXPECT_EQ(target(), "/x") << "a port: nothing to choose";
  view.app_rest = "/a?b";
  EXPECT_EQ(target(), "/app/a?b");
  tunnel.found->app = {"5500", false};
  EXPECT_EQ(target(), "/app/a?b");
  tunnel.found->app->keep_prefix = true;
  EXPECT_EQ(target(), "/absapp/a?b");
  tunnel.found.reset();
  EXPECT_EQ(target(), "/app/a?b");
}

TEST_F(EdgePolicyOfServeTest, TheRecordIsLookedAtWhenTheRequestGoes) {
  view.app_rest = "/";
  const auto policy = make_edge_policy(head, client, tunnel, view);
  tunnel.found->app = {"5500", true};  // found while the request waited
  std::string chosen = "/app/";
  policy->choose_target(chosen);
  EXPECT_EQ(chosen, "/absapp/");
}

}  // namespace
}  // namespace hpc
