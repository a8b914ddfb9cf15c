#include "manager/gateway/connect_gateway.h"

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>

#include "common/loop.h"
#include "common/port_route.h"
#include "manager/gateway/edge_policy.h"
#include "manager/session/tunnel.h"
#include "tests/support/fake_tunnel_view.h"

namespace hpc {
namespace {

const std::string kToken(64, '7');

struct FakeOwner final : PeerOwner {
  Result<bool> peer_belongs_to(const SocketAddress&, const SocketAddress&, std::uint32_t) override {
    ++asked;
    return answer;
  }
  Result<bool> answer = true;
  int asked = 0;
};

struct NoConnector final : Connector {
  std::unique_ptr<Pending> connect(const std::string&, ConnectDone) override { return nullptr; }
};

RequestHead request(const std::string& method, const std::string& target) {
  RequestHead head;
  head.method = method;
  head.target = target;
  head.host = "127.0.0.1:9000";
  head.fields.add("Host", head.host);
  return head;
}

std::optional<std::string> field_of(const LocalAnswer& answer, std::string_view name) {
  for (const auto& [key, value] : answer.fields) {
    if (equals_ignoring_case(key, name)) return value;
  }
  return std::nullopt;
}

struct ConnectGatewayTest : ::testing::Test {
  ConnectGatewayTest() {
    JobRecord record;
    record.host = "c1";
    record.slurm_node = "c1";
    record.job_id = "4711";
    record.token = kToken;
    record.program_version = "0.1.0";
    tunnel.found = record;
    client.peer_address = client.local_address = "127.0.0.1";
    client.loopback = true;
  }
  LocalAnswer answer(const RequestHead& head) {
    auto decision = gateway.on_request(head, client);
    auto* local = std::get_if<LocalAnswer>(&decision);
    EXPECT_NE(local, nullptr) << head.target;
    return local != nullptr ? std::move(*local) : LocalAnswer{};
  }
  std::optional<Forward> forwarded(const RequestHead& head) {
    auto decision = gateway.on_request(head, client);
    auto* forward = std::get_if<Forward>(&decision);
    if (forward == nullptr) return std::nullopt;
    return std::move(*forward);
  }

  Loop loop;
  NoConnector connector;
  UpstreamPool pool{loop, connector};
  FakeTunnelView tunnel;
  FakeOwner owner;
  std::string logged;
  Log log{LogLevel::kDebug, LogFormat::kText, [this](auto line) { logged += line; }};
  std::unique_ptr<BrowserAccess> access = make_uid_access(owner, 1000);
  ConnectGateway gateway{*access, pool, tunnel, 9000, true, log};
  ClientInfo client;
};

TEST_F(ConnectGatewayTest, EverythingOfHpcProxyGoesOn) {
  for (const char* target : {"/port/5500/", "/port/5500", "/absport/1/x?y", "/status", "/ports",
                             "/healthz", "/app/", "/anything", "/.hpc-proxyx", "*"}) {
    const auto forward = forwarded(request("GET", target));
    ASSERT_TRUE(forward.has_value()) << target;
    EXPECT_EQ(forward->target, target) << "byte for byte";
    EXPECT_EQ(forward->pool, &pool);
  }
  EXPECT_TRUE(client.authenticated);
}

TEST_F(ConnectGatewayTest, WhatIsBetweenOurProgramsDoesNot) {
  for (const char* target : {"/.hpc-proxy/hello?nonce=1", "/.hpc-proxy", "/.hpc-proxy?x",
                             "/.hpc-manager/open?key=1", "/.hpc-proxy/"}) {
    EXPECT_EQ(answer(request("GET", target)).status, 404) << target;
  }
}

TEST_F(ConnectGatewayTest, OnlyWhatMayBeRepeatedWaits) {
  const auto key = [&](const RequestHead& head) { return forwarded(head)->key; };
  for (const char* method : {"GET", "HEAD", "OPTIONS"}) {
    EXPECT_EQ(key(request(method, "/port/1/")), Tunnel::kMayWait) << method;
  }
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "PROPFIND"}) {
    EXPECT_EQ(key(request(method, "/port/1/")), Tunnel::kAtOnce) << method;
  }
  auto with_body = request("GET", "/port/1/");
  with_body.framing.kind = BodyKind::kChunked;
  EXPECT_EQ(key(with_body), Tunnel::kAtOnce);
  auto upgrade = request("GET", "/port/1/ws");
  upgrade.websocket_upgrade = true;
  EXPECT_EQ(key(upgrade), Tunnel::kAtOnce);
}

