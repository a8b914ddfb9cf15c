#include "manager/console.h"

#include <cstdio>
#include <string>

#include "common/utf8.h"

namespace hpc {

std::string console_text(std::string_view text) {
  std::string out = "hpc-manager: ";
  while (!text.empty()) {
    if (text.front() == '\n') {
      out += '\n';
      text.remove_prefix(1);
      continue;
    }
    const std::size_t size = printable_utf8_size(text);
    if (size == 0) {
      out += '?';
    } else {
      out.append(text.substr(0, size));
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out += '\n';
  return out;
}

void Console::say(std::string_view text) {
  if (format_ == LogFormat::kJson) return log_.info(text);
  std::fputs(console_text(text).c_str(), stderr);
}

void Console::error(std::string_view text) {
  if (format_ == LogFormat::kJson) return log_.error(text);
  std::fputs(console_text(text).c_str(), stderr);
}

}  // namespace hpc
