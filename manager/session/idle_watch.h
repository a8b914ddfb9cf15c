#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/upstream_pool.h"
#include "manager/session/proxy_request.h"
#include "manager/session/scheduler.h"
#include "manager/session/tunnel_view.h"

namespace hpc {

// How often hpc-proxy is asked when its last byte passed; more often where the limit is short.
constexpr std::uint64_t kIdleAskEveryMs = 60'000;
// How long before the end of an idle session its user is told.
constexpr std::uint64_t kIdleWarningMs = 300'000;

/// Watches a running session for use: asks its hpc-proxy's /status, over a channel of the session's
/// own, for `last_activity` (bytes of apps and of WebSockets, not open connections).
///
/// No clock of the node's is read: what counts is whether two answers name the same moment, and
/// then the time between them. So a question that fails is no sign of idleness, nor is the time in
/// which the tunnel is down or the manager's machine asleep. hpc-proxy's null (no byte yet) is a
/// moment like any other.
class IdleWatch {
 public:
  /// Both in a later turn; both may call and may destroy the watch.
  struct Calls {
    /// It ends in so many minutes (rounded up) unless it is used; once for each time of idleness:
    /// kIdleWarningMs before, or with the first sign of idleness where the limit is shorter.
    std::function<void(unsigned minutes)> warn;
    /// It has been idle for the whole time. Nothing more is asked until start().
    std::function<void()> idle;
  };
  /// `idle_ms`: at least one minute. Everything must outlive it. Begins with start().
  IdleWatch(Scheduler& scheduler, UpstreamPool& pool, const TunnelView& tunnel,
            std::uint64_t idle_ms, Calls calls);
  ~IdleWatch();
  IdleWatch(const IdleWatch&) = delete;
  IdleWatch& operator=(const IdleWatch&) = delete;

  /// The session runs (again): the time of idleness counts from now on.
  void start();
  void stop();

 private:
  void ask();
  void ask_again();
  void on_answer(const std::optional<std::string>& activity);
  void judge();

  Scheduler& scheduler_;
  UpstreamPool& pool_;
  const TunnelView& tunnel_;
  const std::uint64_t idle_max_ms_;
  const Calls calls_;
  std::unique_ptr<Alarm> alarm_;
  std::unique_ptr<Pending> question_;
  std::optional<std::string> last_activity_;     // as hpc-proxy wrote it
  std::optional<std::uint64_t> last_answer_ms_;  // when it did; nothing after a failure
  std::uint64_t idle_ms_ = 0;
  bool warned_ = false;
};

}  // namespace hpc
