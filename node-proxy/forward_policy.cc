#include "node-proxy/forward_policy.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "common/edge_fields.h"
#include "common/own_cookies.h"
#include "node-proxy/app_target.h"
#include "node-proxy/base_rewrite.h"
#include "node-proxy/rewrite_cookie.h"
#include "node-proxy/rewrite_location.h"
#include "node-proxy/rewrite_request.h"

namespace hpc {

namespace {

constexpr std::size_t kPrefixBytesMax = 2048;  // far longer than /user/U/C/I/absport/65535

/// Fields that say who asked and where: written anew.
constexpr std::string_view kForwardedFields[] = {"X-Forwarded-For", "X-Forwarded-Host",
                                                 "X-Forwarded-Proto", "X-Forwarded-Prefix"};

/// What lets a browser keep an answer.
constexpr std::string_view kCacheFields[] = {"Cache-Control", "Expires", "Pragma"};

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
    // Nothing that ends or quotes a path where it is written: Location, Refresh, Set-Cookie.
    return c > ' ' && c <= '~' && std::string_view("?#\"'\\<>;").find(c) == std::string_view::npos;
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
      : context_(std::move(context)),
        read_(head.method == "GET" || head.method == "HEAD"),
        has_cookies_(has_cookies(head.fields)) {
    names_.port = context_.port;
    names_.prefix = context_.prefix;
    names_.external_scheme = believed(head, "X-Forwarded-Proto", "http");
    names_.external_host = believed(head, "X-Forwarded-Host", head.host);
    names_.keep_prefix = context_.keep_prefix;
    names_.bare_prefix = context_.bare_prefix;
    names_.bare_root = context_.bare_root;
    if (context_.base_rewrite) base_rewrite_.emplace(head, names_, context_.target);
  }

  void write_request_fields(const RequestHead& head, const HopFields& hop,
                            HeadWriter& out) override {
    out.field("Host", app_host(context_.port));
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
      const Field field = head.fields[i];
      if (hop.ends_here(field.name) || is_left_out(field.name)) continue;
      if (base_rewrite_ && base_rewrite_->takes_from_request(field.name)) continue;
      if (equals_ignoring_case(field.name, "Cookie")) {
        write_cookies(field, out);
        continue;
      }
      const auto changed = for_app(field);
      out.field(field.name, changed ? std::string_view(*changed) : field.value);
    }
    if (base_rewrite_) base_rewrite_->write_request_fields(out);
    write_forwarded(head, out);
  }

