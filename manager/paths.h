#pragma once
#include <functional>
#include <string>

namespace hpc {

// Where `serve` and the verbs that talk to it meet when nobody says otherwise. Both must come to
// the same answer, so this is the one place that knows it.

/// The value of an environment variable, nullptr when it is not set: getenv, or a test's.
using EnvironmentLookup = std::function<const char*(const char* name)>;

/// The operators' Unix socket: $XDG_RUNTIME_DIR/hpc-manager/socket, else
/// ~/.local/state/hpc-manager/socket. Empty when neither is known (no home): --socket is needed.
std::string default_socket_path();
std::string default_socket_path(const EnvironmentLookup& environment);

/// The state file: $XDG_STATE_HOME/hpc-manager/state.db, else
/// ~/.local/state/hpc-manager/state.db. Empty when neither is known: --state is needed.
std::string default_state_path();
std::string default_state_path(const EnvironmentLookup& environment);

}  // namespace hpc
