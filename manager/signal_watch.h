#pragma once
#include <uv.h>

#include <functional>

#include "common/loop.h"

namespace hpc {

/// Calls `caught` on the loop for each signal of that number while it lives.
class SignalWatch {
 public:
  SignalWatch(Loop& loop, int number, std::function<void()> caught);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  std::function<void()> caught_;
  UvPtr<uv_signal_t> handle_;
};

}  // namespace hpc