TEST_F(ConnectGatewayTest, AStrangerGetsTheSameWhateverIsAsked) {
  owner.answer = false;
  const auto first = answer(request("GET", "/port/5500/"));
  EXPECT_EQ(first.status, 401);
  EXPECT_TRUE(field_of(first, "WWW-Authenticate").has_value());
  auto evil = request("GET", "/.hpc-proxy/hello");
  evil.fields.add("Sec-Fetch-Site", "cross-site");
  EXPECT_EQ(answer(evil).status, 401);
  EXPECT_EQ(answer(request("GET", "/")).body, first.body);
  EXPECT_FALSE(client.authenticated);
  EXPECT_EQ(owner.asked, 1) << "a connection does not change its owner";
}

TEST_F(ConnectGatewayTest, NoAnswerOfTheKernelMeansNo) {
  owner.answer = fail(Errc::kSystem, "netlink", "denied");
  EXPECT_EQ(answer(request("GET", "/")).status, 401);
}

TEST_F(ConnectGatewayTest, NotOverLoopbackMeansNo) {
  client.loopback = false;
  EXPECT_EQ(answer(request("GET", "/")).status, 401);
  EXPECT_EQ(owner.asked, 0);
}

TEST_F(ConnectGatewayTest, AnotherSitesRequestIsRefused) {
  auto head = request("GET", "/port/5500/");
  head.fields.add("Sec-Fetch-Site", "cross-site");
  EXPECT_EQ(answer(head).status, 403);
  auto rebinding = request("GET", "/port/5500/");
  rebinding.host = "evil.example";
  EXPECT_EQ(answer(rebinding).status, 403);
}

TEST_F(ConnectGatewayTest, TheStartPageSaysWhatIsConnectedEscaped) {
  tunnel.found->job_end = "2026-11-21T08:00:00Z";
  auto page = answer(request("GET", "/?x"));
  EXPECT_EQ(page.status, 200);
  EXPECT_NE(page.body.find("job 4711 on c1"), std::string::npos) << page.body;
  EXPECT_EQ(page.body.find("http-equiv"), std::string::npos);
  tunnel.up = false;
  tunnel.why_down = "<script>";
  page = answer(request("HEAD", "/"));
  EXPECT_NE(page.body.find("&lt;script&gt;"), std::string::npos);
  EXPECT_NE(page.body.find("http-equiv"), std::string::npos) << "goes on by itself";
  EXPECT_EQ(answer(request("POST", "/")).status, 405);
}

TEST_F(ConnectGatewayTest, TheQueryIsNeverLogged) {
  answer(request("GET", "/?secret=1"));
  EXPECT_NE(logged, "");
  EXPECT_EQ(logged.find("secret"), std::string::npos) << logged;
}

TEST_F(ConnectGatewayTest, RefusalsOfTheEngineAreProblems) {
  const auto refusal = gateway.on_refusal(503, "too many connections");
  EXPECT_EQ(refusal.status, 503);
  EXPECT_TRUE(refusal.close);
  EXPECT_EQ(field_of(refusal, "Retry-After"), "2");
  EXPECT_EQ(field_of(refusal, "Content-Type"), "application/problem+json");
}

