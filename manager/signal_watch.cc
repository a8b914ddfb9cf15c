#include "manager/signal_watch.h"

#include <memory>
#include <utility>

namespace hpc {

SignalWatch::SignalWatch(Loop& loop, int number, std::function<void()> caught)
    : caught_(std::move(caught)) {
  auto raw = std::make_unique<uv_signal_t>();
  if (uv_signal_init(loop.uv(), raw.get()) != 0) return;
  raw->data = this;
  handle_.reset(raw.release());
  uv_signal_start(
      handle_.get(),
      [](uv_signal_t* handle, int) { static_cast<SignalWatch*>(handle->data)->caught_(); }, number);
}

}  // namespace hpc
