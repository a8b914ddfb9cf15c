#include "manager/session/session_state.h"

#include <array>
#include <cstddef>

namespace hpc {

namespace {

using S = SessionState;
using E = SessionEvent;

struct Row {
  S from;
  E event;
  S to;
};

constexpr auto kTable = std::to_array<Row>({
    {S::kQueued, E::kTurnCame, S::kSubmitting},
    {S::kQueued, E::kAttached, S::kStarting},
    {S::kQueued, E::kEndAsked, S::kEnded},  // nothing of it is anywhere yet
    {S::kQueued, E::kJobGone, S::kEnded},
    {S::kSubmitting, E::kSubmitted, S::kPending},
    {S::kSubmitting, E::kSubmitFailed, S::kEnded},
    {S::kSubmitting, E::kAttached, S::kStarting},  // there is no SLURM to submit to
    {S::kSubmitting, E::kEndAsked, S::kEnding},
    {S::kPending, E::kJobRuns, S::kStarting},
    {S::kPending, E::kEndAsked, S::kEnding},
    {S::kPending, E::kJobOver, S::kEnding},
    {S::kPending, E::kJobGone, S::kEnded},
    {S::kStarting, E::kTunnelReady, S::kRunning},
    {S::kStarting, E::kJobRequeued, S::kPending},
    {S::kStarting, E::kEndAsked, S::kEnding},
    {S::kStarting, E::kJobOver, S::kEnding},
    {S::kStarting, E::kJobGone, S::kEnded},
    {S::kRunning, E::kTunnelLost, S::kReconnecting},
    {S::kRunning, E::kJobRequeued, S::kReconnecting},
    {S::kRunning, E::kEndAsked, S::kEnding},
    {S::kRunning, E::kJobOver, S::kEnding},
    {S::kRunning, E::kJobGone, S::kEnded},
    {S::kReconnecting, E::kTunnelReady, S::kRunning},
    {S::kReconnecting, E::kEndAsked, S::kEnding},
    {S::kReconnecting, E::kJobOver, S::kEnding},
    {S::kReconnecting, E::kJobGone, S::kEnded},
    // The answer to a submit may come after the user's end; then there is a job to cancel.
    {S::kEnding, E::kSubmitted, S::kEnding},
    {S::kEnding, E::kSubmitFailed, S::kEnded},
    {S::kEnding, E::kDetached, S::kEnded},
    {S::kEnding, E::kJobGone, S::kEnded},
});

constexpr std::array<std::string_view, 8> kStateNames = {
    "queued", "submitting", "pending", "starting", "running", "reconnecting", "ending", "ended"};

}  // namespace

std::optional<SessionState> next_state(SessionState state, SessionEvent event) {
  for (const auto& row : kTable) {
    if (row.from == state && row.event == event) return row.to;
  }
  return std::nullopt;
}

std::string_view state_name(SessionState state) {
  return kStateNames[static_cast<std::size_t>(state)];
}

std::string_view event_name(SessionEvent event) {
  constexpr std::array<std::string_view, 12> kNames = {
      "turn came",    "attached",    "submitted", "submit failed", "job runs", "job requeued",
      "tunnel ready", "tunnel lost", "end asked", "detached",      "job over", "job gone"};
  return kNames[static_cast<std::size_t>(event)];
}

std::optional<SessionState> parse_session_state(std::string_view name) {
  for (std::size_t i = 0; i < kStateNames.size(); ++i) {
    if (kStateNames[i] == name) return static_cast<SessionState>(i);
  }
  return std::nullopt;
}

}  // namespace hpc
