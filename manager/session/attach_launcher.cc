#include "manager/session/attach_launcher.h"

#include <utility>

#include "manager/session/next_turn.h"

namespace hpc {

std::unique_ptr<Pending> AttachLauncher::launch(const SessionRow& session, LaunchDone done) {
  Launched launched;
  if (!session.job_id.empty()) launched.job = session.job_id;
  return std::make_unique<NextTurn>(scheduler_,
                                    [launched, done = std::move(done)] { done(launched); });
}

std::unique_ptr<Pending> AttachLauncher::end(const SessionRow&, EndDone done) {
  return std::make_unique<NextTurn>(scheduler_, [done = std::move(done)] { done({}); });
}

}  // namespace hpc
