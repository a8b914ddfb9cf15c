#include "manager/gateway/local_port_gateway.h"

#include <ostream>

#include "common/http_writer.h"
#include "manager/session/tunnel.h"
#include "tests/support/gateway_fixture.h"

namespace hpc {
namespace {

struct LocalPortGatewayTest : GatewayFixture {
  LocalPortGatewayTest() {
    auto& info = sessions.add({"alice", "main", "vscode", 1});
    id = info.row.id;
    client.lent_to = id;
    client.local_port = 9001;
    client.loopback = true;
  }
  static RequestHead at_port(const std::string& method, const std::string& target) {
    auto head = request(method, target);
    head.host = "127.0.0.1:9001";
    head.fields = {};
    head.fields.add("Host", head.host);
    return head;
  }
  RequestHead as(const std::string& user, RequestHead head) {
    head.fields.add("X-HPC-Manager-Token", make_token(user, TokenKind::kApi));
    return head;
  }
  RequestHead with_cookie(const std::string& user, RequestHead head) {
    head.fields.add("Cookie", cookies->login_name() + "=" + make_token(user, TokenKind::kLogin));
    return head;
  }
  Decision decide(const RequestHead& head) { return local.on_request(head, client); }
  LocalAnswer answered(const RequestHead& head) {
    auto decision = decide(head);
    auto* answer = std::get_if<LocalAnswer>(&decision);
    EXPECT_NE(answer, nullptr) << head.target;
    return answer != nullptr ? std::move(*answer) : LocalAnswer{};
  }
  std::optional<Forward> forwarded(const RequestHead& head) {
    auto decision = decide(head);
    auto* forward = std::get_if<Forward>(&decision);
    if (forward == nullptr) return std::nullopt;
    return std::move(*forward);
  }

