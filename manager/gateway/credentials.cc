#include "manager/gateway/credentials.h"

#include <algorithm>
#include <vector>

#include "common/edge_fields.h"
#include "common/own_cookies.h"

namespace hpc {

namespace {

constexpr std::string_view kTokenPrefix = "hpm_";
constexpr std::string_view kManagerToken = "X-HPC-Manager-Token";

char loose(char c) {
  if (c == '_') return '-';
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equals_loosely(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char one, char other) { return loose(one) == loose(other); });
}

void take(ShownToken& found, std::string_view text) {
  const bool other = found.shown && found.text != text;
  found.shown = true;
  found.text = other ? std::string_view() : text;
}

std::string attributes(bool secure, std::string_view same_site, std::int64_t lasts_s) {
  return std::string("; Path=/") + (secure ? "; Secure" : "") +
         "; HttpOnly; SameSite=" + std::string(same_site) + "; Max-Age=" + std::to_string(lasts_s);
}

std::optional<std::string_view> single(const FieldList& fields, const std::string& name) {
  const auto values = cookie_values(fields, name);
  if (values.size() != 1) return std::nullopt;
  return values.front();
}

}  // namespace

std::optional<std::string_view> own_bearer(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer";
  if (authorization.size() <= kScheme.size() ||
      !equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) {
    return std::nullopt;
  }
  const auto begin = authorization.find_first_not_of(" \t", kScheme.size());
  if (begin == kScheme.size() || begin == std::string_view::npos) return std::nullopt;
  const auto token = authorization.substr(begin);
  if (!token.starts_with(kTokenPrefix)) return std::nullopt;
  return token;
}

bool is_own_credential(const Field& field, std::string_view identity_header) {
  if (equals_ignoring_case(field.name, "Authorization")) return own_bearer(field.value).has_value();
  if (!identity_header.empty() && equals_loosely(field.name, identity_header)) return true;
  constexpr std::string_view kOurs = "x-hpc-";
  return equals_loosely(field.name.substr(0, kOurs.size()), kOurs);
}

ShownToken shown_token(const FieldList& fields) {
  ShownToken found;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Field field = fields[i];
    if (equals_ignoring_case(field.name, kManagerToken)) take(found, field.value);
    if (!equals_ignoring_case(field.name, "Authorization")) continue;
    if (const auto token = own_bearer(field.value)) take(found, *token);
  }
  return found;
}

LoginCookies::LoginCookies(const PublicUrl& url, std::uint16_t port)
    : secure_(url.scheme == "https") {
  login_ = secure_ ? "__Host-hpc-manager" : access_cookie_name(port);
  attempt_ = login_ + "-attempt";
}

std::string LoginCookies::set_login(std::string_view token, std::int64_t lasts_s) const {
  return login_ + "=" + std::string(token) + attributes(secure_, "Lax", lasts_s);
}

std::string LoginCookies::clear_login() const {
  return login_ + "=" + attributes(secure_, "Lax", 0);
}

// Strict: it is only of use to our own login page.
std::string LoginCookies::set_attempt(std::string_view id, std::int64_t lasts_s) const {
  return attempt_ + "=" + std::string(id) + attributes(secure_, "Strict", lasts_s);
}

std::string LoginCookies::clear_attempt() const {
  return attempt_ + "=" + attributes(secure_, "Strict", 0);
}

std::optional<std::string_view> LoginCookies::login_of(const FieldList& fields) const {
  return single(fields, login_);
}

std::optional<std::string_view> LoginCookies::attempt_of(const FieldList& fields) const {
  return single(fields, attempt_);
}

}  // namespace hpc
