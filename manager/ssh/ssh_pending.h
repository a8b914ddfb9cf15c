#pragma once
#include <memory>
#include <utility>

#include "common/loop.h"
#include "common/upstream_pool.h"

namespace hpc {

/// The handle of an operation that may still be inside one of its own callbacks when the handle is
/// destroyed: it is cancelled at once and freed a turn later.
template <class Operation>
class SshPending final : public Pending {
 public:
  explicit SshPending(std::shared_ptr<Operation> operation) : operation_(std::move(operation)) {}
  ~SshPending() override {
    operation_->cancel();
    Loop& loop = operation_->loop();
    loop.post([held = std::move(operation_)]() mutable { held.reset(); });
  }
  SshPending(const SshPending&) = delete;
  SshPending& operator=(const SshPending&) = delete;

 private:
  std::shared_ptr<Operation> operation_;  // two owners: this handle, and a task on the loop
};

}  // namespace hpc
