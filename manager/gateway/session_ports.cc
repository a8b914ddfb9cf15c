#include "manager/gateway/session_ports.h"

#include <utility>

#include "common/answers.h"
#include "manager/session/json.h"
#include "manager/session/proxy_request.h"
#include "manager/session/tunnel.h"

namespace hpc {

namespace {

LocalAnswer ports_answer(const SessionInfo& info, JsonPtr listening, const std::string& reason) {
  const JsonPtr object(cJSON_CreateObject());
  add_number_or_null(object.get(), "local_port", info.local_port);
  if (listening == nullptr) listening.reset(cJSON_CreateNull());
  add_value(object.get(), "listening", std::move(listening));
  add_text_or_null(object.get(), "reason", reason);
  return json_answer(200, json_line(object.get()) + "\n");
}

// The array "ports" of what hpc-proxy answers to GET /ports.
Result<JsonPtr> listening_ports(const Result<ProxyReply>& reply) {
  if (!reply) return tl::unexpected(reply.error());
  const auto strange = [](const std::string& what) {
    return fail(Errc::kNetwork, "hpc-proxy", "it could not tell its ports: " + what);
  };
  auto value = parse_json(reply->body);
  if (!value) return strange(value.error().detail);
  if (reply->status != 200) {
    return strange(
        json_text(value->get(), "detail").value_or("it answered " + std::to_string(reply->status)));
  }
  JsonPtr ports(cJSON_DetachItemFromObjectCaseSensitive(value->get(), "ports"));
  if (!cJSON_IsArray(ports.get())) return strange("its answer has no \"ports\"");
  return ports;
}

class PortsResponder final : public Responder {
 public:
  PortsResponder(SessionInfo info, Scheduler& scheduler, UpstreamPool& pool, ProxyQuestion question)
      : info_(std::move(info)),
        scheduler_(scheduler),
        pool_(pool),
        question_(std::move(question)) {}

  void start(ResponseSink& sink) noexcept override {
    request_ = std::make_unique<ProxyRequest>(
        scheduler_, pool_, Tunnel::kAtOnce, question_, [this, &sink](Result<ProxyReply> reply) {
          auto ports = listening_ports(reply);
          sink.answer(ports ? ports_answer(info_, std::move(*ports), "")
                            : ports_answer(info_, nullptr, ports.error().detail));
        });
  }
  void on_body(Bytes) noexcept override {}
  void on_request_end() noexcept override {}

 private:
  const SessionInfo info_;
  Scheduler& scheduler_;
  UpstreamPool& pool_;
  const ProxyQuestion question_;
  std::unique_ptr<ProxyRequest> request_;
};

}  // namespace

Decision session_ports(const SessionInfo& info, Sessions& sessions, Scheduler& scheduler) {
  const auto route = sessions.route(info.row.id);
  if (!route) {
    const bool ended = info.row.state == SessionState::kEnded;
    return ports_answer(info, nullptr,
                        ended ? "the session has ended" : "the session is not connected yet");
  }
  if (!route->tunnel.ready() || !route->tunnel.record()) {
    const auto& trouble = route->tunnel.trouble();
    return ports_answer(
        info, nullptr,
        trouble.empty() ? "the session is not connected yet" : "not connected: " + trouble);
  }
  return Serve{std::make_unique<PortsResponder>(
      info, scheduler, route->pool, ProxyQuestion{"/ports", route->tunnel.record()->token})};
}

}  // namespace hpc
