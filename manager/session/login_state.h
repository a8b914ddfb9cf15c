#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "manager/session/cluster_login.h"

namespace hpc {

/// What moves a login on. The whole sequence is the table in login_state.cc; what is not in it is
/// refused.
enum class LoginEvent : std::uint8_t {
  kWanted,  // the first watcher has come
  kConnected,
  kConnectFailed,   // worth another try
  kRefused,         // not worth one, until somebody acts
  kConnectionLost,  // the connection that was up died
  kAlarm,           // the back-off is over
  kRetry,           // somebody has acted
  kAdopted,         // a connection that was authenticated elsewhere has come
  kUnneeded,        // nobody watches it any more, and the time of grace is over
};

/// The state after `event`, or nothing if the pair is not in the table.
std::optional<ClusterLogin::State> next_state(ClusterLogin::State state, LoginEvent event);

/// "down", "connecting", "up", "waiting", "stopped": as the API and the logs say it.
std::string_view state_name(ClusterLogin::State state);
std::string_view event_name(LoginEvent event);

}  // namespace hpc
