#pragma once
#include <functional>
#include <memory>
#include <utility>

#include "common/upstream_pool.h"
#include "manager/session/scheduler.h"

namespace hpc {

/// Calls `task` in the next turn, unless it is destroyed first. The scheduler must outlive it.
class NextTurn final : public Pending {
 public:
  NextTurn(Scheduler& scheduler, std::function<void()> task) {
    scheduler.post([alive = alive_, task = std::move(task)] {
      if (*alive) task();
    });
  }
  ~NextTurn() override { *alive_ = false; }
  NextTurn(const NextTurn&) = delete;
  NextTurn& operator=(const NextTurn&) = delete;

 private:
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hpc