  std::string id;
  LocalPortGateway local{
      {{"http", "127.0.0.1:8000"}, true, "Remote-User"}, *identity, sessions, audit, log};
};

TEST_F(LocalPortGatewayTest, TheOwnersTokenReachesTheSessionAtTheRoot) {
  for (const auto* target : {"/port/5500/x.js?y=%20", "/app/", "/absapp/x", "/absport/1/", "/ports",
                             "/status", "/anything"}) {
    const auto forward = forwarded(as("alice", at_port("GET", target)));
    ASSERT_TRUE(forward) << target;
    EXPECT_EQ(forward->target, target) << "byte for byte";
    EXPECT_EQ(forward->pool, &sessions.pool_of(id));
    EXPECT_EQ(forward->owner, id) << "cut with the session";
  }
  EXPECT_EQ(sessions.noted, std::vector<std::string>(7, id));
  EXPECT_TRUE(client.authenticated);
}

TEST_F(LocalPortGatewayTest, SoDoesTheLoginCookie) {
  auto head = with_cookie("alice", at_port("GET", "/port/5500/"));
  head.fields.add("Sec-Fetch-Site", "none");
  EXPECT_TRUE(forwarded(head));
}

TEST_F(LocalPortGatewayTest, NoCredentialOfOursReachesTheApp) {
  auto head = as("alice", at_port("GET", "/port/5500/"));
  head.fields.add("Cookie", cookies->login_name() + "=hpm_x; theirs=1");
  head.fields.add("Remote-User", "alice");
  const auto forward = forwarded(head);
  ASSERT_TRUE(forward);
  std::string text;
  HeadWriter out(text);
  forward->policy->write_request_fields(head, HopFields(head.fields), out);
  EXPECT_EQ(text.find("hpm_"), std::string::npos) << text;
  EXPECT_EQ(text.find("Remote-User"), std::string::npos) << text;
  EXPECT_NE(text.find("theirs=1"), std::string::npos) << text;
  EXPECT_NE(text.find("X-HPC-Proxy-Token: " + std::string(64, '7')), std::string::npos) << text;
}

TEST_F(LocalPortGatewayTest, WithoutATokenNobodyGetsIn) {
  const auto api_call = answered(at_port("GET", "/port/5500/"));
  EXPECT_EQ(api_call.status, 401);
  EXPECT_EQ(value_of(api_call, "WWW-Authenticate"), "Bearer");
  EXPECT_NE(api_call.body.find("http://127.0.0.1:8000/login"), std::string::npos) << api_call.body;
  EXPECT_FALSE(client.authenticated);
  auto upgrade = at_port("GET", "/port/5500/ws");
  upgrade.websocket_upgrade = true;
  EXPECT_EQ(answered(upgrade).status, 401);
  auto wrong = at_port("GET", "/port/5500/");
  wrong.fields.add("X-HPC-Manager-Token", "hpm_" + std::string(64, '0'));
  EXPECT_EQ(answered(wrong).status, 401);
}

// Whoever runs a program on this machine can write that field.
TEST_F(LocalPortGatewayTest, AProxysWordDoesNotCountHere) {
  options.auth = AuthMode::kHeader;
  build();
  LocalPortGateway here({{"http", "127.0.0.1:8000"}, true, "Remote-User"}, *identity, sessions,
                        audit, log);
  auto head = at_port("GET", "/port/5500/");
  head.fields.add("Remote-User", "alice");
  ASSERT_EQ(identity->identify(head, client).user, "alice") << "elsewhere it does";
  auto decision = here.on_request(head, client);
  ASSERT_TRUE(std::holds_alternative<LocalAnswer>(decision));
  EXPECT_EQ(std::get<LocalAnswer>(decision).status, 401);
}

TEST_F(LocalPortGatewayTest, SomebodyElsesSessionIsAsThoughItWereNotThere) {
  for (const auto* method : {"GET", "DELETE", "POST"}) {
    const auto head = as("bob", at_port(method, "/port/5500/"));
    const auto theirs = answered(head);
    EXPECT_EQ(theirs.status, 404) << method;
    client.lent_to = "0000";
    const auto none = answered(head);
    client.lent_to = id;
    EXPECT_EQ(write_answer(theirs, false, true, 1), write_answer(none, false, true, 1));
  }
  const auto admin = answered(as("root", at_port("GET", "/port/5500/")));
  EXPECT_EQ(admin.status, 404) << "an admin has no part in traffic either";
  EXPECT_TRUE(sessions.noted.empty());
}

struct CrossSiteCase {
  const char* name;
  const char* host;
  const char* site;    // Sec-Fetch-Site; "": none
  const char* origin;  // "": none
  bool passes;
};
void PrintTo(const CrossSiteCase& c, std::ostream* os) { *os << c.name; }

constexpr CrossSiteCase kCrossSiteCases[] = {
    {"own_page", "127.0.0.1:9001", "same-origin", "", true},
    {"address_bar", "127.0.0.1:9001", "none", "", true},
    {"other_port", "127.0.0.1:9001", "same-site", "", false},
    {"other_site", "127.0.0.1:9001", "cross-site", "", false},
    {"rebound_name", "evil.example.org:9001", "same-origin", "", false},
    {"old_browser_same", "127.0.0.1:9001", "", "http://127.0.0.1:9001", true},
    {"old_browser_other", "127.0.0.1:9001", "", "http://127.0.0.1:9002", false},
};
struct LocalPortCrossSiteTest : LocalPortGatewayTest, testing::WithParamInterface<CrossSiteCase> {};
TEST_P(LocalPortCrossSiteTest, DecidesForCookies) {
  const auto& c = GetParam();
  auto head = with_cookie("alice", at_port("POST", "/port/5500/"));
  head.host = c.host;
  if (*c.site != '\0') head.fields.add("Sec-Fetch-Site", c.site);
  if (*c.origin != '\0') head.fields.add("Origin", c.origin);
  if (c.passes) {
    EXPECT_TRUE(forwarded(head));
  } else {
    EXPECT_EQ(answered(head).status, 403);
  }
}
INSTANTIATE_TEST_SUITE_P(Cookies, LocalPortCrossSiteTest, testing::ValuesIn(kCrossSiteCases),
                         [](const auto& i) { return i.param.name; });

TEST_F(LocalPortGatewayTest, TheTalkBetweenOurProgramsIsNotForBrowsers) {
  for (const auto* target : {"/.hpc-proxy/hello?nonce=0", "/.hpc-proxy", "/.hpc-manager/x"}) {
    EXPECT_EQ(answered(as("alice", at_port("GET", target))).status, 404) << target;
  }
}

TEST_F(LocalPortGatewayTest, TheStartPageNamesTheSession) {
  const auto page = answered(as("alice", at_port("GET", "/")));
  EXPECT_EQ(page.status, 200);
  EXPECT_NE(page.body.find("alice-main-vscode"), std::string::npos) << page.body;
  EXPECT_NE(page.body.find("http://127.0.0.1:9001/port/5500/"), std::string::npos) << page.body;
  EXPECT_EQ(answered(as("alice", at_port("POST", "/"))).status, 405);
}

TEST_F(LocalPortGatewayTest, AppsThatOnlyWorkAtTheRoot) {
  auto head = as("alice", at_port("GET", "/x.js"));
  head.fields.add("Referer", "http://127.0.0.1:9001/port/3000/");
  const auto sent = answered(head);
  EXPECT_EQ(sent.status, 307);
  EXPECT_EQ(value_of(sent, "Location"), "/port/3000/x.js");
  auto upgrade = as("alice", at_port("GET", "/hmr"));
  upgrade.websocket_upgrade = true;
  upgrade.fields.add("Cookie", "hpc-last-app-9001=/port/3000");
  const auto forward = forwarded(upgrade);
  ASSERT_TRUE(forward);
  EXPECT_EQ(forward->target, "/port/3000/hmr");
}

TEST_F(LocalPortGatewayTest, AnEndedSessionSaysSoToItsOwnerAlone) {
  const auto ended = sessions.add({"alice", "main", "jupyter", 1}, SessionState::kEnded).row.id;
  client.lent_to = ended;
  EXPECT_EQ(answered(as("alice", at_port("GET", "/port/5500/"))).status, 410);
  EXPECT_EQ(answered(as("bob", at_port("GET", "/port/5500/"))).status, 404);
}

TEST_F(LocalPortGatewayTest, WhileTheTunnelIsDown) {
  sessions.tunnel_of(id).up = false;
  auto navigation = as("alice", at_port("GET", "/port/5500/"));
  navigation.fields.add("Sec-Fetch-Mode", "navigate");
  navigation.fields.add("Sec-Fetch-Site", "none");
  EXPECT_EQ(answered(navigation).status, 503) << "a page that goes on by itself";
  const auto waits = forwarded(as("alice", at_port("GET", "/port/5500/x.js")));
  ASSERT_TRUE(waits);
  EXPECT_EQ(waits->key, Tunnel::kMayWait);
  auto post = as("alice", at_port("POST", "/port/5500/save"));
  post.framing.kind = BodyKind::kLength;
  const auto at_once = forwarded(post);
  ASSERT_TRUE(at_once);
  EXPECT_EQ(at_once->key, Tunnel::kAtOnce);
}

TEST_F(LocalPortGatewayTest, RefusalsOfTheEngineCloseTheConnection) {
  EXPECT_TRUE(local.on_refusal(408, "slow").close);
  EXPECT_FALSE(value_of(local.on_refusal(503, "full"), "Retry-After").empty());
}

}  // namespace
}  // namespace hpc
