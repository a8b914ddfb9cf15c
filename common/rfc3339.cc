#include "common/rfc3339.h"

#include <array>
#include <cassert>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace hpc {

namespace {

constexpr std::int64_t kSecondMs = 1000;
constexpr std::int64_t kDaySeconds = 86400;

std::optional<int> digits(std::string_view text, std::size_t begin, std::size_t count) {
  int value = 0;
  for (const char c : text.substr(begin, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

/// The part after the seconds: "Z" or ".250Z". Milliseconds, or nothing.
std::optional<int> parse_fraction(std::string_view tail) {
  if (tail == "Z") return 0;
  if (tail.size() < 3 || tail.size() > 11 || tail.front() != '.' || tail.back() != 'Z') {
    return std::nullopt;
  }
  const std::string_view fraction = tail.substr(1, tail.size() - 2);
  if (!digits(fraction, 0, fraction.size())) return std::nullopt;
  std::string padded(fraction);
  padded.resize(3, '0');
  return digits(padded, 0, 3);
}

}  // namespace

std::string format_rfc3339(std::int64_t unix_ms) {
  assert(unix_ms >= 0);
  const std::int64_t seconds = unix_ms / kSecondMs;
  const std::chrono::sys_days day{std::chrono::days{seconds / kDaySeconds}};
  const std::chrono::year_month_day date{day};
  const auto second_of_day = static_cast<int>(seconds % kDaySeconds);
  std::array<char, 40> text{};
  const int size = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                                 static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                 static_cast<unsigned>(date.day()), second_of_day / 3600,
                                 second_of_day / 60 % 60, second_of_day % 60,
                                 static_cast<int>(unix_ms % kSecondMs));
  return {text.data(), static_cast<std::size_t>(size)};
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  if (text.size() <= kShape.size()) return std::nullopt;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] != '0' && text[i] != kShape[i]) return std::nullopt;
  }
  const auto year = digits(text, 0, 4);
  const auto month = digits(text, 5, 2);
  const auto day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2);
  const auto minute = digits(text, 14, 2);
  const auto second = digits(text, 17, 2);
  const auto fraction_ms = parse_fraction(text.substr(kShape.size()));
  if (!year || !month || !day || !hour || !minute || !second || !fraction_ms) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *year < 1970 || *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t second_of_day = *second + 60 * (*minute + std::int64_t{60} * *hour);
  return (days * kDaySeconds + second_of_day) * kSecondMs + *fraction_ms;
}

}  // namespace hpc