struct ConnectFallbackTest : ConnectGatewayTest {
  static RequestHead from_page(const std::string& target, const char* mode = "no-cors",
                               const std::string& method = "GET") {
    auto head = request(method, target);
    head.fields.add("Referer", "http://127.0.0.1:9000/port/3000/");
    head.fields.add("Sec-Fetch-Mode", mode);
    return head;
  }
  static RequestHead web_socket(const std::string& target, const char* cookie) {
    auto head = request("GET", target);
    head.websocket_upgrade = true;
    head.fields.add("Origin", "http://127.0.0.1:9000");
    head.fields.add("Cookie", cookie);
    return head;
  }
  static std::string fields_sent_on(const Forward& forward, const RequestHead& head) {
    std::string text;
    HeadWriter out(text);
    forward.policy->write_request_fields(head, HopFields(head.fields), out);
    return text;
  }
  static std::string fields_sent_back(const Forward& forward, int status) {
    ResponseHead head;
    head.status = status;
    std::string text;
    HeadWriter out(text);
    forward.policy->write_response_fields(head, HopFields(head.fields), out);
    return text;
  }
};

TEST_F(ConnectFallbackTest, WhatAPageAsksForAtTheRootIsSentOnToItsApp) {
  const auto redirect = answer(from_page("/x.js?v"));
  EXPECT_EQ(redirect.status, 307);
  EXPECT_EQ(field_of(redirect, "Location"), "/port/3000/x.js?v");
  EXPECT_EQ(field_of(redirect, "Cache-Control"), "no-store");
  EXPECT_EQ(field_of(redirect, "Vary"), "Referer");
  EXPECT_EQ(answer(from_page("/status", "cors")).status, 307);
  EXPECT_EQ(answer(from_page("/api/x", "cors", "POST")).status, 307);
  EXPECT_TRUE(forwarded(from_page("/status", "navigate")).has_value());
  EXPECT_TRUE(forwarded(request("GET", "/x.js")).has_value()) << "hpc-proxy says what it is";
  EXPECT_EQ(answer(from_page("/.hpc-manager/open?key=1")).status, 404);
}

TEST_F(ConnectFallbackTest, TheStartPageIsForWhoComesFromElsewhere) {
  EXPECT_EQ(answer(from_page("/", "navigate")).status, 307);
  EXPECT_EQ(answer(from_page("/", "navigate", "POST")).status, 307);
  auto typed = request("GET", "/");
  typed.fields.add("Sec-Fetch-Mode", "navigate");
  EXPECT_EQ(answer(typed).status, 200);
}

TEST_F(ConnectFallbackTest, AWebSocketAtTheRootGoesToTheAppThatWasOpenedLast) {
  const auto head = web_socket("/?t", "a=1; hpc-last-app-9000=/port/3000");
  const auto forward = forwarded(head);
  ASSERT_TRUE(forward.has_value());
  EXPECT_EQ(forward->target, "/port/3000/?t");
  EXPECT_EQ(forward->key, Tunnel::kAtOnce);
  const auto sent = fields_sent_on(*forward, head);
  EXPECT_NE(sent.find("X-Forwarded-Prefix: /port/3000\r\n"), std::string::npos) << sent;
  EXPECT_NE(sent.find("Cookie: a=1\r\n"), std::string::npos) << sent;
  EXPECT_EQ(forwarded(web_socket("/ws", "hpc-last-app-41234=/port/3000"))->target, "/ws")
      << "hpc-proxy's own port is not ours";
}

TEST_F(ConnectFallbackTest, AnAppsPageIsRememberedAsTheOneThatWasOpenedLast) {
  const auto back = [&](const RequestHead& head, int status) {
    return fields_sent_back(*forwarded(head), status);
  };
  const std::string cookie =
      "Set-Cookie: hpc-last-app-9000=/absport/3000; Path=/; HttpOnly; "
      "SameSite=Lax\r\n";
  EXPECT_EQ(back(from_page("/absport/3000/x", "navigate"), 200), cookie);
  EXPECT_EQ(back(from_page("/absport/3000/x", "navigate"), 103), "");
  EXPECT_EQ(back(from_page("/absport/3000/x", "cors"), 200), "");
  EXPECT_EQ(back(from_page("/status", "navigate"), 200), "");
}

TEST_F(ConnectFallbackTest, NobodyIsSentOnWhoIsNotLetIn) {
  auto other_site = from_page("/x.js");
  other_site.fields.add("Sec-Fetch-Site", "same-site");
  EXPECT_EQ(answer(other_site).status, 403);
  owner.answer = false;
  client.peer_is_ours = -1;
  EXPECT_EQ(answer(from_page("/x.js")).status, 401);
}

