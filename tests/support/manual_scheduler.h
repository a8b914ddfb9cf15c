#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "manager/session/scheduler.h"

namespace hpc {

/// A clock that the test moves and turns that the test plays. Alarms and tasks run only inside
/// run() and advance().
class ManualScheduler final : public Scheduler {
 public:
  std::uint64_t now_ms() const override { return now_ms_; }

  std::unique_ptr<Alarm> make_alarm(std::function<void()> fired) override {
    return std::make_unique<ManualAlarm>(*this, std::move(fired));
  }
  void post(std::function<void()> task) override { tasks_.push_back(std::move(task)); }

  /// Plays turns until nothing is posted any more; a task that posts itself for ever fails.
  void run() {
    for (int turns = 0; !tasks_.empty() && turns < 10'000; ++turns) run_one();
  }

  /// Plays one turn, if there is one.
  void run_one() {
    if (tasks_.empty()) return;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }

  /// Moves the clock, firing every alarm on the way in its order.
  void advance(std::uint64_t ms) {
    const std::uint64_t end = now_ms_ + ms;
    run();
    while (ManualAlarm* next = earliest()) {
      if (*next->at > end) break;
      now_ms_ = std::max(now_ms_, *next->at);
      next->fire();
      run();
    }
    now_ms_ = end;
    run();
  }
  /// When the next alarm fires, from now; nothing if none is set.
  std::optional<std::uint64_t> next_alarm_in() {
    const ManualAlarm* next = earliest();
    if (next == nullptr) return std::nullopt;
    return *next->at > now_ms_ ? *next->at - now_ms_ : 0;
  }

 private:
  struct ManualAlarm final : Alarm {
    ManualAlarm(ManualScheduler& scheduler, std::function<void()> fired_callback)
        : owner(scheduler), fired(std::move(fired_callback)) {
      owner.alarms_.push_back(this);
    }
    ~ManualAlarm() override { std::erase(owner.alarms_, this); }
    ManualAlarm(const ManualAlarm&) = delete;
    ManualAlarm& operator=(const ManualAlarm&) = delete;
    void start(std::uint64_t delay_ms) override { at = owner.now_ms_ + delay_ms; }
    void stop() override { at.reset(); }
    void fire() {
      at.reset();
      fired();
    }
    ManualScheduler& owner;
    std::function<void()> fired;
    std::optional<std::uint64_t> at;
  };

  ManualAlarm* earliest() {
    ManualAlarm* next = nullptr;
    for (auto* alarm : alarms_) {
      if (alarm->at && (next == nullptr || *alarm->at < *next->at)) next = alarm;
    }
    return next;
  }

  std::uint64_t now_ms_ = 1'000'000;
  std::vector<ManualAlarm*> alarms_;
  std::deque<std::function<void()>> tasks_;  // may own alarms, so they go first
};

}  // namespace hpc
