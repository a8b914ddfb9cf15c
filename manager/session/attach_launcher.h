#pragma once
#include <memory>

#include "manager/session/launcher.h"
#include "manager/session/scheduler.h"

namespace hpc {

/// Starts no jobs: a session attaches to one that runs already, and when it ends the job goes on.
class AttachLauncher final : public Launcher {
 public:
  /// `scheduler` must outlive it.
  explicit AttachLauncher(Scheduler& scheduler) : scheduler_(scheduler) {}
  std::unique_ptr<Pending> launch(const SessionRow& session, LaunchDone done) override;
  std::unique_ptr<Pending> end(const SessionRow& session, EndDone done) override;

 private:
  Scheduler& scheduler_;
};

}  // namespace hpc
