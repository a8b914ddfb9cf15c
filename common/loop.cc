#include "common/loop.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace hpc {

namespace {

bool is_active(const uv_timer_t* timer) {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(timer)) != 0;
}

}  // namespace

Loop::Loop() {
  [[maybe_unused]] const int rc = uv_loop_init(&loop_);
  assert(rc == 0 && "out of memory or descriptors before anything has started");
  auto idle = std::make_unique<uv_idle_t>();
  uv_idle_init(&loop_, idle.get());
  idle->data = this;
  idle_.reset(idle.release());
  auto alarm = std::make_unique<uv_timer_t>();
  uv_timer_init(&loop_, alarm.get());
  alarm->data = this;
  alarm_.reset(alarm.release());
}

Loop::~Loop() {
  while (!posted_.empty()) run_posted();
  idle_.reset();
  alarm_.reset();
  uv_run(&loop_, UV_RUN_DEFAULT);  // let the close callbacks of destroyed owners happen
  [[maybe_unused]] const int rc = uv_loop_close(&loop_);
  assert(rc == 0 && "a libuv handle was leaked");
}

void Loop::run() { uv_run(&loop_, UV_RUN_DEFAULT); }

bool Loop::turn() { return uv_run(&loop_, UV_RUN_NOWAIT) != 0; }

void Loop::stop() { uv_stop(&loop_); }

std::uint64_t Loop::now_ms() const { return uv_now(&loop_); }

void Loop::post(std::function<void()> task) {
  post_task({new std::function<void()>(std::move(task)), [](void* held) {
               const std::unique_ptr<std::function<void()>> mine(
                   static_cast<std::function<void()>*>(held));
               (*mine)();
             }});
}

void Loop::post_task(Task task) {
  posted_.push_back(task);
  // An active idle handle keeps the loop from waiting in poll, so the task runs in the next turn.
  uv_idle_start(idle_.get(),
                [](uv_idle_t* handle) { static_cast<Loop*>(handle->data)->run_posted(); });
}

void Loop::run_posted() {
  uv_idle_stop(idle_.get());
  running_.swap(posted_);
  for (const Task task : running_) task.run(task.object);
  running_.clear();
}

void Loop::start_timer(TimerWheel::Entry& entry, std::uint64_t delay_ms) {
  // What has not turned for a while has to catch up before times can be put into it.
  if (timers_.empty()) timers_.advance(now_ms());
  timers_.start(entry, now_ms() + std::min(delay_ms, TimerWheel::kDueMax));
  set_alarm();
}

void Loop::stop_timer(TimerWheel::Entry& entry) {
  timers_.stop(entry);
  if (timers_.empty() && alarm_) uv_timer_stop(alarm_.get());
}

// An alarm that comes too soon, because what it was for was stopped, does no harm: so it is set
// anew only for what is due before it.
void Loop::set_alarm() {
  const auto next_ms = timers_.next_ms();
  if (!next_ms || !alarm_ || (is_active(alarm_.get()) && alarm_at_ms_ <= *next_ms)) return;
  alarm_at_ms_ = *next_ms;
  const auto now = now_ms();
  uv_timer_start(
      alarm_.get(), [](uv_timer_t* handle) { static_cast<Loop*>(handle->data)->on_alarm(); },
      *next_ms > now ? *next_ms - now : 0, 0);
}

void Loop::on_alarm() {
  timers_.advance(now_ms());
  set_alarm();
}

}  // namespace hpc
