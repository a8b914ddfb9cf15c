#include "manager/session/session_words.h"

#include <array>

#include "manager/session/session_state.h"

namespace hpc {

namespace {

bool is_on_a_node(std::string_view state) {
  return state == state_name(SessionState::kStarting) ||
         state == state_name(SessionState::kRunning) ||
         state == state_name(SessionState::kReconnecting);
}

std::string counted(std::int64_t number, std::string_view unit) {
  return std::to_string(number) + " " + std::string(unit) + (number == 1 ? "" : "s");
}

}  // namespace

std::string ordinal(std::uint64_t number) {
  constexpr std::array<std::string_view, 4> kEnds = {"th", "st", "nd", "rd"};
  const auto tens = number % 100;
  const auto ones = tens >= 11 && tens <= 13 ? 0 : number % 10;
  return std::to_string(number) + std::string(kEnds[ones < kEnds.size() ? ones : 0]);
}

std::string queued_words(std::uint64_t position) {
  return session_words(state_name(SessionState::kQueued), position, "", "");
}

std::string session_words(std::string_view state, std::optional<std::uint64_t> queue_position,
                          std::string_view node, std::string_view reason) {
  if (!state.empty() && reason.starts_with(state)) return std::string(reason);
  std::string words(state);
  if (queue_position) words += " (" + ordinal(*queue_position) + ")";
  const bool says_where = reason.find(" on " + std::string(node)) != std::string_view::npos;
  if (!node.empty() && !says_where && is_on_a_node(state)) words += " on " + std::string(node);
  if (!reason.empty()) words += ": " + std::string(reason);
  return words;
}

std::string time_words(std::int64_t ms) {
  constexpr std::int64_t kMinuteMs = 60'000;
  constexpr std::int64_t kMinutesInHoursFrom = 120;  // "90 minutes" is read more easily than hours
  constexpr std::int64_t kHoursInDaysFrom = 48;
  if (ms <= 0) return "";
  const auto minutes = ms / kMinuteMs;
  if (minutes == 0) return "less than a minute";
  if (minutes < kMinutesInHoursFrom) return counted(minutes, "minute");
  const auto hours = minutes / 60;
  return hours < kHoursInDaysFrom ? counted(hours, "hour") : counted(hours / 24, "day");
}

}  // namespace hpc
