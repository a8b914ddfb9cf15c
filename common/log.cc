#include "common/log.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>

#include "common/rfc3339.h"
#include "common/utf8.h"

namespace hpc {

namespace {

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      return "debug";
  }
  return "unknown";
}

void append_escaped_byte(std::string& out, unsigned char byte, LogFormat format) {
  std::array<char, 8> text{};
  // JSON has no escape for a byte; U+00NN keeps the line valid and says which byte it was.
  const char* pattern = format == LogFormat::kJson ? "\\u%04x" : "\\x%02x";
  std::snprintf(text.data(), text.size(), pattern, static_cast<unsigned>(byte));
  out += text.data();
}

/// Appends `text` without anything that could end a line, move a terminal's cursor or break JSON.
void append_escaped(std::string& out, std::string_view text, LogFormat format) {
  while (!text.empty()) {
    const char first = text.front();
    const std::size_t size = printable_utf8_size(text);
    if (first == '"' || first == '\\') {
      out += '\\';
      out += first;
    } else if (first == '\n') {
      out += "\\n";
    } else if (size > 0) {
      out.append(text.substr(0, size));
    } else {
      append_escaped_byte(out, static_cast<unsigned char>(first), format);
    }
    text.remove_prefix(size > 0 ? size : 1);
  }
}

bool is_plain_value(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

void append_text_line(std::string& line, std::string_view time, LogLevel level,
                      std::string_view message, const Log::Fields& fields) {
  line.append(time).append(" ").append(level_name(level)).append(" ");
  append_escaped(line, message, LogFormat::kText);
  for (const auto& [name, value] : fields) {
    line.append(" ").append(name).append("=");
    if (is_plain_value(value)) {
      line.append(value);
      continue;
    }
    line += '"';
    append_escaped(line, value, LogFormat::kText);
    line += '"';
  }
}

void append_json_member(std::string& line, std::string_view name, std::string_view value) {
  line += line.back() == '{' ? "\"" : ",\"";
  append_escaped(line, name, LogFormat::kJson);
  line += "\":\"";
  append_escaped(line, value, LogFormat::kJson);
  line += '"';
}

/// One write for the line, so that lines of several threads or programs do not mix.
void write_to_stderr(std::string_view line) {
  const std::string text = std::string(line) + "\n";
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t count = ::write(STDERR_FILENO, text.data() + sent, text.size() - sent);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // nobody reads the log: nothing can be said about that
    sent += static_cast<std::size_t>(count);
  }
}

}  // namespace

Log::Log(LogLevel level, LogFormat format, Sink sink)
    : level_(level), format_(format), sink_(sink ? std::move(sink) : Sink(write_to_stderr)) {}

void Log::write(LogLevel level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  const std::string time = format_rfc3339(duration_cast<milliseconds>(since_1970).count());
  std::string line;
  if (format_ == LogFormat::kText) {
    append_text_line(line, time, level, message, fields);
  } else {
    line = "{";
    append_json_member(line, "time", time);
    append_json_member(line, "level", level_name(level));
    append_json_member(line, "message", message);
    for (const auto& [name, value] : fields) append_json_member(line, name, value);
    line += '}';
  }
  sink_(line);
}

}  // namespace hpc
