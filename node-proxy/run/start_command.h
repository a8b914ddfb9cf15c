#pragma once
#include <signal.h>
#include <sys/types.h>

#include "common/result.h"
#include "node-proxy/run/keeper.h"

namespace hpc {

/// What a process got from its caller and changes for itself, for the programs that it starts.
struct SignalSettings {
  sigset_t blocked{};
  struct sigaction on_child {};
};

/// Starts COMMAND as a child of this process, which it does not outlive (but for setuid programs):
/// in the same process group, with the environment of this process and the settings of `command`,
/// signals as in `settings`. Descriptors are inherited unless they are closed on exec.
///
/// A program that cannot be run is a child that says why on standard error and ends with 127 (not
/// found) or 126 (found, but not executable). kSystem: no process could be made.
Result<pid_t> start_command(const KeeperCommand& command, const SignalSettings& settings);

/// What a shell would show of an ended process: its exit code, or 128 + the signal that ended it.
int exit_code_of(int wait_status);

}  // namespace hpc
