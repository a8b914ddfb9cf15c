#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "manager/session/json.h"

namespace hpc {

/// Reads the members of a request's JSON object one by one. Remembers the first failure, which
/// names the member and says what it takes; a member that nobody has asked for is one, too: a
/// mistyped name must not be taken for "not given".
class RequestMembers {
 public:
  using Rule = std::function<bool(std::string_view)>;

  /// `body`: the request's, as it came.
  explicit RequestMembers(std::string_view body);

  /// A text for which `rule` holds; `takes` says so to people ("a name of a-z, 0-9"). Nothing when
  /// it is not there or null, which is a failure if it is `required`.
  std::optional<std::string> text(const char* name, const Rule& rule, std::string_view takes,
                                  bool required = false);
  /// A whole number of min..max.
  std::optional<std::uint64_t> number(const char* name, std::uint64_t min, std::uint64_t max,
                                      bool required = false);
  /// The same as text(); also takes a whole number for the text of its digits.
  std::optional<std::string> text_or_number(const char* name, const Rule& rule,
                                            std::string_view takes);

  /// true or false.
  std::optional<bool> boolean(const char* name);

  /// After the last member was read. kBadRequest: the first failure.
  Status finish();

 private:
  const cJSON* member(const char* name);
  void missing(const char* name, std::string_view takes);
  void refuse(const char* name, std::string_view takes);

  JsonPtr object_;
  std::vector<std::string_view> asked_;
  std::optional<std::string> failure_;
};

}  // namespace hpc
