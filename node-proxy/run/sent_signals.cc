#include "node-proxy/run/sent_signals.h"

#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <utility>

#include "common/unique_fd.h"

namespace hpc {

SentSignals::SentSignals(Loop& loop, std::initializer_list<int> numbers, Arrived arrived)
    : arrived_(std::move(arrived)) {
  sigemptyset(&watched_);
  for (const int number : numbers) sigaddset(&watched_, number);
  sigprocmask(SIG_BLOCK, &watched_, &before_);
  fd_ = UniqueFd(signalfd(-1, &watched_, SFD_CLOEXEC | SFD_NONBLOCK));
  auto raw = std::make_unique<uv_poll_t>();
  if (fd_.get() < 0 || uv_poll_init(loop.uv(), raw.get(), fd_.get()) != 0) return;
  poll_.reset(raw.release());
  poll_->data = this;
  uv_poll_start(poll_.get(), UV_READABLE, [](uv_poll_t* handle, int, int) {
    static_cast<SentSignals*>(handle->data)->read_all();
  });
}

SentSignals::~SentSignals() {
  if (poll_) uv_poll_stop(poll_.get());
  const timespec now{};
  while (sigtimedwait(&watched_, nullptr, &now) > 0) {
  }
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

void SentSignals::read_all() {
  signalfd_siginfo info{};
  while (read(fd_.get(), &info, sizeof info) == sizeof info) {
    Signal signal;
    signal.number = static_cast<int>(info.ssi_signo);
    signal.by_kernel = info.ssi_code > 0;
    signal.sender = signal.by_kernel ? 0 : static_cast<pid_t>(info.ssi_pid);
    arrived_(signal);
  }
}

}  // namespace hpc
