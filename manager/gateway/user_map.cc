#include "manager/gateway/user_map.h"

#include <optional>
#include <utility>

#include "manager/session/session_key.h"

namespace hpc {

namespace {

/// std::regex gives up by exceptions (too complex, no memory); here that is no match.
std::optional<std::string> replaced(const std::string& name, const std::regex& pattern,
                                    const std::string& replacement) noexcept {
  try {
    std::smatch match;
    if (!std::regex_match(name, match, pattern)) return std::nullopt;
    return match.format(replacement);
  } catch (const std::regex_error&) {
    return std::nullopt;
  }
}

}  // namespace

Result<UserMap> UserMap::parse(const std::vector<UserMapRule>& rules) {
  UserMap map;
  for (const UserMapRule& rule : rules) {
    try {
      map.rules_.push_back({std::regex(rule.pattern), rule.replacement});
    } catch (const std::regex_error& error) {
      return fail(Errc::kUsage, "--user-map",
                  "\"" + rule.pattern + "\" is no regular expression: " + error.what());
    }
  }
  return map;
}

Result<std::string> UserMap::map(std::string_view login_name) const {
  std::string name(login_name);
  if (name.size() <= kLoginNameBytesMax) {
    for (const Rule& rule : rules_) {
      if (auto mapped = replaced(name, rule.pattern, rule.replacement)) {
        name = std::move(*mapped);
        break;
      }
    }
  }
  if (!is_session_name(name)) {
    return fail(Errc::kForbidden, "user",
                "this login name gives no user name; one has 1 to 64 of a-z, 0-9, '.', '_' and "
                "'-' and begins with a letter or digit (the operator can map others with "
                "--user-map)");
  }
  return name;
}

}  // namespace hpc
