#include "common/buffer_budget.h"

#include <utility>

#include "common/stream.h"

namespace hpc {

BudgetShare::BudgetShare(BufferBudget& budget, std::function<void()> resume)
    : budget_(&budget), resume_(std::move(resume)) {}

BudgetShare::~BudgetShare() { release(); }

void BudgetShare::release() {
  if (budget_ == nullptr) return;
  if (waits_) budget_->waiting_.remove(this);
  waits_ = false;
  hold(0);
  budget_ = nullptr;
}

void BudgetShare::hold(std::size_t bytes) {
  if (budget_ == nullptr) return;
  budget_->used_ = budget_->used_ - held_ + bytes;
  const bool less = bytes < held_;
  held_ = bytes;
  if (less && !budget_->full()) wake_waiting();
}

void BudgetShare::wait() {
  if (waits_ || budget_ == nullptr) return;
  waits_ = true;
  budget_->waiting_.push_back(this);
}

// Oldest first, and only as many as there is room for: waking all of them would fill the budget
// many times over, waking too few would leave room unused with nobody left to wake the rest.
void BudgetShare::wake_waiting() {
  auto room = (budget_->bytes_max_ - budget_->used_) / kQueueBytesMax + 1;
  for (; room > 0 && !budget_->waiting_.empty(); --room) {
    BudgetShare* first = budget_->waiting_.front();
    budget_->waiting_.pop_front();
    first->waits_ = false;
    first->resume_();
  }
}

}  // namespace hpc