TEST_F(ConnectFallbackTest, ItCanBeSwitchedOff) {
  ConnectGateway off{*access, pool, tunnel, 9000, false, log};
  const auto target = [&](const RequestHead& head) {
    auto decision = off.on_request(head, client);
    auto* forward = std::get_if<Forward>(&decision);
    if (forward == nullptr) return std::to_string(std::get<LocalAnswer>(decision).status);
    return forward->target + fields_sent_back(*forward, 200);
  };
  EXPECT_EQ(target(from_page("/x.js")), "/x.js");
  EXPECT_EQ(target(from_page("/", "cors")), "200");
  EXPECT_EQ(target(web_socket("/ws", "hpc-last-app-9000=/port/3000")), "/ws");
  EXPECT_EQ(target(from_page("/port/3000/", "navigate")), "/port/3000/");
}

struct EdgePolicyTest : ConnectGatewayTest {
  static EdgeView view_of(const RequestHead& head) {
    EdgeView view;
    view.prefix = app_prefix(head.target);
    return view;
  }
  std::string request_fields(const RequestHead& head) {
    const auto policy = make_edge_policy(head, client, tunnel, view_of(head));
    std::string text;
    HeadWriter out(text);
    policy->write_request_fields(head, HopFields(head.fields), out);
    return text;
  }
};

TEST_F(EdgePolicyTest, OurViewReplacesTheClients) {
  auto head = request("GET", "/port/5500/x");
  head.fields.add("X-Forwarded-For", "6.6.6.6");
  head.fields.add("x-forwarded-prefix", "/evil");
  head.fields.add("X_Forwarded_Host", "evil");
  head.fields.add("Forwarded", "for=6.6.6.6");
  head.fields.add("X-HPC-Proxy-Token", std::string(64, '0'));
  head.fields.add("X-HPC-Anything", "1");
  head.fields.add("Cookie", "hpc-manager-9000=secret; a=1");
  head.fields.add("Origin", "http://127.0.0.1:9000");
  head.fields.add("Referer", "http://127.0.0.1:9000/port/5500/");
  head.fields.add("Authorization", "Bearer app");
  head.fields.add("Connection", "keep-alive, Authorization");
  head.fields.add("Keep-Alive", "timeout=5");
  EXPECT_EQ(request_fields(head),
            "Host: 127.0.0.1:9000\r\n"
            "Cookie: a=1\r\n"
            "Origin: http://127.0.0.1:9000\r\n"
            "Referer: http://127.0.0.1:9000/port/5500/\r\n"
            "Authorization: Bearer app\r\n"
            "X-Forwarded-For: 127.0.0.1\r\n"
            "X-Forwarded-Host: 127.0.0.1:9000\r\n"
            "X-Forwarded-Proto: http\r\n"
            "X-Forwarded-Prefix: /port/5500\r\n"
            "X-HPC-Proxy-Token: " +
                kToken + "\r\n");
}

TEST_F(EdgePolicyTest, TheTokenIsThatOfTheProxyThatTakesTheRequest) {
  const auto head = request("GET", "/port/5500/");
  const auto policy = make_edge_policy(head, client, tunnel, view_of(head));
  tunnel.found->token = std::string(64, '8');  // moved while the request waited
  std::string text;
  HeadWriter out(text);
  policy->write_request_fields(head, HopFields(head.fields), out);
  EXPECT_NE(text.find(std::string(64, '8')), std::string::npos);
}

TEST_F(EdgePolicyTest, AnswersLoseOnlyWhatReachesBeyondTheApp) {
  const auto policy = make_edge_policy(request("GET", "/port/5500/"), client, tunnel, {});
  ResponseHead head;
  head.status = 200;
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"Content-Type", "text/html"},
           {"Location", "http://localhost:5500/"},
           {"Set-Cookie", "app=1; Path=/"},
           {"Set-Cookie", "hpc-manager-9000=evil"},
           {"strict-transport-security", "max-age=1"},
           {"Alt-Svc", "h3"},
           {"Clear-Site-Data", "*"},
           {"NEL", "{}"},
           {"Connection", "keep-alive"},
           {"Transfer-Encoding", "chunked"}}) {
    head.fields.add(name, value);
  }
  std::string text;
  HeadWriter out(text);
  policy->write_response_fields(head, HopFields(head.fields), out);
  EXPECT_EQ(text,
            "Content-Type: text/html\r\nLocation: http://localhost:5500/\r\n"
            "Set-Cookie: app=1; Path=/\r\n");
}

