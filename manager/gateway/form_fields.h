#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hpc {

// What a form of ours sends at most, with room for a long answer and a long path.
constexpr std::size_t kFormBytesMax = std::size_t{8} * 1024;
constexpr std::size_t kFormFieldsMax = 16;
// Where a login leads back to: a longer path leads to the start page.
constexpr std::size_t kNextBytesMax = 2048;

/// The fields of a query or of an application/x-www-form-urlencoded body (WHATWG URL, 5.1),
/// decoded. Hostile input; values may hold any byte.
class FormFields {
 public:
  /// Nothing for an escape that is none and for more than kFormFieldsMax fields.
  static std::optional<FormFields> parse(std::string_view text);
  /// The value of the one field of that name; nothing for none and for two.
  std::optional<std::string> find(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// The query of a request target, without the '?'.
std::string_view query_of(std::string_view target);

/// `text` if it is a path of this host that a redirect may name; else "/". "//host" and "/\host"
/// lead elsewhere, and to the login itself nothing leads back.
std::string local_path(std::string_view text);

/// For a value in a query: everything but letters, digits, '/', '-', '.', '_' and '~' escaped.
std::string escape_query(std::string_view text);

}  // namespace hpc
