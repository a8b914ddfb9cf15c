#include "node-proxy/node_proxy.h"

#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include "common/hello.h"
#include "common/http_writer.h"
#include "node-proxy/pages.h"
#include "tests/support/node_proxy_fixture.h"

namespace hpc {
namespace {

TEST_F(NodeProxyTest, HealthAndHelloNeedNoToken) {
  owner.ours = false;
  EXPECT_EQ(status(request("/healthz")), 200);
  EXPECT_EQ(status(request("/healthz?x")), 200);
  EXPECT_EQ(local(request("/healthz")).body, "{\"status\":\"ok\"}\n");
  EXPECT_EQ(status(request("/.hpc-proxy/hello?nonce=" + kNonce)), 200);
  EXPECT_FALSE(client.authenticated);
  EXPECT_EQ(owner.asked, 0);
}

TEST_F(NodeProxyTest, HelloProvesTheToken) {
  const auto answer = local(request("/.hpc-proxy/hello?nonce=" + kNonce));
  EXPECT_EQ(answer.body, "{\"hmac\":\"" + *hello_hmac(kToken, kNonce) + "\"}\n");
  EXPECT_TRUE(client.greeted);
}

TEST_F(NodeProxyTest, HelloRefusesWhatIsNoNonce) {
  for (const std::string& query :
       {std::string(), std::string("?nonce="), "?nonce=" + kNonce + "a", "?nonce=" + kNonce + "&x",
        "?x=1&nonce=" + kNonce, "?Nonce=" + kNonce}) {
    EXPECT_EQ(status(request("/.hpc-proxy/hello" + query)), 400) << query;
    EXPECT_FALSE(client.greeted);
  }
  EXPECT_EQ(status(request("/.hpc-proxy/hello?nonce=" + kNonce, {}, "POST")), 400);
}

TEST_F(NodeProxyTest, StrangerGetsTheSameAnswerEverywhere) {
  owner.ours = false;
  const auto first = local(request("/status"));
  EXPECT_EQ(first.status, 401);
  EXPECT_EQ(first.fields.back().first, "WWW-Authenticate");
  EXPECT_EQ(first.fields.back().second, "HPC-Proxy-Token");
  for (const char* target : {"/", "/port/5500/", "/port/22/", "/port/41234/", "/nothing"}) {
    EXPECT_EQ(local(request(target, {{"Accept", "text/html"}})).body, first.body) << target;
  }
  EXPECT_FALSE(client.authenticated);
}

TEST_F(NodeProxyTest, StrangersAndOtherSitesLearnNothingOfPorts) {
  ports.add(5501, "node");
  EXPECT_EQ(status(request("/ports", {{"Sec-Fetch-Site", "cross-site"}})), 403);
  owner.ours = false;
  client = loopback_client();
  for (const char* target : {"/ports", "/metrics", "/port/22/", "/nothing"}) {
    EXPECT_EQ(local(request(target)).body.find("5501"), std::string::npos) << target;
  }
  EXPECT_EQ(ports.asked, 0);
}

TEST_F(NodeProxyTest, OwnTextsAreRead) {
  ports.add(5501, "node");
  const auto page = local(request("/ports?x", {{"Accept", "text/html"}}));
  EXPECT_NE(page.body.find("<a href=\"port/5501/\">5501</a>"), std::string::npos);
  EXPECT_EQ(local(request("/ports")).body.front(), '{');
  EXPECT_EQ(local(request("/ports", {}, "HEAD")).status, 200);
  EXPECT_NE(local(request("/metrics")).body.find("hpc_proxy_requests_total"), std::string::npos);
  EXPECT_EQ(status(request("/ports", {}, "POST")), 405);
  EXPECT_EQ(status(request("/metrics", {}, "POST")), 405);
  for (const char* target : {"/ports/", "/Ports", "//ports", "/metrics/", "/portsx"}) {
    EXPECT_EQ(status(request(target)), 404) << target;
  }
}

TEST_F(NodeProxyTest, ProblemsListThePortsThatDoListen) {
  ports.add(5501, "node");
  const FieldPairs navigation = {{"Accept", "text/html"}};
  const auto has_link = [&](const char* target, const std::string& link) {
    return local(request(target, navigation)).body.find("\"" + link + "\"") != std::string::npos;
  };
  EXPECT_TRUE(has_link("/", "ports") && has_link("/", "port/5501/"));
  EXPECT_TRUE(has_link("/a/b?c/d", "../port/5501/"));
  EXPECT_TRUE(has_link("/port/22/x", "../../port/5501/"));
  EXPECT_TRUE(has_link("/port/41234/", "../../ports"));
  EXPECT_TRUE(has_link("/app/x/y", "../../port/5501/"));
  EXPECT_NE(local(request("/port/22/")).body.find("\"listening\":[{\"port\":5501"),
            std::string::npos);
}

TEST_F(NodeProxyTest, PagesOfAnAppBehindAnOuterPrefixFindHome) {
  ports.add(5501, "node");
  const auto page = local(request("/app/x", {{"Accept", "text/html"},
                                             {"X-HPC-Proxy-Token", kToken},
                                             {"X-Forwarded-Prefix", "/user/u/c/i"}}));
  EXPECT_NE(page.body.find("\"/user/u/c/i/port/5501/\""), std::string::npos);
}

TEST_F(NodeProxyTest, TokenLetsInFromAnywhere) {
  owner.ours = false;
  client.loopback = false;
  EXPECT_EQ(status(request("/status", {{"X-HPC-Proxy-Token", kToken}})), 200);
  EXPECT_TRUE(client.authenticated);
}

TEST_F(NodeProxyTest, AskingForTheStatusIsNotUse) {
  struct TestClock final : Clock {
    std::uint64_t now_ms() const override { return now; }
    std::uint64_t now = 1000;
  } clock;
  NodeProxy watched(
      state, *access, pool, ports, clock, log, [this] { return stats; },
      [](auto) { return Status(); });
  clock.now = 5000;
  watched.on_request(request("/status"), client);
  watched.on_request(request("/metrics"), client);
  EXPECT_EQ(watched.last_request_ms(), 1000U) << "monitoring would keep --idle-exit away";
  watched.on_request(request("/port/5500/"), client);
  EXPECT_EQ(watched.last_request_ms(), 5000U);
}

TEST_F(NodeProxyTest, WrongTokensDoNot) {
  owner.ours = false;
  for (const std::string& token :
       {std::string(), kToken.substr(1), kToken + "7", std::string(64, '8')}) {
    EXPECT_EQ(status(request("/status", {{"X-HPC-Proxy-Token", token}})), 401) << token;
  }
  EXPECT_EQ(
      status(request("/status", {{"X-HPC-Proxy-Token", kToken}, {"X-HPC-Proxy-Token", kToken}})),
      401);
}

TEST_F(NodeProxyTest, SameUserOverLoopbackNeedsNoToken) {
  EXPECT_EQ(status(request("/status")), 200);
  EXPECT_EQ(status(request("/status")), 200);
  EXPECT_EQ(owner.asked, 1) << "a connection does not change its owner";
}

TEST_F(NodeProxyTest, SameUserCountsOverLoopbackOnly) {
  client.loopback = false;
  EXPECT_EQ(status(request("/status")), 401);
  EXPECT_EQ(owner.asked, 0);
}

TEST_F(NodeProxyTest, KernelThatCannotAnswerMeansNo) {
  owner.broken = true;
  EXPECT_EQ(status(request("/status")), 401);
}

TEST_F(NodeProxyTest, RequireTokenSwitchesTheSameUserRuleOff) {
  rebuild(true);
  EXPECT_EQ(status(request("/status")), 401);
  EXPECT_EQ(owner.asked, 0);
  EXPECT_EQ(status(request("/status", {{"X-HPC-Proxy-Token", kToken}})), 200);
}

TEST_F(NodeProxyTest, CrossSiteRuleHoldsForTheSameUserOnly) {
  EXPECT_EQ(status(request("/status", {{"Sec-Fetch-Site", "cross-site"}})), 403);
  EXPECT_EQ(status(request("/status", {{"Origin", "http://evil.example"}})), 403);
  auto rebound = request("/status");
  rebound.host = "evil.example";
  EXPECT_EQ(status(rebound), 403);
  EXPECT_EQ(
      status(request("/status", {{"Sec-Fetch-Site", "cross-site"}, {"X-HPC-Proxy-Token", kToken}})),
      200);
}

TEST_F(NodeProxyTest, RoutesToPorts) {
  EXPECT_TRUE(forwarded(request("/port/5500/a?b")).starts_with("5500 /a?b\r\n"));
  EXPECT_TRUE(forwarded(request("/absport/5500/a?b")).starts_with("5500 /absport/5500/a?b\r\n"));
  EXPECT_TRUE(forwarded(request("/port/5500/%2f//../x")).starts_with("5500 /%2f//../x\r\n"));
}

TEST_F(NodeProxyTest, RefusesPortsThatAreNotToBeReached) {
  EXPECT_EQ(status(request("/port/1023/")), 403);
  EXPECT_EQ(status(request("/port/41234/")), 403);
  EXPECT_TRUE(forwarded(request("/port/1024/")).starts_with("1024 /"));
}

TEST_F(NodeProxyTest, WhatIsNoRouteIs404) {
  for (const char* target : {"/", "/port/", "/port/05500/", "*", "//port/5500/", "/status/",
                             "/.hpc-proxy/", "/healthz/"}) {
    EXPECT_EQ(status(request(target)), 404) << target;
  }
}

TEST_F(NodeProxyTest, MissingSlashIsRedirectedWithTheQuery) {
  const auto answer = local(request("/port/5500?q=1"));
  EXPECT_EQ(answer.status, 308);
  EXPECT_EQ(answer.fields.at(0).second, "/port/5500/?q=1");
}

TEST_F(NodeProxyTest, MissingSlashIsRedirectedUnderTheManagersPrefix) {
  const auto answer =
      local(request("/port/5500", {{"X-HPC-Proxy-Token", kToken},
                                   {"X-Forwarded-Prefix", "/user/u/c/i/port/5500"}}));
  EXPECT_EQ(answer.fields.at(0).second, "/user/u/c/i/port/5500/");
}

TEST_F(NodeProxyTest, PrefixThatIsNoPathIsNotBelieved) {
  for (const char* prefix : {"//evil.example", "evil", "/a b", "/a?b", "/a/", "https://x"}) {
    const auto answer = local(
        request("/port/5500", {{"X-HPC-Proxy-Token", kToken}, {"X-Forwarded-Prefix", prefix}}));
    EXPECT_EQ(answer.fields.at(0).second, "/port/5500/") << prefix;
  }
}

TEST_F(NodeProxyTest, UpgradeWithoutSlashGoesToTheRoot) {
  auto head = request("/port/5500?q");
  head.websocket_upgrade = true;
  EXPECT_TRUE(forwarded(head).starts_with("5500 /?q\r\n"));
}

TEST_F(NodeProxyTest, AppSeesItsOwnNameAndOurView) {
  const auto text = forwarded(request("/port/5500/x", {{"X-Forwarded-For", "6.6.6.6"},
                                                       {"X-Forwarded-Prefix", "/evil"},
                                                       {"Forwarded", "for=6.6.6.6"},
                                                       {"Cookie", "a=b"}}));
  EXPECT_TRUE(has(text, "Host: localhost:5500"));
  EXPECT_TRUE(has(text, "X-Forwarded-For: 127.0.0.1"));
  EXPECT_TRUE(has(text, "X-Forwarded-Host: 127.0.0.1:41234"));
  EXPECT_TRUE(has(text, "X-Forwarded-Proto: http"));
  EXPECT_TRUE(has(text, "X-Forwarded-Prefix: /port/5500"));
  EXPECT_TRUE(has(text, "Forwarded: for=\"127.0.0.1\";host=\"127.0.0.1:41234\";proto=\"http\""));
  EXPECT_TRUE(has(text, "Cookie: a=b"));
  EXPECT_EQ(text.find("6.6.6.6"), std::string::npos);
  EXPECT_EQ(text.find("evil"), std::string::npos);
}

TEST_F(NodeProxyTest, TokenHolderIsBelieved) {
  const auto text =
      forwarded(request("/absport/5500/x", {{"x-hpc-proxy-token", kToken},
                                            {"X-Forwarded-For", "10.0.0.9"},
                                            {"X-Forwarded-Host", "hpc.example.org"},
                                            {"X-Forwarded-Proto", "https"},
                                            {"X-Forwarded-Prefix", "/user/u/c/i/absport/5500"}}));
  EXPECT_TRUE(text.starts_with("5500 /user/u/c/i/absport/5500/x\r\n"));
  EXPECT_TRUE(has(text, "X-Forwarded-For: 10.0.0.9"));
  EXPECT_TRUE(has(text, "X-Forwarded-Prefix: /user/u/c/i/absport/5500"));
  EXPECT_TRUE(has(text, "Forwarded: for=\"10.0.0.9\";host=\"hpc.example.org\";proto=\"https\""));
}

TEST_F(NodeProxyTest, AppSeesItsOwnOriginAndReferer) {
  const auto text = forwarded(request("/port/5500/x", {{"Origin", "http://127.0.0.1:41234"},
                                                       {"Referer", kHere + "/port/5500/y?z"},
                                                       {"Cookie", "__Secure-s=1"}}));
  EXPECT_TRUE(has(text, "Origin: http://localhost:5500"));
  EXPECT_TRUE(has(text, "Referer: http://localhost:5500/y?z"));
  EXPECT_TRUE(has(text, "Cookie: __Host-s=1; __Secure-s=1"));
}

TEST_F(NodeProxyTest, AppSeesThePrefixInTheRefererWhereItIsAskedWithIt) {
  const auto text = forwarded(request("/absport/5500/x", {{"Referer", kHere + "/absport/5500/y"}}));
  EXPECT_TRUE(has(text, "Referer: http://localhost:5500/absport/5500/y"));
}

TEST_F(NodeProxyTest, ExternalOriginIsTheTokenHolders) {
  const std::string referer = kHere + "/port/5500/";
  const FieldPairs fields = {{"X-HPC-Proxy-Token", kToken},
                             {"X-Forwarded-Host", "hpc.example.org"},
                             {"X-Forwarded-Proto", "https"},
                             {"X-Forwarded-Port", "443"},
                             {"X_Forwarded_For", "6.6.6.6"},
                             {"Origin", "https://hpc.example.org"},
                             {"Referer", referer}};
  const auto text = forwarded(request("/port/5500/x", fields));
  EXPECT_TRUE(has(text, "Origin: http://localhost:5500"));
  EXPECT_TRUE(has(text, "Referer: " + referer)) << "not the external origin";
  EXPECT_TRUE(has(text, "X-Forwarded-Port: 443"));
  EXPECT_EQ(text.find("6.6.6.6"), std::string::npos);
}

TEST_F(NodeProxyTest, OthersSayNothingOfWhoAsks) {
  const auto text = forwarded(request("/port/5500/", {{"X-Forwarded-User", "6.6.6.6"},
                                                      {"X_Forwarded_For", "6.6.6.6"},
                                                      {"X_HPC_Proxy_Token", "6.6.6.6"}}));
  EXPECT_EQ(text.find("6.6.6.6"), std::string::npos);
}

TEST_F(NodeProxyTest, AppThatRedirectsToItselfIsAskedWithItsPrefix) {
  const auto head = request("/port/5500/");
  EXPECT_EQ(answered(head, "/port/5500/"), "Location: /port/5500/\r\nCache-Control: no-store\r\n");
  EXPECT_TRUE(forwarded(head).starts_with("5500 /port/5500/\r\n"));
  EXPECT_TRUE(forwarded(request("/port/5500/x")).starts_with("5500 /port/5500/x\r\n"));
  EXPECT_TRUE(forwarded(request("/port/5501/x")).starts_with("5501 /x\r\n"));
}

TEST_F(NodeProxyTest, AppThatTakesTheSlashAwayIsAskedWithoutIt) {
  for (const std::string prefix : {"/absport/3000", "/port/3000"}) {
    const auto bare = request(prefix + "?q");
    EXPECT_EQ(local(bare).status, 308);
    EXPECT_EQ(answered(request(prefix + "/?q"), prefix + "?q", 308),
              "Location: " + prefix + "?q\r\nCache-Control: no-store\r\n");
    EXPECT_EQ(forwarded(bare).substr(0, prefix.size() + 7), "3000 " + prefix + "?q");
    EXPECT_TRUE(forwarded(request(prefix + "/x")).starts_with("3000 " + prefix + "/x\r\n"));
    auto socket = request(prefix);
    socket.websocket_upgrade = true;
    EXPECT_TRUE(forwarded(socket).starts_with("3000 " + prefix + "/\r\n"));
    EXPECT_NE(answered(request(prefix + "/x"), "/a", 200, "a=1; Path=/")
                  .find("Set-Cookie: a=1; Path=" + prefix + "\r\n"),
              std::string::npos);
    EXPECT_NE(answered(bare, "/a", 200, "a=1").find("Set-Cookie: a=1; Path=" + prefix + "\r\n"),
              std::string::npos);
    // Each time, or a browser that kept it would go round once hpc-proxy has forgotten.
    EXPECT_NE(answered(request(prefix + "/"), prefix, 308).find("no-store"), std::string::npos);
  }
}

TEST_F(NodeProxyTest, PrefixIsForgottenWhenNothingListens) {
  const auto head = request("/port/5500/");
  answered(head, "/port/5500/");
  auto decision = proxy->on_request(head, client);
  std::get<Forward>(decision).policy->on_upstream_failed({Errc::kRefused, "", ""});
  EXPECT_TRUE(forwarded(head).starts_with("5500 /\r\n"));
}

TEST_F(NodeProxyTest, PrefixIsLearntFromCirclesOnly) {
  answered(request("/port/5500/x", {}, "POST"), "/port/5500/x");
  answered(request("/port/5500/x"), "/port/5500/y");
  answered(request("/port/5500/x"), "/x");
  answered(request("/port/5500/x"), "/port/5500/x", 201);
  answered(request("/port/5500/x"), "/port/5500/x", 302, "first=1");
  EXPECT_TRUE(forwarded(request("/port/5500/x")).starts_with("5500 /x\r\n"));
  answered(request("/port/5500/x", {{"Cookie", "first=1"}}), "/port/5500/x", 302, "first=1");
  EXPECT_TRUE(forwarded(request("/port/5500/x")).starts_with("5500 /port/5500/x\r\n"));
}

TEST_F(NodeProxyTest, CookieOfABareWebSocketStaysUnderThePrefix) {
  auto head = request("/port/5500");
  head.websocket_upgrade = true;
  auto decision = proxy->on_request(head, client);
  ResponseHead answer;
  answer.status = 101;
  answer.fields.add("Set-Cookie", "a=1");
  std::string text;
  HeadWriter writer(text);
  std::get<Forward>(decision).policy->write_response_fields(answer, HopFields(answer.fields),
                                                            writer);
  EXPECT_EQ(text, "Set-Cookie: a=1; Path=/port/5500/\r\n");
}

TEST_F(NodeProxyTest, TokenReachesNeitherAppNorLog) {
  const auto text = forwarded(
      request("/port/5500/?secret=1", {{"X-HPC-Proxy-Token", kToken}, {"X-HPC-Other", "1"}}));
  EXPECT_EQ(text.find(kToken), std::string::npos);
  EXPECT_EQ(text.find("X-HPC"), std::string::npos);
  EXPECT_NE(logged.find("path=/port/5500/"), std::string::npos);
  EXPECT_EQ(logged.find(kToken), std::string::npos);
  EXPECT_EQ(logged.find("secret"), std::string::npos);
}

TEST_F(NodeProxyTest, HopFieldsStayHere) {
  const auto text = forwarded(request("/port/5500/", {{"Connection", "keep-alive, X-Hop"},
                                                      {"X-Hop", "1"},
                                                      {"TE", "trailers"},
                                                      {"Accept", "*/*"}}));
  EXPECT_EQ(text.find("X-Hop"), std::string::npos);
  EXPECT_EQ(text.find("TE:"), std::string::npos);
  EXPECT_TRUE(has(text, "Accept: */*"));
}

TEST_F(NodeProxyTest, StatusTellsWhatTheContractNames) {
  stats.requests = 7;
  stats.open_websockets = 2;
  stats.last_activity_unix_ms = 1'772'366'400'250;
  state.walltime_warning = true;
  const auto answer = local(request("/status"));
  rapidjson::Document json;
  json.Parse(answer.body.c_str());
  ASSERT_FALSE(json.HasParseError());
  EXPECT_EQ(json["requests"].GetInt(), 7);
  EXPECT_EQ(json["open_websockets"].GetInt(), 2);
  EXPECT_STREQ(json["last_activity"].GetString(), "2026-03-01T12:00:00.250Z");
  EXPECT_TRUE(json["walltime_warning"].GetBool());
  EXPECT_TRUE(json["job_end"].IsNull());
  EXPECT_EQ(answer.body.find(kToken), std::string::npos);
  EXPECT_EQ(status(request("/status", {}, "POST")), 405);
  const auto refused = write_answer(local(request("/status", {}, "POST")), false, true, 1);
  EXPECT_NE(refused.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos);
  EXPECT_EQ(refused.find("DELETE"), std::string::npos);
}

TEST(AnswerTest, NavigationIsWhatABrowserSaysItIs) {
  EXPECT_TRUE(is_navigation(request("/", {{"Sec-Fetch-Mode", "navigate"}})));
  EXPECT_TRUE(is_navigation(request("/", {{"Accept", "text/html,*/*"}})));
  EXPECT_FALSE(is_navigation(request("/", {{"Sec-Fetch-Mode", "cors"}, {"Accept", "text/html"}})));
  EXPECT_FALSE(is_navigation(request("/", {{"Accept", "*/*"}})));
  EXPECT_FALSE(is_navigation(request("/", {{"Accept", "text/html"}}, "PUT")));
}

TEST(AnswerTest, HtmlIsEscapedAndLockedDown) {
  EXPECT_EQ(escape_html("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
  const auto page = error_answer(502, "<script>", true);
  EXPECT_EQ(page.body.find("<script>"), std::string::npos);
  bool csp = false;
  bool nosniff = false;
  for (const auto& [name, value] : page.fields) {
    csp = csp || (name == "Content-Security-Policy" && value.starts_with("default-src 'none'"));
    nosniff = nosniff || (name == "X-Content-Type-Options" && value == "nosniff");
  }
  EXPECT_TRUE(csp && nosniff);
}

TEST_F(NodeProxyTest, LogsWhoeverItRefusesButNoSecret) {
  owner.ours = false;
  EXPECT_EQ(status(request("/port/5500/x?key=secret", {{"Cookie", "secret=1"}})), 401);
  EXPECT_NE(logged.find("path=/port/5500/x "), std::string::npos) << logged;
  EXPECT_NE(logged.find("answer=401"), std::string::npos) << logged;
  logged.clear();
  EXPECT_EQ(status(request("/status?x=secret", {{"X-HPC-Proxy-Token", kToken}})), 200);
  EXPECT_NE(logged.find("answer=200"), std::string::npos) << logged;
  EXPECT_EQ(logged.find(kToken), std::string::npos);
  EXPECT_EQ(logged.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace hpc
