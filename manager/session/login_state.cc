#include "manager/session/login_state.h"

#include <array>

namespace hpc {

namespace {

using S = ClusterLogin::State;
using E = LoginEvent;

struct Row {
  S from;
  E event;
  S to;
};

// A stopped login stays so when its last watcher goes: the next one must not make it knock again.
constexpr auto kTable = std::to_array<Row>({
    {S::kIdle, E::kWanted, S::kConnecting},
    {S::kIdle, E::kAdopted, S::kUp},
    {S::kConnecting, E::kConnected, S::kUp},
    {S::kConnecting, E::kConnectFailed, S::kWaiting},
    {S::kConnecting, E::kRefused, S::kStopped},
    {S::kConnecting, E::kAdopted, S::kUp},
    {S::kConnecting, E::kUnneeded, S::kIdle},
    {S::kUp, E::kConnectionLost, S::kWaiting},
    {S::kUp, E::kUnneeded, S::kIdle},
    {S::kWaiting, E::kAlarm, S::kConnecting},
    {S::kWaiting, E::kRetry, S::kConnecting},
    {S::kWaiting, E::kAdopted, S::kUp},
    {S::kWaiting, E::kUnneeded, S::kIdle},
    {S::kStopped, E::kRetry, S::kConnecting},
    {S::kStopped, E::kAdopted, S::kUp},
});

}  // namespace

std::optional<ClusterLogin::State> next_state(ClusterLogin::State state, LoginEvent event) {
  for (const auto& row : kTable) {
    if (row.from == state && row.event == event) return row.to;
  }
  return std::nullopt;
}

std::string_view state_name(ClusterLogin::State state) {
  constexpr std::array<std::string_view, 5> kNames = {"down", "connecting", "up", "waiting",
                                                      "stopped"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view event_name(LoginEvent event) {
  constexpr std::array<std::string_view, 9> kNames = {
      "wanted", "connected", "connect failed", "refused", "connection lost",
      "alarm",  "retry",     "adopted",        "unneeded"};
  return kNames[static_cast<std::size_t>(event)];
}

}  // namespace hpc
