#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace hpc {

/// Where a session stands (contract 2.3), and what moves it on. The whole sequence is the table in
/// session_state.cc; what is not in it is refused and logged by whoever asked.
enum class SessionState : std::uint8_t {
  kQueued,        // waits for its turn to be launched, or for its job to be found
  kSubmitting,    // sbatch runs; its answer is not here yet
  kPending,       // SLURM has the job and has not started it
  kStarting,      // the job runs; its hpc-proxy is being looked for
  kRunning,       // requests can be forwarded
  kReconnecting,  // it ran; the tunnel is down or the job was requeued
  kEnding,        // its end was asked for and is not confirmed
  kEnded,         // with a reason, for good
};

enum class SessionEvent : std::uint8_t {
  kTurnCame,      // of the launch queue
  kAttached,      // to a job that runs already; nothing is to be submitted
  kSubmitted,     // SLURM gave it a job id
  kSubmitFailed,  // for good
  kJobRuns,
  kJobRequeued,
  kTunnelReady,
  kTunnelLost,
  kEndAsked,  // by the user or an operator
  kDetached,  // the end of a session whose job goes on
  kJobOver,   // a job of ours is over, confirmed; what it left is still to be removed
  kJobGone,   // confirmed: ended, cancelled, failed
};

/// The state after `event`, or nothing if the pair is not in the table.
std::optional<SessionState> next_state(SessionState state, SessionEvent event);

/// "queued", "submitting" ...: as the API says it.
std::string_view state_name(SessionState state);
std::string_view event_name(SessionEvent event);
/// The state of that name, as the store has it.
std::optional<SessionState> parse_session_state(std::string_view name);

}  // namespace hpc
