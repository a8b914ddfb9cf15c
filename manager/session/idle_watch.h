#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "common/upstream_pool.h"
#include "manager/session/scheduler.h"
#include "manager/session/tunnel_view.h"

namespace hpc {

// How often hpc-proxy is asked when its last byte passed.
constexpr std::uint64_t kIdleAskEveryMs = 60'000;
// How long before the end of an idle session its user is told.
constexpr std::uint64_t kIdleWarningMs = 300'000;

/// Watches a running session for use: asks its hpc-proxy's /status, over a channel of the session's
/// own, for `last_activity` (bytes of apps and of WebSockets, not open connections). A question
/// that fails is no sign of idleness, nor is the time in which the tunnel is down.
class IdleWatch {
 public:
  struct Calls {
    /// It ends in so many minutes unless it is used; once for each time of idleness.
    std::function<void(unsigned minutes)> warn;
    /// It has been idle for the whole time.
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
  Scheduler& scheduler_;
};

}  // namespace hpc
