#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace hpc {

// A session of ours has some hundred bytes.
constexpr std::size_t kEventTextBytesMax = std::size_t{256} * 1024;

/// One event of a stream (WHATWG HTML, 9.2), as serve writes it.
struct EventItem {
  std::optional<std::uint64_t> id;
  std::string type;
  std::string data;
};

/// Takes text/event-stream apart, cut anywhere. Comments, "retry" and what is not known are left
/// out.
class EventText {
 public:
  using Take = std::function<void(const EventItem&)>;
  /// False: an event is longer than kEventTextBytesMax; nothing more is taken.
  bool feed(std::string_view piece, const Take& take);
  /// A new stream begins; half an event is forgotten.
  void reset();

 private:
  void line(std::string_view text, const Take& take);
  std::string rest_;  // of a line
  EventItem item_;
};

}  // namespace hpc
