#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/loop.h"
#include "node-proxy/app_connector.h"
#include "node-proxy/node_proxy.h"
#include "tests/support/fake_ports.h"

namespace hpc {

inline const std::string kToken(64, '7');
inline const std::string kNonce(64, 'a');
inline const std::string kHere = "http://127.0.0.1:41234";

/// A kernel that answers as it is told.
class FakeOwner final : public PeerOwner {
 public:
  Result<bool> peer_belongs_to(const SocketAddress&, const SocketAddress&, std::uint32_t) override {
    ++asked;
    if (broken) return fail(Errc::kSystem, "owner", "no");
    return ours;
  }
  bool ours = true;
  bool broken = false;
  int asked = 0;
};

using FieldPairs = std::vector<std::pair<std::string_view, std::string_view>>;

inline RequestHead request(std::string_view target, const FieldPairs& fields = {},
                           std::string_view method = "GET") {
  RequestHead head;
  head.method = method;
  head.target = target;
  head.host = "127.0.0.1:41234";
  head.fields.add("Host", head.host);
  for (const auto& [name, value] : fields) head.fields.add(name, value);
  return head;
}

inline ClientInfo loopback_client() {
  ClientInfo client;
  client.peer_address = "127.0.0.1";
  client.peer_port = 40000;
  client.local_address = "127.0.0.1";
  client.local_port = 41234;
  client.loopback = true;
  return client;
}

/// hpc-proxy's decisions without a socket: `proxy` listens on 41234 as far as it knows, and whom
/// the kernel says that a connection belongs to is up to `owner`.
class NodeProxyTest : public testing::Test {
 protected:
  NodeProxyTest()
      : connector(loop, *target_owner, {20001U, {}, 1000}),
        pool(loop, connector),
        log(LogLevel::kDebug, LogFormat::kText,
            [this](std::string_view line) { logged.append(line).append("\n"); }) {
    state.record.port = 41234;
    state.record.host = "node-07";
    state.record.token = kToken;
    state.url_template = "/port/{port}/";
    state.allow_ports = *PortSet::parse("1024-65535");
    rebuild(false);
  }
  void rebuild(bool require_token) {
    access = std::make_unique<Access>(kToken, require_token, 20001U, owner);
    proxy = std::make_unique<NodeProxy>(
        state, *access, pool, ports, loop, log, [this] { return stats; },
        [this](JobRecord::App app) {
          state.record.app = std::move(app);
          return set_app_result;
        });
  }
  LocalAnswer local(const RequestHead& head) {
    auto decision = proxy->on_request(head, client);
    if (auto* answer = std::get_if<LocalAnswer>(&decision)) return *answer;
    ADD_FAILURE() << head.target << " was forwarded";
    return {};
  }
  int status(const RequestHead& head) { return local(head).status; }
  /// The request as the app would see it.
  std::string forwarded(const RequestHead& head) {
    auto decision = proxy->on_request(head, client);
    auto* forward = std::get_if<Forward>(&decision);
    if (forward == nullptr)
      return "answered " + std::to_string(std::get<LocalAnswer>(decision).status);
    std::string text = forward->key + " " + forward->target + "\r\n";
    HeadWriter writer(text);
    forward->policy->write_request_fields(head, HopFields(head.fields), writer);
    return text;
  }
  /// What the browser gets of an app's redirect.
  std::string answered(const RequestHead& head, std::string_view location, int status = 302,
                       std::string_view set_cookie = {}) {
    auto decision = proxy->on_request(head, client);
    ResponseHead answer;
    answer.status = status;
    answer.fields.add("Cache-Control", "max-age=60");
    answer.fields.add("Location", location);
    if (!set_cookie.empty()) answer.fields.add("Set-Cookie", set_cookie);
    std::string text;
    HeadWriter writer(text);
    std::get<Forward>(decision).policy->write_response_fields(answer, HopFields(answer.fields),
                                                              writer);
    return text;
  }
  static bool has(const std::string& text, const std::string& line) {
    return text.find("\n" + line + "\r\n") != std::string::npos;
  }

  Loop loop;
  FakeOwner owner;
  std::unique_ptr<TargetOwner> target_owner = make_target_owner(make_system_lookup());
  AppConnector connector;
  UpstreamPool pool;
  FakePorts ports;
  std::string logged;
  Log log;
  NodeProxyState state;
  HttpServerStats stats;
  Status set_app_result;
  std::unique_ptr<Access> access;
  std::unique_ptr<NodeProxy> proxy;
  ClientInfo client = loopback_client();
};

}  // namespace hpc
