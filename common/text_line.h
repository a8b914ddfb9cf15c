#pragma once
#include <string>
#include <string_view>

namespace hpc {

/// Takes the next line off `text`, without its line end (LF); the last one needs none. A view into
/// what `text` views.
inline std::string_view next_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

/// What there is room for of a text of several lines, such as an Error's detail.
inline std::string first_line(std::string_view text) { return std::string(next_line(text)); }

}  // namespace hpc
