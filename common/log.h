#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace hpc {

enum class LogLevel : std::uint8_t { kError, kWarning, kInfo, kDebug };
enum class LogFormat : std::uint8_t { kText, kJson };

/// One line per event, to stderr unless a test gives another sink. Built by `main`, handed out by
/// reference. Never log a token, cookie, Authorization value or query string. Control bytes and
/// invalid UTF-8 in values are escaped, so that a hostile value cannot forge a line.
class Log {
 public:
  using Sink = std::function<void(std::string_view line)>;
  using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  Log(LogLevel level, LogFormat format, Sink sink = {});
  /// From now on.
  void set(LogLevel level, LogFormat format) {
    level_ = level;
    format_ = format;
  }
  bool enabled(LogLevel level) const { return level <= level_; }
  void write(LogLevel level, std::string_view message, Fields fields = {});
  void error(std::string_view m, Fields f = {}) { write(LogLevel::kError, m, f); }
  void warning(std::string_view m, Fields f = {}) { write(LogLevel::kWarning, m, f); }
  void info(std::string_view m, Fields f = {}) { write(LogLevel::kInfo, m, f); }
  void debug(std::string_view m, Fields f = {}) { write(LogLevel::kDebug, m, f); }

 private:
  LogLevel level_;
  LogFormat format_;
  Sink sink_;
};

}  // namespace hpc
