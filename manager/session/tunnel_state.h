#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace hpc {

/// Where a tunnel stands, and what moves it on. The whole sequence is the table in
/// tunnel_state.cc; what is not in it is refused.
enum class TunnelState : std::uint8_t {
  kIdle,          // not started
  kWaitForLogin,  // the login is not up: it connects, backs off, or was refused
  kSearching,     // discovery and hello
  kReady,         // channels can be had
  kWaitToSearch,  // the login is up, no hpc-proxy was found, backing off
  kFailed,        // for good
};

enum class TunnelEvent : std::uint8_t {
  kStart,
  kLoginUp,
  kLoginDown,  // lost, or could not be made
  kProxyFound,
  kProxyNotFound,  // worth another try
  kProxyLost,      // a channel could not be opened or proved
  kAlarm,          // the back-off is over
  kGiveUp,
};

/// The state after `event`, or nothing if the pair is not in the table.
std::optional<TunnelState> next_state(TunnelState state, TunnelEvent event);

std::string_view state_name(TunnelState state);
std::string_view event_name(TunnelEvent event);

}  // namespace hpc
