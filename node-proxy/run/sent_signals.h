#pragma once
#include <signal.h>

#include <functional>

#include "common/loop.h"
#include "common/unique_fd.h"

namespace hpc {

/// Signals that the loop reads from a descriptor (signalfd), because that says who sent them:
/// libuv does not. They are blocked while this lives, which must be before there are threads; what
/// is pending at the end is dropped.
class SentSignals {
 public:
  struct Signal {
    int number = 0;
    bool by_kernel = false;  // a terminal's; `sender` is 0 then
    pid_t sender = 0;
  };
  using Arrived = std::function<void(const Signal&)>;

  SentSignals(Loop& loop, std::initializer_list<int> numbers, Arrived arrived);
  ~SentSignals();
  SentSignals(const SentSignals&) = delete;
  SentSignals& operator=(const SentSignals&) = delete;

 private:
  void read_all();

  Arrived arrived_;
  sigset_t watched_{};
  sigset_t before_{};
  UniqueFd fd_;
  UvPtr<uv_poll_t> poll_;
};

}  // namespace hpc
