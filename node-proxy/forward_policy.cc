#include "node-proxy/forward_policy.h"

#include <algorithm>
#include <array>
#include <charconv>
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

/// Written anew: what says who asked and where.
constexpr FieldSet kWrittenAnew = {FieldId::kHost, FieldId::kXForwardedFor,
                                   FieldId::kXForwardedHost, FieldId::kXForwardedProto,
                                   FieldId::kXForwardedPrefix};

/// What lets a browser keep an answer.
constexpr FieldSet kCacheFields = {FieldId::kCacheControl, FieldId::kExpires, FieldId::kPragma};

/// Name places of the app's, or of ours.
constexpr FieldSet kNamePlaces = {FieldId::kLocation, FieldId::kContentLocation, FieldId::kRefresh,
                                  FieldId::kSetCookie};

// What we add to a head: Host and who asks, or a cookie; with room for a long prefix.
constexpr std::size_t kAddedBytes = 512;

bool starts_ignoring_case(std::string_view text, std::string_view begin) {
  return text.size() >= begin.size() && equals_ignoring_case(text.substr(0, begin.size()), begin);
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

/// May it stand between the quotes of a Forwarded field (RFC 7239, 4)?
bool can_be_quoted(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != ',' && c != ';';
  });
}

class AppForwardPolicy final : public ForwardPolicy {
 public:
  AppForwardPolicy(const RequestHead& head, ForwardContext context)
      : context_(std::move(context)), head_(head) {
    if (context_.base_rewrite) base_rewrite_.emplace(head, names(), external_target());
  }

  void write_request_fields(const RequestHead& head, const HopFields& hop,
                            HeadWriter& out) override {
    out.reserve(head.fields.text().size() + kAddedBytes);
    write_host(out);
    out.fields(
        head.fields, [&](const Field& field) { return fate_of_request(field, hop); },
        [&](const Field& field) { write_changed_request(field, out); });
    if (base_rewrite_) base_rewrite_->write_request_fields(out);
    write_forwarded(out);
  }

  void write_response_fields(const ResponseHead& head, const HopFields& hop,
                             HeadWriter& out) override {
    out.reserve(head.fields.text().size() + kAddedBytes);
    const bool learnt = learn_prefix(head);
    const bool filtered = filters_ && !head.interim();
    out.fields(
        head.fields,
        [&](const Field& field) {
          if (learnt && kCacheFields.has(field.id)) return HeadWriter::Fate::kEndsHere;
          if (filtered && BaseRewrite::replaces_in_answer(field.name)) {
            return HeadWriter::Fate::kEndsHere;
          }
          return fate_of_answer(field, hop);
        },
        [&](const Field& field) {
          const auto changed = for_browser(field);
          out.field(field.name, changed ? std::string_view(*changed) : field.value);
        });
    if (filtered) BaseRewrite::write_answer_fields(head, out);
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
    const Pages::Asker asker{context_.navigation,
                             home_link(context_.path, context_.route_prefix, context_.prefix)};
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

  using Fate = HeadWriter::Fate;

  Fate fate_of_request(const Field& field, const HopFields& hop) const {
    if (hop.ends_here(field) || kWrittenAnew.has(field.id)) return Fate::kEndsHere;
    // What others must not say; a token holder may say more than what is written anew.
    if (says_who_asks(field)) {
      const bool believed =
          context_.token_holder && starts_ignoring_case(field.name, "X-Forwarded-");
      if (!believed) return Fate::kEndsHere;
    }
    if (base_rewrite_ && base_rewrite_->takes_from_request(field.name)) return Fate::kEndsHere;
    if (field.id == FieldId::kOrigin || field.id == FieldId::kReferer) return Fate::kChanges;
    const bool cookies_change = field.id == FieldId::kCookie &&
                                (has_own_cookie(field.value) || may_change_cookie(field.value));
    return cookies_change ? Fate::kChanges : Fate::kPasses;
  }

  Fate fate_of_answer(const Field& field, const HopFields& hop) const {
    if (hop.ends_here(field) || affects_whole_host(field.id)) return Fate::kEndsHere;
    if (field.id == FieldId::kServiceWorkerAllowed &&
        !is_scope_under_prefix(field.value, context_.prefix)) {
      return Fate::kEndsHere;
    }
    if (field.id == FieldId::kSetCookie && sets_own_cookie(field.value)) return Fate::kEndsHere;
    return kNamePlaces.has(field.id) ? Fate::kChanges : Fate::kPasses;
  }

  /// Does the app get any?
  static bool has_cookies(const FieldList& fields) {
    if (!fields.has(FieldId::kCookie)) return false;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (fields[i].id == FieldId::kCookie && without_own_cookies(fields[i].value)) return true;
    }
    return false;
  }

  void write_changed_request(const Field& field, HeadWriter& out) {
    if (field.id == FieldId::kCookie) return write_cookies(field, out);
    const auto changed = field.id == FieldId::kOrigin ? rewrite_origin(field.value, names())
                                                      : rewrite_referer(field.value, names());
    out.field(field.name, changed ? std::string_view(*changed) : field.value);
  }

  static void write_cookies(const Field& field, HeadWriter& out) {
    const auto theirs = without_own_cookies(field.value);
    if (!theirs) return;
    const auto changed = rewrite_cookie(*theirs);
    out.field(field.name, changed ? *changed : *theirs);
  }

