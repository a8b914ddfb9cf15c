#include "common/descriptor_reserve.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "common/answers.h"
#include "common/http_writer.h"
#include "common/timer.h"

namespace hpc {

bool is_of_the_last(int fd) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return false;
  const auto reserve = std::min<rlim_t>(kDescriptorReserve, limit.rlim_cur / 4);
  return static_cast<rlim_t>(fd) >= limit.rlim_cur - reserve;
}

bool descriptors_are_short() {
  const int next = eventfd(0, EFD_CLOEXEC);
  if (next < 0) return true;
  close(next);
  return is_of_the_last(next);
}

bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
         error == EADDRNOTAVAIL;
}

class RefusedClients::Client final : public Stream::Listener {
 public:
  Client(RefusedClients& owner, std::unique_ptr<Stream> stream)
      : owner_(&owner), stream_(std::move(stream)), timer_(owner.loop_, [this] { end(); }) {
    auto answer = problem_answer(503, "no descriptor is free for this connection; try again");
    answer.fields.emplace_back("Retry-After", std::to_string(kRetrySeconds));
    const std::string text = write_answer(answer, false, false, 1);
    stream_->start(*this);
    stream_->write(as_bytes(text));
    stream_->shutdown_write();
    timer_.start(kWaitMs);
  }

  /// No word to the owner any more: it may be gone before this object.
  void give_up() { owner_ = nullptr; }

 private:
  void on_data(Bytes) noexcept override {}
  void on_end() noexcept override {}
  void on_drain() noexcept override {}
  void on_close(const Status&) noexcept override { end(); }
  void end() {
    if (owner_ != nullptr) owner_->remove(this);
  }

  RefusedClients* owner_;
  std::unique_ptr<Stream> stream_;
  Timer timer_;
};

void RefusedClients::refuse(std::unique_ptr<Stream> stream) {
  // At once and not in a later turn: in this one there may be many more to accept.
  if (waiting_.size() == kWaitingMax) waiting_.erase(waiting_.begin());
  waiting_.push_back(std::make_shared<Client>(*this, std::move(stream)));
}

void RefusedClients::remove(const Client* client) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const auto& held) { return held.get() == client; });
  if (found == waiting_.end()) return;
  (*found)->give_up();
  loop_.post([held = std::move(*found)] {});
  waiting_.erase(found);
}

}  // namespace hpc
