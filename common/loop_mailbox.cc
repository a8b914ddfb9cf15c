#include "common/loop_mailbox.h"

#include <memory>
#include <utility>

namespace hpc {

LoopMailbox::LoopMailbox(Loop& loop) {
  auto raw = std::make_unique<uv_async_t>();
  uv_async_init(loop.uv(), raw.get(),
                [](uv_async_t* handle) { static_cast<LoopMailbox*>(handle->data)->deliver(); });
  raw->data = this;
  async_.reset(raw.release());
  keep_loop(false);
}

LoopMailbox::~LoopMailbox() = default;

void LoopMailbox::send(std::function<void()> task) {
  const std::scoped_lock lock(mutex_);
  if (closed_) return;
  tasks_.push_back(std::move(task));
  uv_async_send(async_.get());
}

void LoopMailbox::close() {
  std::vector<std::function<void()>> dropped;
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  dropped.swap(tasks_);
  async_.reset();
}

void LoopMailbox::keep_loop(bool keep) {
  auto* handle = reinterpret_cast<uv_handle_t*>(async_.get());
  if (keep) {
    uv_ref(handle);
  } else {
    uv_unref(handle);
  }
}

void LoopMailbox::deliver() {
  std::vector<std::function<void()>> tasks;
  {
    const std::scoped_lock lock(mutex_);
    tasks.swap(tasks_);
  }
  for (auto& task : tasks) {
    if (closed_) return;  // written on this thread only
    task();
  }
}

}  // namespace hpc
