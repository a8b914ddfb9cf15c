#include "node-proxy/forward_policy.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "common/edge_fields.h"
#include "node-proxy/pages.h"

namespace hpc {

namespace {

constexpr std::size_t kPrefixBytesMax = 2048;  // far longer than /user/U/C/I/absport/65535

/// Fields that say who asked and where. A stranger's are never passed on.
constexpr std::string_view kForwardedFields[] = {"X-Forwarded-For", "X-Forwarded-Host",
                                                 "X-Forwarded-Proto", "X-Forwarded-Prefix"};

bool starts_ignoring_case(std::string_view text, std::string_view begin) {
  return text.size() >= begin.size() && equals_ignoring_case(text.substr(0, begin.size()), begin);
}

bool is_any_of(std::string_view name, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view one) { return equals_ignoring_case(name, one); });
}

bool is_plain_path(std::string_view path) {
  if (path.empty() || path.size() > kPrefixBytesMax || path.front() != '/') return false;
  // "//host" would be another site where it becomes a Location.
  if (path.starts_with("//") || path.ends_with('/')) return false;
  return std::all_of(path.begin(), path.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '?' && c != '#' && c != '"' && c != '\\' && c != '<' &&
           c != '>';
  });
}

/// A value in a Forwarded field (RFC 7239, 4): quoted, so that ':' and '[' may be in it.
std::optional<std::string> quoted(std::string_view value) {
  const bool plain = std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != ',' && c != ';';
  });
  if (value.empty() || !plain) return std::nullopt;
  return "\"" + std::string(value) + "\"";
}

class AppForwardPolicy final : public ForwardPolicy {
 public:
  AppForwardPolicy(const RequestHead& head, ForwardContext context)
      : context_(std::move(context)), external_host_(head.host) {}

  void write_request_fields(const RequestHead& head, const HopFields& hop,
                            HeadWriter& out) override {
    out.field("Host", "localhost:" + std::to_string(context_.port));
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
      const Field field = head.fields[i];
      if (hop.ends_here(field.name) || is_rewritten(field.name)) continue;
      out.field(field.name, field.value);
    }
    write_forwarded(head, out);
  }

  void write_response_fields(const ResponseHead& head, const HopFields& hop,
                             HeadWriter& out) override {
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
      const Field field = head.fields[i];
      if (hop.ends_here(field.name) || affects_whole_host(field.name)) continue;
      if (equals_ignoring_case(field.name, "Service-Worker-Allowed") &&
          !under_prefix(field.value)) {
        continue;
      }
      out.field(field.name, field.value);
    }
  }

  LocalAnswer on_upstream_failed(const Error& error) override {
    const std::string where = "the app on port " + std::to_string(context_.port);
    switch (error.code) {
      case Errc::kRefused:
        return waiting_answer(context_.port, context_.host, context_.warning, context_.navigation);
      case Errc::kTimeout:
        return error_answer(504, where + " does not take connections; look whether it hangs",
                            context_.navigation);
      case Errc::kForbidden:
        return error_answer(403, where + ": " + error.detail, context_.navigation);
      case Errc::kUnavailable:
        return error_answer(503, where + " cannot be reached now; try again", context_.navigation);
      default:
        return error_answer(
            502, where + " did not answer in HTTP, or died before it answered; look at its log",
            context_.navigation);
    }
  }

 private:
  static bool is_rewritten(std::string_view name) {
    return equals_ignoring_case(name, "Host") || equals_ignoring_case(name, "Forwarded") ||
           is_any_of(name, kForwardedFields) || starts_ignoring_case(name, "X-HPC-");
  }

  bool under_prefix(std::string_view path) const {
    return path == context_.prefix || path.starts_with(context_.prefix + "/");
  }

  /// What the token holder says of the field, else our own view.
  std::string believed(const RequestHead& head, std::string_view name, std::string own) const {
    if (!context_.token_holder) return own;
    const auto given = head.fields.find(name);
    return given && !given->empty() ? std::string(*given) : own;
  }

  void write_forwarded(const RequestHead& head, HeadWriter& out) const {
    const std::string from = believed(head, "X-Forwarded-For", context_.peer_address);
    const std::string host = believed(head, "X-Forwarded-Host", external_host_);
    const std::string proto = believed(head, "X-Forwarded-Proto", "http");
    if (!from.empty()) out.field("X-Forwarded-For", from);
    if (!host.empty()) out.field("X-Forwarded-Host", host);
    out.field("X-Forwarded-Proto", proto);
    out.field("X-Forwarded-Prefix", context_.prefix);
    const std::string forwarded = believed(head, "Forwarded", make_forwarded(from, host, proto));
    if (!forwarded.empty()) out.field("Forwarded", forwarded);
  }

  static std::string make_forwarded(std::string_view from, std::string_view host,
                                    std::string_view proto) {
    std::string text;
    const auto add = [&text](const char* name, const std::optional<std::string>& value) {
      if (value) text.append(text.empty() ? "" : ";").append(name).append("=").append(*value);
    };
    const std::string_view first = from.substr(0, from.find(','));
    const bool v6 = first.find(':') != std::string_view::npos;
    add("for", quoted(v6 ? "[" + std::string(first) + "]" : std::string(first)));
    add("host", quoted(host));
    add("proto", quoted(proto));
    return text;
  }

  ForwardContext context_;
  std::string external_host_;
};

}  // namespace

std::string external_prefix(const RequestHead& head, bool token_holder, std::string_view own) {
  const auto given = head.fields.find("X-Forwarded-Prefix");
  if (token_holder && given && is_plain_path(*given)) return std::string(*given);
  return std::string(own);
}

std::unique_ptr<ForwardPolicy> make_forward_policy(const RequestHead& head,
                                                   ForwardContext context) {
  return std::make_unique<AppForwardPolicy>(head, std::move(context));
}

}  // namespace hpc