  void write_response_fields(const ResponseHead& head, const HopFields& hop,
                             HeadWriter& out) override {
    const bool learnt = learn_prefix(head);
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
      const Field field = head.fields[i];
      if (hop.ends_here(field.name) || affects_whole_host(field.name)) continue;
      if (equals_ignoring_case(field.name, "Service-Worker-Allowed") &&
          !is_scope_under_prefix(field.value, context_.prefix)) {
        continue;
      }
      if (learnt && is_any_of(field.name, kCacheFields)) continue;
      if (filters_ && !head.interim() && BaseRewrite::replaces_in_answer(field.name)) continue;
      if (equals_ignoring_case(field.name, "Set-Cookie") && sets_own_cookie(field.value)) continue;
      const auto changed = for_browser(field);
      out.field(field.name, changed ? std::string_view(*changed) : field.value);
    }
    if (filters_ && !head.interim()) BaseRewrite::write_answer_fields(head, out);
    // A browser that kept this redirect of a page to itself would go round for ever.
    if (learnt) out.field("Cache-Control", "no-store");
    if (!head.interim() && !context_.last_app_cookie.empty()) {
      out.field("Set-Cookie", context_.last_app_cookie);
    }
  }

  std::unique_ptr<BodyFilter> filter_body(const ResponseHead& head) override {
    if (!base_rewrite_) return nullptr;
    auto filter = base_rewrite_->filter(head);
    filters_ = filter != nullptr;
    return filter;
  }

  LocalAnswer on_upstream_failed(const Error& error) override {
    const std::string where = app_name(context_.port);
    const Pages& pages = *context_.pages;
    const Pages::Asker asker{context_.navigation, context_.home};
    switch (error.code) {
      case Errc::kRefused:
        if (context_.keep_prefix_table != nullptr)
          context_.keep_prefix_table->forget(context_.port);
        if (context_.port == 0) return pages.waiting_for_socket(asker);
        return pages.waiting(context_.port, asker);
      case Errc::kTimeout:
        return pages.problem(504, "The app takes no connections",
                             where +
                                 " does not take connections; look whether it hangs, and "
                                 "start it again",
                             asker);
      case Errc::kForbidden:
        return pages.problem(403, "That is not your app", where + ": " + error.detail, asker);
      case Errc::kUnavailable:
        return pages.problem(503, "The app cannot be reached now",
                             where + " cannot be reached now; try again", asker);
      default:
        return pages.problem(502, "The app did not answer", no_answer(where, error), asker);
    }
  }

 private:
  static std::string no_answer(const std::string& where, const Error& error) {
    // Only what the parser says is in words for a user, and none of the app's bytes.
    if (error.detail.starts_with("bad answer")) {
      return where + " did not answer in HTTP (" + error.detail +
             "); look whether it speaks https, or no HTTP at all";
    }
    return where + " died before it answered, or does not speak HTTP; look at its log";
  }

  /// What others must not say; a token holder may say more than what is written anew.
  bool is_left_out(std::string_view name) const {
    if (equals_ignoring_case(name, "Host") || is_any_of(name, kForwardedFields)) return true;
    const bool believed = context_.token_holder && starts_ignoring_case(name, "X-Forwarded-");
    return says_who_asks(name) && !believed;
  }

  /// Does the app get any?
  static bool has_cookies(const FieldList& fields) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (equals_ignoring_case(fields[i].name, "Cookie") && without_own_cookies(fields[i].value)) {
        return true;
      }
    }
    return false;
  }

  static void write_cookies(const Field& field, HeadWriter& out) {
    const auto theirs = without_own_cookies(field.value);
    if (!theirs) return;
    const auto changed = rewrite_cookie(*theirs);
    out.field(field.name, changed ? *changed : *theirs);
  }

  std::optional<std::string> for_app(const Field& field) const {
    if (equals_ignoring_case(field.name, "Origin")) return rewrite_origin(field.value, names_);
    if (equals_ignoring_case(field.name, "Referer")) return rewrite_referer(field.value, names_);
    return std::nullopt;
  }

  std::optional<std::string> for_browser(const Field& field) const {
    if (equals_ignoring_case(field.name, "Location") ||
        equals_ignoring_case(field.name, "Content-Location")) {
      return rewrite_location(field.value, names_);
    }
    if (equals_ignoring_case(field.name, "Refresh")) return rewrite_refresh(field.value, names_);
    if (equals_ignoring_case(field.name, "Set-Cookie")) {
      return rewrite_set_cookie(field.value, names_);
    }
    return std::nullopt;
  }

  /// Notes an app that redirects a page to itself under its prefix: it knows its prefix; and one
  /// that takes the slash away which we have put behind it. Not after a POST, which ends so in
  /// every well-behaved app, nor where the first cookie comes with it: the app then looks whether
  /// the browser keeps cookies.
  bool learn_prefix(const ResponseHead& head) {
    if (context_.keep_prefix_table == nullptr || !read_) return false;
    if (head.status < 300 || head.status > 399) return false;
    if (!has_cookies_ && head.fields.find("Set-Cookie")) return false;
    const auto location = head.fields.find("Location");
    if (!location) return false;
    const bool bare = redirects_to_bare_prefix(*location, context_.target, names_);
    const bool circle =
        !context_.keep_prefix && redirects_to_itself(*location, context_.target, names_);
    if (bare || circle) context_.keep_prefix_table->remember(context_.port, context_.prefix, bare);
    return bare || circle;
  }

  /// What the token holder says of the field, else our own view.
  std::string believed(const RequestHead& head, std::string_view name, std::string own) const {
    if (!context_.token_holder) return own;
    const auto given = head.fields.find(name);
    return given && !given->empty() ? std::string(*given) : own;
  }

  void write_forwarded(const RequestHead& head, HeadWriter& out) const {
    const std::string from = believed(head, "X-Forwarded-For", context_.peer_address);
    const std::string& host = names_.external_host;
    const std::string& proto = names_.external_scheme;
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
  RewriteContext names_;
  bool read_;                                // GET or HEAD
  bool has_cookies_;                         // the request had some
  std::optional<BaseRewrite> base_rewrite_;  // where it is asked for
  bool filters_ = false;                     // the answer is one whose links are rewritten
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
