#include "manager/gateway/edge_policy.h"

#include <string>
#include <string_view>
#include <utility>

#include "common/answers.h"
#include "common/edge_fields.h"
#include "common/own_cookies.h"
#include "manager/gateway/credentials.h"
#include "manager/gateway/gateway_pages.h"

namespace hpc {

namespace {

/// A node of a Forwarded field (RFC 7239, 6): IPv6 in brackets, and quoted.
std::string forwarded_node(const std::string& address) {
  return address.find(':') == std::string::npos ? address : "\"[" + address + "]\"";
}

/// All fields of that name as one list.
std::string joined(const FieldList& fields, std::string_view name) {
  std::string list;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Field field = fields[i];
    if (!equals_ignoring_case(field.name, name) || field.value.empty()) continue;
    if (!list.empty()) list += ", ";
    list += field.value;
  }
  return list;
}

/// Written by us, whoever sent them.
constexpr FieldSet kOursToSay = {FieldId::kXForwardedFor, FieldId::kXForwardedHost,
                                 FieldId::kXForwardedProto, FieldId::kXForwardedPrefix,
                                 FieldId::kForwarded};
// What we add to a head: who asks, from where, and the token; with room for a long prefix.
constexpr std::size_t kAddedBytes = 512;

class EdgePolicy final : public ForwardPolicy {
 public:
  EdgePolicy(const RequestHead& head, const ClientInfo& client, const TunnelView& tunnel,
             EdgeView view)
      : tunnel_(tunnel),
        view_(std::move(view)),
        peer_address_(client.peer_address),
        navigation_(is_navigation(head)) {}

  void choose_target(std::string& target) override {
    if (view_.app_rest.empty()) return;
    const auto& record = tunnel_.record();
    const bool keeps = record && record->app && record->app->keep_prefix;
    target = (keeps ? "/absapp" : "/app") + view_.app_rest;
  }

  void write_request_fields(const RequestHead& head, const HopFields& hop,
                            HeadWriter& out) override {
    out.reserve(head.fields.text().size() + kAddedBytes);
    out.field("Host", head.host);
    out.fields(
        head.fields,
        [&](const Field& field) {
          if (hop.ends_here(field) || stays_here(field)) return HeadWriter::Fate::kEndsHere;
          return field.id == FieldId::kCookie ? HeadWriter::Fate::kChanges
                                              : HeadWriter::Fate::kPasses;
        },
        [&](const Field& field) {
          if (const auto rest = without_own_cookies(field.value)) out.field(field.name, *rest);
        });
    write_view(head, out);
    if (tunnel_.record()) out.field("X-HPC-Proxy-Token", tunnel_.record()->token);
  }

  void write_response_fields(const ResponseHead& head, const HopFields& hop,
                             HeadWriter& out) override {
    out.reserve(head.fields.text().size() + kAddedBytes);
    const auto fate = [&](const Field& field) {
      const bool ends = hop.ends_here(field) || affects_whole_host(field.id) ||
                        (field.id == FieldId::kSetCookie && sets_own_cookie(field.value));
      return ends ? HeadWriter::Fate::kEndsHere : HeadWriter::Fate::kPasses;
    };
    out.fields(head.fields, fate, [](const Field&) {});
    if (!head.interim() && !view_.last_app_cookie.empty()) {
      out.field("Set-Cookie", view_.last_app_cookie);
    }
  }

  LocalAnswer on_upstream_failed(const Error& error) override {
    if (error.code == Errc::kUnavailable) return tunnel_down_answer(tunnel_, navigation_);
    return error_answer(502, "hpc-proxy or the way to it died before it answered; try again",
                        navigation_);
  }

 private:
  bool stays_here(const Field& field) const {
    if (field.id == FieldId::kHost) return true;
    if (is_own_credential(field, view_.identity_header)) return true;
    if (!says_who_asks(field)) return false;
    // Only as they are spelled: with '_' they are a trick, also through a proxy.
    const bool plain = field.name.find('_') == std::string_view::npos;
    return !view_.peer_is_trusted || !plain || kOursToSay.has(field.id);
  }

  void write_view(const RequestHead& head, HeadWriter& out) const {
    std::string clients;
    std::string forwarded;
    if (view_.peer_is_trusted) {
      clients = joined(head.fields, "X-Forwarded-For");
      forwarded = joined(head.fields, "Forwarded");
    }
    if (!clients.empty() && !peer_address_.empty()) clients += ", ";
    clients += peer_address_;
    if (!clients.empty()) out.field("X-Forwarded-For", clients);
    out.field("X-Forwarded-Host", view_.host.empty() ? head.host : view_.host);
    out.field("X-Forwarded-Proto", view_.scheme);
    if (!view_.prefix.empty()) out.field("X-Forwarded-Prefix", view_.prefix);
    if (!forwarded.empty()) {
      if (!peer_address_.empty()) forwarded += ", for=" + forwarded_node(peer_address_);
      out.field("Forwarded", forwarded);
    }
  }

  const TunnelView& tunnel_;
  const EdgeView view_;
  const std::string peer_address_;
  const bool navigation_;
};

}  // namespace

std::unique_ptr<ForwardPolicy> make_edge_policy(const RequestHead& head, const ClientInfo& client,
                                                const TunnelView& tunnel, EdgeView view) {
  return std::make_unique<EdgePolicy>(head, client, tunnel, std::move(view));
}

}  // namespace hpc
