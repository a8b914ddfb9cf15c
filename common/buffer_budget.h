#pragma once
#include <cstddef>
#include <functional>
#include <list>

namespace hpc {

class BudgetShare;

/// The bytes that wait in queues over all exchanges of a program, against --buffer-memory. At the
/// bound whoever adds to a queue stops reading until enough has drained.
class BufferBudget {
 public:
  explicit BufferBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  BufferBudget(const BufferBudget&) = delete;
  BufferBudget& operator=(const BufferBudget&) = delete;
  bool full() const { return used_ >= bytes_max_; }
  std::size_t used() const { return used_; }

 private:
  friend class BudgetShare;
  std::size_t bytes_max_;
  std::size_t used_ = 0;
  std::list<BudgetShare*> waiting_;  // in the order in which they were paused
};

/// One exchange's (or relay's) part of the budget. `resume` is called once after wait() when there
/// is room again; it must not destroy the share.
class BudgetShare {
 public:
  BudgetShare(BufferBudget& budget, std::function<void()> resume);
  ~BudgetShare();
  BudgetShare(const BudgetShare&) = delete;
  BudgetShare& operator=(const BudgetShare&) = delete;
  /// Sets how many bytes this part holds now. May call other shares' `resume`.
  void hold(std::size_t bytes);
  bool budget_full() const { return budget_ != nullptr && budget_->full(); }
  /// Asks for one call of `resume`.
  void wait();
  /// Gives back what it holds, for good: the budget may die before this object.
  void release();

 private:
  void wake_waiting();
  BufferBudget* budget_;  // null after release()
  std::function<void()> resume_;
  std::size_t held_ = 0;
  bool waits_ = false;
};

}  // namespace hpc