  std::optional<std::string> for_browser(const Field& field) {
    if (field.id == FieldId::kRefresh) return rewrite_refresh(field.value, names());
    if (field.id == FieldId::kSetCookie) return rewrite_set_cookie(field.value, names());
    return rewrite_location(field.value, names());
  }

  /// Notes an app that redirects a page to itself under its prefix: it knows its prefix; and one
  /// that takes the slash away which we have put behind it. Not after a POST, which ends so in
  /// every well-behaved app, nor where the first cookie comes with it: the app then looks whether
  /// the browser keeps cookies.
  bool learn_prefix(const ResponseHead& head) {
    if (head.status < 300 || head.status > 399 || context_.keep_prefix_table == nullptr) {
      return false;
    }
    if (head_.method != "GET" && head_.method != "HEAD") return false;
    if (head.fields.has(FieldId::kSetCookie) && !has_cookies(head_.fields)) return false;
    const auto location = head.fields.find(FieldId::kLocation);
    if (!location) return false;
    const std::string target = external_target();
    const bool bare = redirects_to_bare_prefix(*location, target, names());
    const bool circle = !context_.keep_prefix && redirects_to_itself(*location, target, names());
    if (bare || circle) context_.keep_prefix_table->remember(context_.port, context_.prefix, bare);
    return bare || circle;
  }

  /// What the token holder says of the field, else our own view.
  std::string_view believed(FieldId id, std::string_view own) const {
    if (!context_.token_holder) return own;
    const auto given = head_.fields.find(id);
    return given && !given->empty() ? *given : own;
  }
  std::string_view external_host() const { return believed(FieldId::kXForwardedHost, head_.host); }
  std::string_view external_scheme() const { return believed(FieldId::kXForwardedProto, "http"); }

  /// What the browser asked for.
  std::string external_target() const {
    return context_.prefix + (context_.adds_slash ? "/" : "") + std::string(context_.rest);
  }

  /// For what names places; most requests and answers have nothing that does.
  const RewriteContext& names() {
    if (names_.prefix.empty()) {
      names_.port = context_.port;
      names_.prefix = context_.prefix;
      names_.external_scheme = external_scheme();
      names_.external_host = external_host();
      names_.keep_prefix = context_.keep_prefix;
      names_.bare_prefix = context_.bare_prefix;
      names_.bare_root = context_.bare_root;
    }
    return names_;
  }

  void write_host(HeadWriter& out) const {
    std::array<char, 5> digits{};  // of 65535
    out.begin_field("Host");
    out.piece(kAppHostName);
    if (context_.port != 0) {
      const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), context_.port);
      out.piece(":");
      out.piece({digits.data(), end.ptr});
    }
    out.end_field();
  }

  void write_forwarded(HeadWriter& out) const {
    const std::string_view from = believed(FieldId::kXForwardedFor, context_.peer_address);
    const std::string_view host = external_host();
    const std::string_view proto = external_scheme();
    if (!from.empty()) out.field("X-Forwarded-For", from);
    if (!host.empty()) out.field("X-Forwarded-Host", host);
    out.field("X-Forwarded-Proto", proto);
    out.field("X-Forwarded-Prefix", context_.prefix);
    const std::string_view given = believed(FieldId::kForwarded, {});
    if (!given.empty()) return out.field("Forwarded", given);
    write_own_forwarded(from, host, proto, out);
  }

  /// Quoted, so that ':' and '[' may be in the values; those that cannot be are left out.
  static void write_own_forwarded(std::string_view from, std::string_view host,
                                  std::string_view proto, HeadWriter& out) {
    const std::string_view first = from.substr(0, from.find(','));
    const bool v6 = first.find(':') != std::string_view::npos;
    std::string_view before = "for=\"";  // what stands in front of the next value
    bool any = false;
    const auto add = [&](std::string_view value, std::string_view open, std::string_view close) {
      if (value.empty() || !can_be_quoted(value)) return;
      if (!any) out.begin_field("Forwarded");
      if (any) out.piece(";");
      any = true;
      for (const auto part : {before, open, value, close}) out.piece(part);
    };
    add(first, v6 ? "[" : "", v6 ? "]\"" : "\"");
    before = "host=\"";
    add(host, "", "\"");
    before = "proto=\"";
    add(proto, "", "\"");
    if (any) out.end_field();
  }

  ForwardContext context_;
  const RequestHead& head_;
  RewriteContext names_;                     // from the first use on: names()
  std::optional<BaseRewrite> base_rewrite_;  // where it is asked for
  bool filters_ = false;                     // the answer is one whose links are rewritten
};

}  // namespace

std::string external_prefix(const RequestHead& head, bool token_holder, std::string_view own) {
  if (token_holder) {
    const auto given = head.fields.find(FieldId::kXForwardedPrefix);
    if (given && is_plain_path(*given)) return std::string(*given);
  }
  return std::string(own);
}

std::unique_ptr<ForwardPolicy> make_forward_policy(const RequestHead& head,
                                                   ForwardContext context) {
  return std::make_unique<AppForwardPolicy>(head, std::move(context));
}

}  // namespace hpc
