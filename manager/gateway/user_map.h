#pragma once
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "manager/serve_options.h"

namespace hpc {

// The longest login name that is looked at: mail addresses fit, and a regular expression of the
// operator's has bounded work.
constexpr std::size_t kLoginNameBytesMax = 320;

/// From the name that somebody logs in with to the one in his URLs (--user-map). The first rule
/// that matches the whole name decides ($1 is the first group); what no rule matches stays as it
/// is. Nothing is lower-cased: two people must never become one by accident.
class UserMap {
 public:
  UserMap() = default;
  /// kUsage, with the rule, for what is no regular expression (ECMAScript).
  static Result<UserMap> parse(const std::vector<UserMapRule>& rules);

  /// A session name. kForbidden when it is none, with what to do in `detail`.
  Result<std::string> map(std::string_view login_name) const;

 private:
  struct Rule {
    std::regex pattern;
    std::string replacement;
  };
  std::vector<Rule> rules_;
};

}  // namespace hpc
