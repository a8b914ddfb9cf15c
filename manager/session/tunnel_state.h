#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace hpc {

/// Where a tunnel stands, and what moves it on. The whole sequence is the table in
/// tunnel_state.cc; what is not in it is refused.
enum class TunnelState : std::uint8_t {
  kIdle,           // not started
  kConnecting,     // SSH connection and authentication
  kSearching,      // discovery and hello
  kReady,          // channels can be had
  kWaitToConnect,  // SSH is down, backing off
  kWaitToSearch,   // SSH is up, no hpc-proxy, backing off
  kFailed,         // for good
};

enum class TunnelEvent : std::uint8_t {
  kStart,
  kConnected,
  kConnectFailed,   // worth another try
  kConnectionLost,  // the SSH connection died
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