TEST_F(EdgePolicyTest, TunnelDownIsAPageForPeopleAndAProblemForPrograms) {
  tunnel.up = false;
  tunnel.why_down = "the SSH connection was lost";
  const Error down{Errc::kUnavailable, "tunnel", tunnel.why_down};
  auto head = request("GET", "/port/5500/");
  auto problem = make_edge_policy(head, client, tunnel, view_of(head))->on_upstream_failed(down);
  EXPECT_EQ(problem.status, 503);
  EXPECT_EQ(field_of(problem, "Retry-After"), "2");
  EXPECT_EQ(field_of(problem, "Content-Type"), "application/problem+json");
  head.fields.add("Sec-Fetch-Mode", "navigate");
  auto page = make_edge_policy(head, client, tunnel, view_of(head))->on_upstream_failed(down);
  EXPECT_EQ(page.status, 503);
  EXPECT_NE(page.body.find("the SSH connection was lost"), std::string::npos);
  EXPECT_NE(page.body.find("http-equiv"), std::string::npos);
  const auto died = make_edge_policy(head, client, tunnel, view_of(head))
                        ->on_upstream_failed({Errc::kNetwork, "channel", "reset"});
  EXPECT_EQ(died.status, 502);
}

struct UrlAccessTest : ::testing::Test {
  std::unique_ptr<BrowserAccess> access = make_url_access(9000);
  ClientInfo client;
};

TEST_F(UrlAccessTest, TheUrlWorksOnceAndItsCookieFromThenOn) {
  const auto entry = request("GET", access->entry_path());
  EXPECT_EQ(access->decide(entry, client), Verdict::kStranger);
  const auto answer = access->redeem(entry);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 303);
  EXPECT_EQ(field_of(*answer, "Location"), "/");
  const auto cookie = field_of(*answer, "Set-Cookie").value_or("");
  EXPECT_EQ(cookie.rfind("hpc-manager-9000=", 0), 0U);
  EXPECT_NE(cookie.find("; HttpOnly; SameSite=Lax"), std::string::npos);
  EXPECT_FALSE(access->redeem(entry).has_value());

  auto head = request("GET", "/");
  head.fields.add("Cookie", "a=1; hpc-manager-9000=wrong; " + cookie.substr(0, cookie.find(';')));
  EXPECT_EQ(access->decide(head, client), Verdict::kWelcome);
  head.fields.add("Sec-Fetch-Site", "cross-site");
  EXPECT_EQ(access->decide(head, client), Verdict::kCrossSite);
}

TEST_F(UrlAccessTest, OnlyTheWholeRightKeyIsTaken) {
  const auto path = access->entry_path();
  EXPECT_FALSE(access->redeem(request("POST", path)).has_value());
  EXPECT_FALSE(access->redeem(request("GET", path.substr(0, path.size() - 1))).has_value());
  EXPECT_FALSE(access->redeem(request("GET", path + "0")).has_value());
  auto rebinding = request("GET", path);
  rebinding.host = "evil.example";
  EXPECT_FALSE(access->redeem(rebinding).has_value());
  EXPECT_TRUE(access->redeem(request("GET", path)).has_value()) << "none of these used it up";
}

TEST_F(UrlAccessTest, NoCookieOfAnotherPortCounts) {
  const auto answer = access->redeem(request("GET", access->entry_path()));
  const auto cookie = field_of(*answer, "Set-Cookie").value_or("");
  auto head = request("GET", "/");
  const auto value = cookie.substr(17, 64);
  head.fields.add("Cookie", "hpc-manager-9001=" + value);
  EXPECT_EQ(access->decide(head, client), Verdict::kStranger);
}

}  // namespace
}  // namespace hpc
