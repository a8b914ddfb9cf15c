#include "manager/session/scheduler.h"

#include <utility>

#include "common/loop.h"
#include "common/timer.h"

namespace hpc {

namespace {

class TimerAlarm final : public Alarm {
 public:
  TimerAlarm(Loop& loop, std::function<void()> fired) : timer_(loop, std::move(fired)) {}
  void start(std::uint64_t delay_ms) override { timer_.start(delay_ms); }
  void stop() override { timer_.stop(); }

 private:
  Timer timer_;
};

class LoopScheduler final : public Scheduler {
 public:
  explicit LoopScheduler(Loop& loop) : loop_(loop) {}
  std::uint64_t now_ms() const override { return loop_.now_ms(); }
  std::unique_ptr<Alarm> make_alarm(std::function<void()> fired) override {
    return std::make_unique<TimerAlarm>(loop_, std::move(fired));
  }
  void post(std::function<void()> task) override { loop_.post(std::move(task)); }

 private:
  Loop& loop_;
};

}  // namespace

std::unique_ptr<Scheduler> make_loop_scheduler(Loop& loop) {
  return std::make_unique<LoopScheduler>(loop);
}

}  // namespace hpc
