#include "manager/gateway/edge_policy.h"

#include <string>
#include <utility>

#include "common/answers.h"
#include "common/edge_fields.h"
#include "common/own_cookies.h"
#include "common/port_route.h"
#include "manager/gateway/gateway_pages.h"

namespace hpc {

namespace {

class EdgePolicy final : public ForwardPolicy {
 public:
  EdgePolicy(const RequestHead& head, const ClientInfo& client, const TunnelView& tunnel,
             std::string last_app_cookie)
      : tunnel_(tunnel),
        last_app_cookie_(std::move(last_app_cookie)),
        peer_address_(client.peer_address),
        prefix_(app_prefix(head.target)),
        navigation_(is_navigation(head)) {}

  void write_request_fields(const RequestHead& head, const HopFields& hop,
                            HeadWriter& out) override {
    out.field("Host", head.host);
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
      const Field field = head.fields[i];
      if (hop.ends_here(field.name) || says_who_asks(field.name)) continue;
      if (equals_ignoring_case(field.name, "Host")) continue;
      if (equals_ignoring_case(field.name, "Cookie")) {
        if (const auto rest = without_own_cookies(field.value)) out.field(field.name, *rest);
        continue;
      }
      out.field(field.name, field.value);
    }
    out.field("X-Forwarded-For", peer_address_);
    out.field("X-Forwarded-Host", head.host);
    out.field("X-Forwarded-Proto", "http");
    if (!prefix_.empty()) out.field("X-Forwarded-Prefix", prefix_);
    if (tunnel_.record()) out.field("X-HPC-Proxy-Token", tunnel_.record()->token);
  }

  void write_response_fields(const ResponseHead& head, const HopFields& hop,
                             HeadWriter& out) override {
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
      const Field field = head.fields[i];
      if (hop.ends_here(field.name) || affects_whole_host(field.name)) continue;
      if (equals_ignoring_case(field.name, "Set-Cookie") && sets_own_cookie(field.value)) continue;
      out.field(field.name, field.value);
    }
    if (!head.interim() && !last_app_cookie_.empty()) out.field("Set-Cookie", last_app_cookie_);
  }

  LocalAnswer on_upstream_failed(const Error& error) override {
    if (error.code == Errc::kUnavailable) return tunnel_down_answer(tunnel_, navigation_);
    return error_answer(502, "hpc-proxy or the way to it died before it answered; try again",
                        navigation_);
  }

 private:
  const TunnelView& tunnel_;
  std::string last_app_cookie_;
  std::string peer_address_;
  std::string prefix_;
  bool navigation_;
};

}  // namespace

std::unique_ptr<ForwardPolicy> make_edge_policy(const RequestHead& head, const ClientInfo& client,
                                                const TunnelView& tunnel,
                                                std::string last_app_cookie) {
  return std::make_unique<EdgePolicy>(head, client, tunnel, std::move(last_app_cookie));
}

}  // namespace hpc
