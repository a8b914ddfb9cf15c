#include "manager/session/tunnel_state.h"

#include <array>

namespace hpc {

namespace {

using S = TunnelState;
using E = TunnelEvent;

struct Row {
  S from;
  E event;
  S to;
};

constexpr auto kTable = std::to_array<Row>({
    {S::kIdle, E::kStart, S::kWaitForLogin},
    {S::kWaitForLogin, E::kLoginUp, S::kSearching},
    {S::kWaitForLogin, E::kLoginDown, S::kWaitForLogin},
    {S::kWaitForLogin, E::kGiveUp, S::kFailed},
    {S::kSearching, E::kProxyFound, S::kReady},
    {S::kSearching, E::kProxyNotFound, S::kWaitToSearch},
    {S::kSearching, E::kLoginDown, S::kWaitForLogin},
    {S::kSearching, E::kGiveUp, S::kFailed},
    {S::kReady, E::kProxyLost, S::kWaitToSearch},
    {S::kReady, E::kLoginDown, S::kWaitForLogin},
    {S::kWaitToSearch, E::kAlarm, S::kSearching},
    {S::kWaitToSearch, E::kLoginDown, S::kWaitForLogin},
});

}  // namespace

std::optional<TunnelState> next_state(TunnelState state, TunnelEvent event) {
  for (const auto& row : kTable) {
    if (row.from == state && row.event == event) return row.to;
  }
  return std::nullopt;
}

std::string_view state_name(TunnelState state) {
  constexpr std::array<std::string_view, 6> kNames = {"idle",  "waiting for the login", "searching",
                                                      "ready", "waiting to search",     "failed"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view event_name(TunnelEvent event) {
  constexpr std::array<std::string_view, 8> kNames = {
      "start",           "login up",   "login down", "proxy found",
      "proxy not found", "proxy lost", "alarm",      "give up"};
  return kNames[static_cast<std::size_t>(event)];
}

}  // namespace hpc
