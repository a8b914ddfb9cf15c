#include "common/own_cookies.h"

#include <algorithm>
#include <iterator>

namespace hpc {

namespace {

constexpr std::string_view kOwnStarts[] = {"hpc-manager-", "__Host-hpc-manager", "hpc-last-app-"};

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_own(std::string_view pair) {
  // "=name=value" is a cookie without a name, which comes back as "name=value".
  while (!pair.empty() && (pair.front() == '=' || pair.front() == ' ' || pair.front() == '\t')) {
    pair.remove_prefix(1);
  }
  return std::any_of(std::begin(kOwnStarts), std::end(kOwnStarts),
                     [pair](auto start) { return pair.starts_with(start); });
}

// Calls `use` with each "name=value" of a Cookie field.
template <class Use>
void for_each_pair(std::string_view cookie, Use use) {
  while (true) {
    const auto end = cookie.find(';');
    if (const auto pair = trimmed(cookie.substr(0, end)); !pair.empty()) use(pair);
    if (end == std::string_view::npos) return;
    cookie.remove_prefix(end + 1);
  }
}

}  // namespace

std::string access_cookie_name(int port) { return "hpc-manager-" + std::to_string(port); }

std::string last_app_cookie_name(int port) { return "hpc-last-app-" + std::to_string(port); }

std::vector<std::string_view> cookie_values(const FieldList& fields, std::string_view name) {
  std::vector<std::string_view> values;
  if (!fields.has(FieldId::kCookie)) return values;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Field field = fields[i];
    if (field.id != FieldId::kCookie) continue;
    for_each_pair(field.value, [&](std::string_view pair) {
      const auto equals = pair.find('=');
      if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
        values.push_back(pair.substr(equals + 1));
      }
    });
  }
  return values;
}

bool has_own_cookie(std::string_view cookie) {
  bool any_own = false;
  for_each_pair(cookie, [&](std::string_view pair) { any_own = any_own || is_own(pair); });
  return any_own;
}

std::optional<std::string> without_own_cookies(std::string_view cookie) {
  if (!has_own_cookie(cookie)) return std::string(cookie);
  std::string rest;
  for_each_pair(cookie, [&](std::string_view pair) {
    if (is_own(pair)) return;
    if (!rest.empty()) rest += "; ";
    rest += pair;
  });
  if (rest.empty()) return std::nullopt;
  return rest;
}

bool sets_own_cookie(std::string_view set_cookie) { return is_own(trimmed(set_cookie)); }

}  // namespace hpc
