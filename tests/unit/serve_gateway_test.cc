#include "manager/gateway/serve_gateway.h"

#include <gtest/gtest.h>

#include <string>

#include "common/answers.h"
#include "manager/session/tunnel.h"
#include "tests/support/gateway_fixture.h"

namespace hpc {
namespace {

bool shows(const LocalAnswer& answer, std::string_view text) {
  return answer.body.find(text) != std::string::npos;
}

struct ServeGatewayTest : GatewayFixture {
  ServeGatewayTest() {
    id = sessions.add({"alice", "main", "vscode", 1}).row.id;
    cookie = "hpc-manager-8000=" + make_token("alice", TokenKind::kLogin);
  }
  /// As alice, who has logged in.
  RequestHead mine(RequestHead head, const std::string& more_cookies = "") const {
    head.fields.add("Cookie", cookie + more_cookies);
    return head;
  }
  std::string upstream_of(const std::string& target) {
    auto forward = forwarded(mine(request("GET", target)));
    return forward ? target_of(std::move(*forward)) : "not forwarded";
  }
  std::string location_of(const RequestHead& head, int status) {
    const auto got = answer(head);
    EXPECT_EQ(got.status, status) << head.target;
    EXPECT_EQ(value_of(got, "Cache-Control"), "no-store") << "who asks decides where it leads";
    return value_of(got, "Location");
  }
  std::string id, cookie;
};

// ------------------------------------------------------------------------------------- forwarding
TEST_F(ServeGatewayTest, ASessionsPathsGoToItsOwnProxy) {
  const std::string base = "/user/alice/main/vscode";
  EXPECT_EQ(upstream_of(base + "/"), "/app/");
  EXPECT_EQ(upstream_of(base + "/a%2f/../b?q=1"), "/app/a%2f/../b?q=1") << "byte for byte";
  EXPECT_EQ(upstream_of(base + "/port/5500/a?q"), "/port/5500/a?q");
  EXPECT_EQ(upstream_of(base + "/absport/5500/a?q"), "/absport/5500/a?q");
  EXPECT_EQ(upstream_of(base + "/ports?x"), "/ports?x");
  EXPECT_EQ(upstream_of(base + "/status"), "/app/status") << "the IDE's, not hpc-proxy's";
  EXPECT_EQ(upstream_of(base + "/.hpc-proxy/hello"), "/app/.hpc-proxy/hello");
  sessions.tunnel_of(id).found->app = {"unix:/x", true};
  EXPECT_EQ(upstream_of(base + "/a?q"), "/absapp/a?q");
  const auto forward = forwarded(mine(request("GET", base + "/")));
  EXPECT_EQ(forward->pool, &sessions.pool_of(id));
  EXPECT_EQ(forward->owner, id) << "cut with its session";
}

TEST_F(ServeGatewayTest, TheAppIsToldTheWholePrefixAndNothingOfOurs) {
  const auto sent = [&](const std::string& target) {
    const auto head = mine(request("GET", target), "; a=1");
    return fields_sent_on(*forwarded(head), head);
  };
  const auto port = sent("/user/alice/main/vscode/port/5500/x");
  EXPECT_NE(port.find("X-Forwarded-Prefix: /user/alice/main/vscode/port/5500\r\n"),
            std::string::npos)
      << port;
  EXPECT_NE(port.find("Cookie: a=1\r\n"), std::string::npos) << port;
  EXPECT_NE(port.find("X-HPC-Proxy-Token: 777"), std::string::npos) << port;
  EXPECT_EQ(port.find("hpm_"), std::string::npos) << port;
  const auto ide = sent("/user/alice/main/vscode/x");
  EXPECT_NE(ide.find("X-Forwarded-Prefix: /user/alice/main/vscode\r\n"), std::string::npos) << ide;
}

TEST_F(ServeGatewayTest, TheAppSeesThePublicNamesAndNotTheIdentityHeader) {
  options.public_url = PublicUrl{"https", "hpc.example.org"};
  options.auth = AuthMode::kHeader;
  build();
  auto head = request("GET", "/user/alice/main/vscode/");
  head.host = "hpc.example.org";
  head.fields.add("Remote-User", "alice");
  head.fields.add("X-Forwarded-For", "203.0.113.5");
  const auto sent = fields_sent_on(*forwarded(head), head);
  EXPECT_NE(sent.find("X-Forwarded-Host: hpc.example.org\r\nX-Forwarded-Proto: https\r\n"),
            std::string::npos)
      << sent;
  EXPECT_NE(sent.find("X-Forwarded-For: 203.0.113.5, 127.0.0.1\r\n"), std::string::npos) << sent;
  EXPECT_EQ(sent.find("Remote-User"), std::string::npos) << sent;
}

TEST_F(ServeGatewayTest, ForwardingIsActivityAndNothingElseIs) {
  forwarded(mine(request("GET", "/user/alice/main/vscode/")));
  EXPECT_EQ(sessions.noted, std::vector<std::string>{id});
  answer(request("GET", "/user/alice/main/vscode/"));
  answer(as("bob", request("GET", "/user/alice/main/vscode/")));
  answer(mine(request("GET", "/user/alice/main/vscode")));
  answer(mine(page("/")));
  EXPECT_EQ(sessions.noted.size(), 1U);
}

TEST_F(ServeGatewayTest, OnlyWhatMayBeRepeatedWaits) {
  const auto key = [&](const RequestHead& head) { return forwarded(mine(head))->key; };
  const std::string target = "/user/alice/main/vscode/x";
  sessions.tunnel_of(id).up = false;
  EXPECT_EQ(key(request("GET", target)), Tunnel::kMayWait);
  EXPECT_EQ(key(request("POST", target)), Tunnel::kAtOnce);
  EXPECT_EQ(key(upgrade(target)), Tunnel::kAtOnce);
}

TEST_F(ServeGatewayTest, APersonGetsAPageAtOnceWhileTheTunnelIsDown) {
  sessions.tunnel_of(id).up = false;
  sessions.tunnel_of(id).why_down = "the SSH connection was <lost>";
  const auto got = answer(mine(page("/user/alice/main/vscode/")));
  EXPECT_EQ(got.status, 503);
  EXPECT_EQ(value_of(got, "Retry-After"), "2");
  EXPECT_TRUE(shows(got, "&lt;lost&gt;") && shows(got, "http-equiv=\"refresh\"")) << got.body;
  EXPECT_TRUE(forwarded(mine(form("/user/alice/main/vscode/"))).has_value())
      << "a form cannot be sent again by a page; the tunnel says 503";
  EXPECT_TRUE(sessions.noted.size() == 1);
}

// -------------------------------------------------------------------------------------- redirects
TEST_F(ServeGatewayTest, TheSlashThatIsMissingIsAdded) {
  const auto location = [&](const std::string& target) {
    return location_of(mine(request("GET", target)), 308);
  };
  EXPECT_EQ(location("/user/alice/main/vscode"), "/user/alice/main/vscode/");
  EXPECT_EQ(location("/user/alice/main/vscode?q=//x"), "/user/alice/main/vscode/?q=//x");
  EXPECT_EQ(location("/user/alice/main/vscode/port/5500?q"),
            "/user/alice/main/vscode/port/5500/?q");
  auto forward = forwarded(mine(upgrade("/user/alice/main/vscode?q")));
  ASSERT_TRUE(forward.has_value());
  EXPECT_EQ(target_of(std::move(*forward)), "/app/?q") << "taken as with the slash";
  forward = forwarded(mine(upgrade("/user/alice/main/vscode/port/5500")));
  EXPECT_EQ(target_of(std::move(*forward)), "/port/5500") << "hpc-proxy takes it so, too";
}

TEST_F(ServeGatewayTest, AShortAddressLeadsToTheActiveSession) {
  const auto second = sessions.add({"alice", "other", "jupyter", 2}).row.id;
  sessions.set_active(second);
  const std::string base = "/user/alice/other/jupyter~2";
  EXPECT_EQ(location_of(mine(request("GET", "/port/5500/a?q")), 307), base + "/port/5500/a?q");
  EXPECT_EQ(location_of(mine(request("POST", "/absport/1/x")), 307), base + "/absport/1/x");
  EXPECT_EQ(location_of(mine(request("GET", "/port/5500?q")), 307), base + "/port/5500/?q");
  const auto head = mine(upgrade("/port/5500/ws?q"));
  auto forward = forwarded(head);
  ASSERT_TRUE(forward.has_value());
  EXPECT_EQ(forward->owner, second);
  EXPECT_NE(fields_sent_on(*forward, head).find("X-Forwarded-Prefix: " + base + "/port/5500\r\n"),
            std::string::npos);
  EXPECT_EQ(target_of(std::move(*forward)), "/port/5500/ws?q");
}

TEST_F(ServeGatewayTest, WithoutAnActiveSessionThePageSaysHow) {
  const auto got = answer(mine(page("/port/5500/")));
  EXPECT_EQ(got.status, 404);
  EXPECT_TRUE(shows(got, "no active session") && shows(got, "start page")) << got.body;
  EXPECT_EQ(answer(mine(upgrade("/port/5500/"))).status, 404);
}

TEST_F(ServeGatewayTest, TheFormOfTheStartPageLeadsToAPort) {
  const auto ask_for = [&](const std::string& query) {
    const auto got = answer(mine(page("/?" + query)));
    return got.status == 303 ? value_of(got, "Location") : std::to_string(got.status);
  };
  EXPECT_EQ(ask_for("port=5500&session=%2Fuser%2Falice%2Fmain%2Fvscode"),
            "/user/alice/main/vscode/port/5500/");
  for (const char* query :
       {"port=5500", "session=/user/alice/main/vscode", "port=0&session=/user/alice/main/vscode",
        "port=5500/../..&session=/user/alice/main/vscode", "port=5500&session=//evil.example",
        "port=5500&session=https://evil.example", "port=%&session=x", "x",
        "port=1/x?&session=/user/alice/main/vscode", "port=1&session=/user/alice/main/vscode/x"}) {
    EXPECT_EQ(ask_for(query), "200") << query;
  }
}

// ------------------------------------------------------------------------------------- our pages
TEST_F(ServeGatewayTest, TheStartPageShowsOnesOwnSessions) {
  sessions.add({"bob", "main", "vscode", 1});
  auto& queued = sessions.add({"alice", "main", "jupyter", 2}, SessionState::kQueued);
  queued.queue_position = 3;
  queued.row.reason = "<b>";
  sessions.set_active(id);
  const auto got = answer(mine(page("/")));
  EXPECT_EQ(got.status, 200);
  EXPECT_TRUE(shows(got, "href=\"/user/alice/main/vscode/\"") &&
              shows(got, "href=\"/user/alice/main/jupyter~2/\"") &&
              shows(got, "queued (3rd)<small>&lt;b&gt;</small>") && shows(got, "job 4711 on c1") &&
              shows(got, "name=\"port\"") && shows(got, "action=\"/logout\""))
      << got.body;
  EXPECT_FALSE(shows(got, "bob")) << got.body;
  EXPECT_FALSE(shows(got, "<script"));
  EXPECT_NE(value_of(got, "Content-Security-Policy").find("frame-ancestors 'none'"),
            std::string::npos);
  EXPECT_EQ(value_of(got, "Cross-Origin-Opener-Policy"), "same-origin");
  EXPECT_FALSE(shows(got, "<option value=\"/user/alice/main/jupyter~2\"")) << "it is nowhere yet";
  EXPECT_TRUE(shows(answer(as("carol", page("/"))), "You have no session"));
}

TEST_F(ServeGatewayTest, TheStartPageComesAgainUnlessSomebodyMayType) {
  const auto shown = [&] { return answer(mine(page("/"))); };
  sessions.info_of(id).row.state = SessionState::kStarting;
  EXPECT_TRUE(shows(shown(), "http-equiv=\"refresh\"") && !shows(shown(), "name=\"port\""));
  sessions.add({"alice", "main", "jupyter", 1});
  EXPECT_FALSE(shows(shown(), "http-equiv")) << "it would take the number away";
  EXPECT_TRUE(shows(shown(), "name=\"port\"") && shows(shown(), "Look again"));
  sessions.info_of(id).row.state = SessionState::kRunning;
  EXPECT_FALSE(shows(shown(), "http-equiv") || shows(shown(), "Look again")) << "nothing changes";
}

TEST_F(ServeGatewayTest, AWaitingPageSaysTheReasonOnce) {
  sessions.tunnel_of(id).up = false;
  sessions.tunnel_of(id).why_down = sessions.info_of(id).row.reason = "no hpc-proxy runs";
  const auto got = answer(mine(page("/user/alice/main/vscode/")));
  EXPECT_TRUE(shows(got,
                    "<p>The session alice-main-vscode is running on c1: no hpc-proxy "
                    "runs.</p>"))
      << got.body;
  EXPECT_TRUE(shows(got, "href=\"/\"")) << "the way to the others";
}

TEST_F(ServeGatewayTest, AWaitingPageSaysWhereTheSessionStandsAndGoesOnByItself) {
  auto& info = sessions.info_of(id);
  sessions.tunnel_of(id).up = false;
  const auto shown = [&](SessionState state, std::string reason) {
    info.row.state = state;
    info.row.reason = std::move(reason);
    const auto got = answer(mine(page("/user/alice/main/vscode/")));
    EXPECT_EQ(got.status, 503);
    EXPECT_TRUE(shows(got, "http-equiv=\"refresh\"")) << got.body;
    return got;
  };
  info.queue_position = 3;
  EXPECT_TRUE(shows(shown(SessionState::kQueued, ""), "is queued (3rd).</p>"));
  info.queue_position.reset();
  EXPECT_TRUE(shows(shown(SessionState::kPending, "Priority, starts about <14:05>"),
                    "is pending: Priority, starts about &lt;14:05&gt;.</p>"));
  EXPECT_TRUE(shows(shown(SessionState::kStarting, "waiting for hpc-proxy"),
                    "is starting on c1: waiting for hpc-proxy.</p>"));
  sessions.tunnel_of(id).up = true;
  info.row.state = SessionState::kRunning;
  EXPECT_TRUE(forwarded(mine(page("/user/alice/main/vscode/"))).has_value()) << "the same address";
}

TEST_F(ServeGatewayTest, TheStartPageSaysAStateOnce) {
  auto& info = sessions.info_of(id);
  info.row.state = SessionState::kPending;
  info.row.reason = "pending: <Priority>";
  EXPECT_TRUE(shows(answer(mine(page("/"))), "<td>pending: &lt;Priority&gt;</td>"));
  info.row.reason = "";
  EXPECT_TRUE(shows(answer(mine(page("/"))), "<td>pending</td>"));
}

TEST_F(ServeGatewayTest, TheStartPageSaysHowMuchTimeIsLeft) {
  sessions.info_of(id).row.ends_at = now + 52 * 60'000 + 1;
  EXPECT_TRUE(shows(answer(mine(page("/"))), "UTC (52 minutes left)"));
  sessions.info_of(id).row.ends_at = now;
  EXPECT_TRUE(shows(answer(mine(page("/"))), "UTC</td>")) << "what has passed is not counted";
}

TEST_F(ServeGatewayTest, ASessionIsMadeActiveOnTheStartPage) {
  const auto got = answer(mine(form("/")), "activate=" + id);
  EXPECT_EQ(got.status, 303);
  EXPECT_TRUE(sessions.find(id)->active);
  EXPECT_NE(lines.find("audit: session activated"), std::string::npos);
  const auto foreign = sessions.add({"bob", "main", "vscode", 1}).row.id;
  const auto none = answer(mine(form("/")), "activate=" + std::string(32, 'f'));
  const auto bobs = answer(mine(form("/")), "activate=" + foreign);
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(bobs.status, 404);
  EXPECT_EQ(bobs.body, none.body);
  EXPECT_FALSE(sessions.find(foreign)->active);
  EXPECT_EQ(answer(mine(form("/")), "").status, 404);
  sessions.refuse = Error{Errc::kUnavailable, "store", "the disk is full"};
  EXPECT_EQ(answer(mine(form("/")), "activate=" + id).status, 503);
  EXPECT_EQ(answer(mine(request("DELETE", "/"))).status, 405);
}

TEST_F(ServeGatewayTest, AnEndedSessionSaysWhyAndWhen) {
  auto& info = sessions.add({"alice", "main", "old", 1}, SessionState::kEnded);
  info.row.ended_at = 1'772'366'400'250;
  info.row.reason = "the <job> was cancelled";
  for (const auto& got : {answer(mine(page("/user/alice/main/old/"))),
                          answer(mine(page("/user/alice/main/old/port/1/x")))}) {
    EXPECT_EQ(got.status, 410);
    EXPECT_TRUE(shows(got, "2026-03-01 12:00:00 UTC") && shows(got, "the &lt;job&gt;")) << got.body;
  }
  const auto problem = answer(mine(upgrade("/user/alice/main/old/")));
  EXPECT_EQ(problem.status, 410);
  EXPECT_EQ(value_of(problem, "Content-Type"), "application/problem+json");
  sessions.add({"alice", "main", "old", 1});
  EXPECT_TRUE(forwarded(mine(request("GET", "/user/alice/main/old/"))).has_value())
      << "a new one of that name";
}

TEST_F(ServeGatewayTest, HealthIsForEverybody) {
  const auto health = answer(request("GET", "/healthz"));
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, "{\"status\":\"ok\"}\n");
  EXPECT_EQ(answer(request("GET", "/readyz")).status, 200);
  ready = fail(Errc::kUnavailable, "store", "the disk is full");
  const auto waits = answer(request("GET", "/readyz"));
  EXPECT_EQ(waits.status, 503);
  EXPECT_TRUE(shows(waits, "the disk is full"));
  EXPECT_EQ(answer(request("GET", "/healthz")).status, 200);
}

TEST_F(ServeGatewayTest, OnlyWhoIsKnownOrComesThroughTheProxyIsNoStranger) {
  options.trusted_proxies = {};
  build();
  ask(request("GET", "/healthz"));
  EXPECT_FALSE(client.authenticated);
  ask(mine(page("/")));
  EXPECT_TRUE(client.authenticated);
  ask(request("GET", "/healthz"));
  EXPECT_TRUE(client.authenticated) << "a connection that was let in stays so";
  client.authenticated = false;
  options.trusted_proxies = {"127.0.0.1"};
  build();
  ask(request("GET", "/healthz"));
  EXPECT_TRUE(client.authenticated);
}

TEST_F(ServeGatewayTest, RefusalsOfTheEngineAreProblems) {
  const auto refusal = gateway->on_refusal(503, "too many connections");
  EXPECT_EQ(refusal.status, 503);
  EXPECT_TRUE(refusal.close);
  EXPECT_EQ(value_of(refusal, "Retry-After"), "2");
  EXPECT_EQ(value_of(gateway->on_refusal(400, "x"), "Retry-After"), "");
}

// ---------------------------------------------------------------------------------- root fallback
struct ServeFallbackTest : ServeGatewayTest {
  RequestHead from_app(const std::string& target, const char* mode = "no-cors",
                       const std::string& prefix = "/user/alice/main/vscode/port/3000") const {
    auto head = mine(request("GET", target));
    head.fields.add("Referer", "http://127.0.0.1:8000" + prefix + "/");
    head.fields.add("Sec-Fetch-Mode", mode);
    return head;
  }
};

TEST_F(ServeFallbackTest, WhatAnAppsPageAsksForAtTheRootIsSentOnToTheApp) {
  const std::string app = "/user/alice/main/vscode/port/3000";
  EXPECT_EQ(location_of(from_app("/x.js?v"), 307), app + "/x.js?v");
  EXPECT_EQ(location_of(from_app("/"), 307), app + "/");
  EXPECT_EQ(location_of(from_app("/healthz", "cors"), 307), app + "/healthz");
  EXPECT_EQ(location_of(from_app("/metrics", "cors"), 307), app + "/metrics");
  EXPECT_EQ(location_of(from_app("/user/settings", "cors"), 307), app + "/user/settings");
  EXPECT_EQ(location_of(from_app("/x", "cors", "/user/alice/main/vscode"), 307),
            "/user/alice/main/vscode/x");
  EXPECT_EQ(answer(from_app("/healthz", "navigate")).status, 200);
  EXPECT_EQ(answer(from_app("/readyz", "navigate")).status, 200);
}

TEST_F(ServeFallbackTest, RoutesAndLoginAreNeverAnApps) {
  for (const char* mode : {"navigate", "cors"}) {
    EXPECT_EQ(answer(from_app("/login", mode)).status, 200) << mode;
    EXPECT_EQ(answer(from_app("/logout", mode)).status, 200) << mode;
    EXPECT_EQ(answer(from_app("/api/v1/sessions", mode)).status, 299) << mode;
    EXPECT_EQ(answer(from_app("/port/5500/", mode)).status, 404) << mode << ": no active session";
    EXPECT_TRUE(forwarded(from_app("/user/alice/main/vscode/port/1/", mode)).has_value()) << mode;
    EXPECT_EQ(answer(from_app("/user/bob/main/vscode/", mode)).status, 404) << mode;
  }
  EXPECT_EQ(answer(from_app("/x.js", "cors", "/user/alice/main/vscode/ports/x")).status, 307);
  auto ports = mine(request("GET", "/x.js"));
  ports.fields.add("Referer", "http://127.0.0.1:8000/user/alice/main/vscode/ports");
  EXPECT_EQ(answer(ports).status, 404);
}

TEST_F(ServeFallbackTest, AWebSocketAtTheRootGoesToTheAppThatWasOpenedLast) {
  const auto socket = [&](const std::string& prefix) {
    return mine(upgrade("/ws?t"), "; hpc-last-app-8000=" + prefix);
  };
  const auto head = socket("/user/alice/main/vscode/port/3000");
  auto forward = forwarded(head);
  ASSERT_TRUE(forward.has_value());
  EXPECT_EQ(forward->owner, id);
  EXPECT_NE(fields_sent_on(*forward, head)
                .find("X-Forwarded-Prefix: /user/alice/main/vscode/port/3000\r\n"),
            std::string::npos);
  EXPECT_EQ(target_of(std::move(*forward)), "/port/3000/ws?t");
  sessions.add({"bob", "main", "vscode", 1});
  EXPECT_EQ(answer(socket("/user/bob/main/vscode/port/3000")).status, 404)
      << "what the cookie says is asked for like anything else";
  EXPECT_EQ(answer(socket("/port/3000")).status, 404);
}

TEST_F(ServeFallbackTest, AnAppsPageIsRememberedAsTheOneThatWasOpenedLast) {
  const auto set_by = [&](const RequestHead& head) {
    ResponseHead answer;
    answer.status = 200;
    std::string text;
    HeadWriter out(text);
    forwarded(head)->policy->write_response_fields(answer, HopFields(answer.fields), out);
    return text;
  };
  EXPECT_EQ(set_by(mine(page("/user/alice/main/vscode/port/3000/x"))),
            "Set-Cookie: hpc-last-app-8000=/user/alice/main/vscode/port/3000; Path=/; HttpOnly; "
            "SameSite=Lax\r\n");
  EXPECT_EQ(set_by(mine(page("/user/alice/main/vscode/ports"))), "");
  EXPECT_EQ(set_by(mine(request("GET", "/user/alice/main/vscode/port/3000/x.js"))), "");
  options.root_fallback = false;
  build();
  EXPECT_EQ(set_by(mine(page("/user/alice/main/vscode/port/3000/x"))), "");
  EXPECT_EQ(answer(from_app("/x.js")).status, 404);
}

TEST_F(ServeFallbackTest, NobodyIsSentOnWhoIsNotLetIn) {
  auto nobody = request("GET", "/x.js");
  nobody.fields.add("Referer", "http://127.0.0.1:8000/user/alice/main/vscode/");
  EXPECT_EQ(answer(nobody).status, 404);
  auto elsewhere = from_app("/x.js");
  elsewhere.fields.add("Sec-Fetch-Site", "cross-site");
  EXPECT_EQ(answer(elsewhere).status, 404);
  EXPECT_EQ(location_of(from_app("/x.js", "cors", "/user/bob/main/vscode"), 307),
            "/user/bob/main/vscode/x.js");
  EXPECT_EQ(answer(mine(request("GET", "/user/bob/main/vscode/x.js"))).status, 404);
}

}  // namespace
}  // namespace hpc
