#include "manager/event_text.h"

#include <charconv>
#include <utility>

namespace hpc {

bool EventText::feed(std::string_view piece, const Take& take) {
  while (!piece.empty()) {
    const auto end = piece.find('\n');
    const auto part = piece.substr(0, end);
    if (rest_.size() + item_.data.size() + part.size() > kEventTextBytesMax) return false;
    rest_ += part;
    if (end == std::string_view::npos) return true;
    piece.remove_prefix(end + 1);
    line(std::exchange(rest_, {}), take);
  }
  return true;
}

void EventText::reset() {
  rest_.clear();
  item_ = {};
}

void EventText::line(std::string_view text, const Take& take) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.empty()) {
    const auto item = std::exchange(item_, {});
    if (!item.type.empty() || !item.data.empty()) take(item);
    return;
  }
  const auto colon = text.find(':');
  const auto name = text.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") item_.type = value;
  if (name == "data") item_.data = value;
  if (name != "id") return;
  std::uint64_t number = 0;
  const auto [last, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error == std::errc() && last == value.data() + value.size()) item_.id = number;
}

}  // namespace hpc
