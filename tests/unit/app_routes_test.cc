// /app, /absapp and what `hpc-proxy app` asks of the running one.
#include <gtest/gtest.h>

#include "common/loop.h"
#include "node-proxy/app_connector.h"
#include "node-proxy/node_proxy.h"
#include "tests/support/fake_ports.h"

namespace hpc {
namespace {

const std::string kToken(64, '7');
using FieldPairs = std::vector<std::pair<std::string_view, std::string_view>>;

class FakeOwner final : public PeerOwner {
 public:
  Result<bool> peer_belongs_to(const SocketAddress&, const SocketAddress&, std::uint32_t) override {
    return ours;
  }
  bool ours = true;
};

class AppRoutesTest : public testing::Test {
 protected:
  AppRoutesTest() {
    state.record.port = 41234;
    state.record.host = "node-07";
    state.allow_ports = *PortSet::parse("1024-65535");
  }
  ClientInfo from_loopback() {
    ClientInfo client;
    client.peer_address = client.local_address = "127.0.0.1";
    client.loopback = true;
    return client;
  }
  Decision decide(std::string_view target, const FieldPairs& fields = {},
                  std::string_view method = "GET") {
    head = {};
    head.method = method;
    head.target = target;
    head.host = "127.0.0.1:41234";
    head.fields.add("Host", head.host);
    for (const auto& [name, value] : fields) head.fields.add(name, value);
    auto client = from_loopback();
    return proxy.on_request(head, client);
  }
  LocalAnswer local(std::string_view target, const FieldPairs& fields = {},
                    std::string_view method = "GET") {
    auto decision = decide(target, fields, method);
    if (auto* answer = std::get_if<LocalAnswer>(&decision)) return *answer;
    ADD_FAILURE() << target << " was forwarded";
    return {};
  }
  /// Key, target and fields of the request that the app gets.
  std::string forwarded(std::string_view target, const FieldPairs& fields = {}) {
    auto decision = decide(target, fields);
    auto* forward = std::get_if<Forward>(&decision);
    if (forward == nullptr)
      return "answered " + std::to_string(std::get<LocalAnswer>(decision).status);
    std::string text = forward->key + " " + forward->target + "\r\n";
    HeadWriter writer(text);
    forward->policy->write_request_fields(head, HopFields(head.fields), writer);
    return text;
  }
  int set_app(const FieldPairs& fields, std::string_view method = "POST") {
    return local("/.hpc-proxy/app", fields, method).status;
  }

