#include "common/timer.h"

#include <utility>

namespace hpc {

Timer::Timer(Loop& loop, std::function<void()> fired) : fired_(std::move(fired)) {
  auto raw = std::make_unique<uv_timer_t>();
  uv_timer_init(loop.uv(), raw.get());
  raw->data = this;
  handle_.reset(raw.release());
}

void Timer::start(std::uint64_t delay_ms) {
  uv_timer_start(
      handle_.get(), [](uv_timer_t* handle) { static_cast<Timer*>(handle->data)->fired_(); },
      delay_ms, 0);
}

void Timer::stop() { uv_timer_stop(handle_.get()); }

bool Timer::active() const {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(handle_.get())) != 0;
}

}  // namespace hpc
