#pragma once
#include <string>
#include <string_view>

#include "common/log.h"

namespace hpc {

/// What `connect` says to the person who started it: short lines on stderr, or, with
/// --log-format json, events of the log. Text from the far end is made harmless for a terminal.
class Console {
 public:
  /// `log` must outlive it.
  Console(LogFormat format, Log& log) : format_(format), log_(log) {}
  /// `text` may have several lines.
  void say(std::string_view text);
  void error(std::string_view text);

 private:
  LogFormat format_;
  Log& log_;
};

/// `text` as it goes to a terminal: "hpc-manager: " before the first line, nothing in it that could
/// move the cursor or hide a line. Ends with a line end.
std::string console_text(std::string_view text);

}  // namespace hpc