  Loop loop;
  FakeOwner owner;
  std::unique_ptr<TargetOwner> target_owner = make_target_owner(make_system_lookup());
  AppConnector connector{loop, *target_owner, {20001U, {}, 1000}};
  UpstreamPool pool{loop, connector};
  FakePorts ports;
  Log log{LogLevel::kError, LogFormat::kText, [](std::string_view) {}};
  NodeProxyState state;
  Access access{kToken, false, 20001U, owner};
  Status set_result;
  NodeProxy proxy{state,
                  access,
                  pool,
                  ports,
                  loop,
                  log,
                  [] { return HttpServerStats{}; },
                  [this](JobRecord::App app) {
                    if (set_result) state.record.app = std::move(app);
                    return set_result;
                  }};
  RequestHead head;
};

TEST_F(AppRoutesTest, WithoutAnAppThePageSaysHow) {
  const auto answer = local("/app/");
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.body.find("hpc-proxy app"), std::string::npos);
  EXPECT_EQ(answer.fields.back().first, "Retry-After");
  const auto page = local("/absapp/x", {{"Sec-Fetch-Mode", "navigate"}});
  EXPECT_EQ(page.status, 503);
  EXPECT_NE(page.body.find("http-equiv=\"refresh\""), std::string::npos);
}

TEST_F(AppRoutesTest, PrefixIsCutOrKept) {
  state.record.app = {"unix:/run/ide.sock", false};
  EXPECT_TRUE(forwarded("/app/a//b?c").starts_with("unix:/run/ide.sock /a//b?c\r\n"));
  EXPECT_TRUE(forwarded("/absapp/a?c").starts_with("unix:/run/ide.sock /absapp/a?c\r\n"));
  state.record.app = {"5500", false};
  EXPECT_TRUE(forwarded("/app/").starts_with("5500 /\r\n"));
}

TEST_F(AppRoutesTest, AppOnASocketIsCalledLocalhost) {
  state.record.app = {"unix:/run/ide.sock", false};
  const auto text = forwarded("/app/");
  EXPECT_NE(text.find("\nHost: localhost\r\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nX-Forwarded-Prefix: /app\r\n"), std::string::npos) << text;
}

TEST_F(AppRoutesTest, AppOnASocketHasANameWithoutPort) {
  state.record.app = {"unix:/run/ide.sock", false};
  const auto text = forwarded("/app/", {{"Origin", "http://127.0.0.1:41234"}});
  EXPECT_NE(text.find("\nOrigin: http://localhost\r\n"), std::string::npos) << text;
  auto decision = decide("/app/");
  ResponseHead answer;
  answer.status = 302;
  answer.fields.add("Location", "http://localhost/login");
  answer.fields.add("Content-Location", "http://localhost:5500/login");
  std::string out;
  HeadWriter writer(out);
  std::get<Forward>(decision).policy->write_response_fields(answer, HopFields(answer.fields),
                                                            writer);
  EXPECT_EQ(out,
            "Location: /app/login\r\n"
            "Content-Location: http://localhost:5500/login\r\n");
}

TEST_F(AppRoutesTest, OuterPrefixOfATokenHolder) {
  state.record.app = {"5500", false};
  const FieldPairs outer = {{kTokenField, kToken}, {"X-Forwarded-Prefix", "/user/u/c/ide"}};
  EXPECT_TRUE(forwarded("/absapp/x", outer).starts_with("5500 /user/u/c/ide/x\r\n"));
  EXPECT_TRUE(forwarded("/absapp/x", {{"X-Forwarded-Prefix", "/user/u/c/ide"}})
                  .starts_with("5500 /absapp/x\r\n"));
  EXPECT_EQ(local("/app?q", outer).fields.front().second, "/user/u/c/ide/?q");
}

TEST_F(AppRoutesTest, MissingSlashIsAdded) {
  state.record.app = {"5500", false};
  const auto answer = local("/app");
  EXPECT_EQ(answer.status, 308);
  EXPECT_EQ(answer.fields.front().second, "/app/");
}

TEST_F(AppRoutesTest, OnlyTheseTwoNames) {
  state.record.app = {"5500", false};
  for (const char* target : {"/apps/", "/app%2f", "/APP/", "//app/", "/absapps", "/app5500/"}) {
    EXPECT_EQ(local(target).status, 404) << target;
  }
}

TEST_F(AppRoutesTest, PortsOfTheAppAreCheckedToo) {
  state.record.app = {"41234", false};
  EXPECT_EQ(local("/app/").status, 403) << "hpc-proxy itself";
  state.record.app = {"80", false};
  EXPECT_EQ(local("/app/").status, 403) << "outside --allow-ports";
}

TEST_F(AppRoutesTest, AppIsSetWithTheToken) {
  EXPECT_EQ(set_app({{kTokenField, kToken}, {kAppField, "5500"}, {kKeepPrefixField, "1"}}), 200);
  ASSERT_TRUE(state.record.app);
  EXPECT_EQ(state.record.app->target, "5500");
  EXPECT_TRUE(state.record.app->keep_prefix);
  EXPECT_EQ(set_app({{kTokenField, kToken}, {kAppField, "unix:/a/b"}}), 200);
  EXPECT_EQ(state.record.app->target, "unix:/a/b");
  EXPECT_FALSE(state.record.app->keep_prefix);
}

TEST_F(AppRoutesTest, AppIsNotSetByOthers) {
  EXPECT_EQ(set_app({{kAppField, "5500"}}), 403) << "the same user without the token";
  owner.ours = false;
  EXPECT_EQ(set_app({{kTokenField, kToken}, {kAppField, "5500"}}), 403) << "not from this user";
  EXPECT_EQ(set_app({{kAppField, "5500"}}), 401);
  EXPECT_FALSE(state.record.app);
}

TEST_F(AppRoutesTest, WhatIsNoAppIsRefused) {
  const auto with = [this](std::string_view value) {
    return set_app({{kTokenField, kToken}, {kAppField, value}});
  };
  for (const char* value : {"", "0", "127.0.0.1:80", "unix:a", "41234"}) {
    EXPECT_EQ(with(value), 400) << value;
  }
  EXPECT_EQ(set_app({{kTokenField, kToken}}), 400);
  EXPECT_EQ(set_app({{kTokenField, kToken}, {kAppField, "1"}, {kAppField, "2"}}), 400);
  EXPECT_EQ(set_app({{kTokenField, kToken}, {kAppField, "5500"}}, "GET"), 405);
  EXPECT_FALSE(state.record.app);
}

TEST_F(AppRoutesTest, RecordThatCannotBeWrittenIsSaid) {
  set_result = fail(Errc::kSystem, "/home/x/jobs/1.json", "disk full");
  const auto answer =
      local("/.hpc-proxy/app", {{kTokenField, kToken}, {kAppField, "5500"}}, "POST");
  EXPECT_EQ(answer.status, 500);
  EXPECT_NE(answer.body.find("disk full"), std::string::npos);
}

}  // namespace
}  // namespace hpc
