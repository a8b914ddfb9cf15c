#pragma once
#include <functional>
#include <memory>
#include <string>

#include "common/upstream_pool.h"
#include "manager/session/session_info.h"

namespace hpc {

/// How a session comes to a job, and how the job ends. Outlives what it returns.
class Launcher {
 public:
  /// Which job the session attaches to; nothing: any hpc-proxy of the user that no other session
  /// has.
  struct Launched {
    std::optional<std::string> job;
  };
  using LaunchDone = std::function<void(Result<Launched>)>;
  using EndDone = std::function<void(Status)>;
  virtual ~Launcher() = default;

  /// Calls `done` once, in a later turn, unless the returned object is destroyed first.
  virtual std::unique_ptr<Pending> launch(const SessionRow& session, LaunchDone done) = 0;
  /// Ends the job if the launcher has started it; never any other.
  virtual std::unique_ptr<Pending> end(const SessionRow& session, EndDone done) = 0;
};

}  // namespace hpc
