#include "common/loop.h"

#include <cassert>
#include <utility>

namespace hpc {

Loop::Loop() {
  [[maybe_unused]] const int rc = uv_loop_init(&loop_);
  assert(rc == 0 && "out of memory or descriptors before anything has started");
  auto raw = std::make_unique<uv_idle_t>();
  uv_idle_init(&loop_, raw.get());
  raw->data = this;
  idle_.reset(raw.release());
}

Loop::~Loop() {
  while (!posted_.empty()) run_posted();
  idle_.reset();
  uv_run(&loop_, UV_RUN_DEFAULT);  // let the close callbacks of destroyed owners happen
  [[maybe_unused]] const int rc = uv_loop_close(&loop_);
  assert(rc == 0 && "a libuv handle was leaked");
}

void Loop::run() { uv_run(&loop_, UV_RUN_DEFAULT); }

bool Loop::turn() { return uv_run(&loop_, UV_RUN_NOWAIT) != 0; }

void Loop::stop() { uv_stop(&loop_); }

std::uint64_t Loop::now_ms() const { return uv_now(&loop_); }

void Loop::post(std::function<void()> task) {
  posted_.push_back(std::move(task));
  // An active idle handle keeps the loop from waiting in poll, so the task runs in the next turn.
  uv_idle_start(idle_.get(),
                [](uv_idle_t* handle) { static_cast<Loop*>(handle->data)->run_posted(); });
}

void Loop::run_posted() {
  uv_idle_stop(idle_.get());
  std::vector<std::function<void()>> tasks;
  tasks.swap(posted_);
  for (auto& task : tasks) task();
}

}  // namespace hpc
