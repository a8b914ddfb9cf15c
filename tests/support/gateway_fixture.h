#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/loop.h"
#include "manager/gateway/serve_gateway.h"
#include "manager/gateway/serve_identity.h"
#include "tests/support/fake_sessions.h"
#include "tests/support/fake_sign_in.h"
#include "tests/support/fake_store.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {

/// Says what it was asked; the real one is tested by itself.
struct FakeApi final : Api {
  Decision handle(const RequestHead& head, const Caller& caller, bool passes) override {
    asked.push_back(head.method + " " + head.target + " " + caller.user + (passes ? "" : " !"));
    LocalAnswer answer;
    answer.status = 299;
    return answer;
  }
  std::vector<std::string> asked;
};

/// Catches what a Responder answers.
struct CaughtAnswer final : ResponseSink {
  void answer(LocalAnswer given) override { caught = std::move(given); }
  void begin(int, const std::vector<std::pair<std::string, std::string>>&) override {}
  void write(std::string_view) override {}
  void end() override {}
  void cut(const Error&) override {}
  std::size_t queued_bytes() const override { return 0; }
  std::optional<LocalAnswer> caught;
};

inline std::vector<std::string> values_of(const LocalAnswer& answer, std::string_view name) {
  std::vector<std::string> values;
  for (const auto& [key, value] : answer.fields) {
    if (equals_ignoring_case(key, name)) values.push_back(value);
  }
  return values;
}

inline std::string value_of(const LocalAnswer& answer, std::string_view name) {
  const auto values = values_of(answer, name);
  return values.empty() ? "" : values.front();
}

/// `serve` without its sockets: the real gateway, identity and login over fakes of what is below.
/// By default nobody has set a public URL, and it listens on 127.0.0.1:8000.
struct GatewayFixture : ::testing::Test {
  GatewayFixture() {
    client.peer_address = client.local_address = "127.0.0.1";
    options.user_map = {{"(.*)@example\\.org", "$1"}};
    options.trusted_proxies = {"127.0.0.1"};
    options.clusters = {{"main", {}}, {"other", {}}};
    options.admins = {"root"};
    options.auth_header = "Remote-User";
    build();
  }
  /// Anew, after `options` was changed.
  void build() {
    gateway.reset();
    login.reset();
    identity.reset();
    proxies = *TrustedProxies::parse(options.trusted_proxies);
    user_map = *UserMap::parse(options.user_map);
    cookies.emplace(options.public_url.value_or(PublicUrl{"http", "127.0.0.1:8000"}),
                    std::uint16_t{8000});
    identity = std::make_unique<ServeIdentity>(
        ServeIdentity::Options{
            options.auth, options.auth_header, {options.admins.begin(), options.admins.end()}},
        proxies, user_map, *cookies, tokens, throttle, audit);
    LoginFlow::Options flow;
    flow.auth = options.auth;
    for (const auto& cluster : options.clusters) flow.clusters.push_back(cluster.name);
    flow.login_ms = options.login_ms;
    login = std::make_unique<LoginFlow>(
        flow, tokens, throttle, proxies, user_map, *cookies, audit, [this] { return now; },
        &sign_in);
    gateway = std::make_unique<ServeGateway>(
        ServeGateway::options_of(options, 8000, [this] { return now; }), *identity, sessions,
        served_api(), *login, proxies, audit, log, [this] { return ready; });
  }

  virtual Api& served_api() { return api; }

  std::string make_token(const std::string& user, TokenKind kind) {
    std::string text;
    EXPECT_TRUE(tokens.create(user, kind, "", now + 3'600'000,
                              [&](const Result<NewToken>& made) { text = made->text; }));
    store.commit();
    return text;
  }
  static RequestHead request(const std::string& method, const std::string& target) {
    RequestHead head;
    head.method = method;
    head.target = target;
    head.host = "127.0.0.1:8000";
    head.fields.add("Host", head.host);
    return head;
  }
  static RequestHead page(const std::string& target) {
    auto head = request("GET", target);
    head.fields.add("Sec-Fetch-Mode", "navigate");
    head.fields.add("Sec-Fetch-Dest", "document");
    head.fields.add("Sec-Fetch-Site", "none");
    return head;
  }
  static RequestHead form(const std::string& target) {
    auto head = request("POST", target);
    head.fields.add("Content-Type", "application/x-www-form-urlencoded");
    head.fields.add("Sec-Fetch-Mode", "navigate");
    head.fields.add("Sec-Fetch-Dest", "document");
    head.fields.add("Sec-Fetch-Site", "same-origin");
    return head;
  }
  static RequestHead upgrade(const std::string& target) {
    auto head = request("GET", target);
    head.websocket_upgrade = true;
    return head;
  }
  /// As `user` who has logged in with this browser.
  RequestHead as(const std::string& user, RequestHead head) {
    head.fields.add("Cookie", cookies->login_name() + "=" + make_token(user, TokenKind::kLogin));
    return head;
  }

  Decision ask(const RequestHead& head) { return gateway->on_request(head, client); }
  /// The whole answer, also one that comes after `body` and after what is below has done its part.
  LocalAnswer answer(const RequestHead& head, const std::string& body = "") {
    auto decision = ask(head);
    if (auto* local = std::get_if<LocalAnswer>(&decision)) return std::move(*local);
    auto* serve = std::get_if<Serve>(&decision);
    EXPECT_NE(serve, nullptr) << head.method << " " << head.target << " is forwarded";
    if (serve == nullptr) return {};
    CaughtAnswer sink;
    serve->responder->start(sink);
    if (!body.empty()) serve->responder->on_body(as_bytes(body));
    serve->responder->on_request_end();
    sessions.run();
    store.commit();
    EXPECT_TRUE(sink.caught.has_value()) << head.method << " " << head.target;
    return sink.caught.value_or(LocalAnswer{});
  }
  std::optional<Forward> forwarded(const RequestHead& head) {
    auto decision = ask(head);
    auto* forward = std::get_if<Forward>(&decision);
    if (forward == nullptr) return std::nullopt;
    return std::move(*forward);
  }
  static std::string fields_sent_on(const Forward& forward, const RequestHead& head) {
    std::string text;
    HeadWriter out(text);
    forward.policy->write_request_fields(head, HopFields(head.fields), out);
    return text;
  }
  static std::string target_of(Forward forward) {
    forward.policy->choose_target(forward.target);
    return forward.target;
  }

  Loop loop;
  std::int64_t now = 1'700'000'000'000;
  ServeOptions options;
  FakeStore store;
  TokenTable tokens{store, [this] { return now; }};
  ManualScheduler clock;
  LoginThrottle throttle{clock};
  std::string lines;
  Log log{LogLevel::kDebug, LogFormat::kText, [this](auto line) { lines += line; }};
  AuditLog audit{log};
  FakeSessions sessions{loop};
  FakeSignIn sign_in;
  FakeApi api;
  Status ready;
  TrustedProxies proxies;
  UserMap user_map;
  std::optional<LoginCookies> cookies;
  std::unique_ptr<ServeIdentity> identity;
  std::unique_ptr<LoginFlow> login;
  std::unique_ptr<ServeGateway> gateway;
  ClientInfo client;
};

}  // namespace hpc
