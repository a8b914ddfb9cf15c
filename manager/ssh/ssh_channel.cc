#include "manager/ssh/ssh_channel.h"

#include <utility>

#include "manager/ssh/ssh_pending.h"

namespace hpc {
namespace {

// What one channel delivers per turn, so that a resumed one with a full window lets others in.
constexpr std::size_t kReadTurnBytes = std::size_t{256} * 1024;

/// A channel that is being opened.
class Opening final : public std::enable_shared_from_this<Opening>, private SshSlotUser {
 public:
  Opening(std::shared_ptr<SshLink> link, std::string target, std::uint64_t timeout_ms,
          ConnectDone done)
      : link_(std::move(link)),
        target_(std::move(target)),
        timeout_ms_(timeout_ms),
        done_(std::move(done)),
        timer_(link_->loop(), [this] { timed_out(); }) {}

  void start(SshSlot::OpenStep step) {
    auto slot = link_->open(target_, std::move(step), *this);
    if (slot) {
      slot_ = *slot;
      timer_.start(timeout_ms_);
      return;
    }
    link_->loop().post(
        [self = shared_from_this(), why = slot.error()] { self->finish(tl::unexpected(why)); });
  }

  void cancel() {
    done_ = nullptr;
    timer_.stop();
    if (slot_ != nullptr) std::exchange(slot_, nullptr)->release();
  }

  Loop& loop() { return link_->loop(); }

 private:
  void slot_opened(const Status& result) noexcept override {
    SshSlot* const slot = std::exchange(slot_, nullptr);
    if (!result) return finish(tl::unexpected(result.error()));
    finish(std::make_unique<SshChannel>(link_, *slot));
  }
  bool slot_read_turn() noexcept override { return false; }
  bool slot_write_turn() noexcept override { return false; }
  void slot_lost(const Error& why) noexcept override {
    slot_ = nullptr;
    finish(tl::unexpected(why));
  }

  void timed_out() {
    if (slot_ != nullptr) std::exchange(slot_, nullptr)->release();
    finish(fail(Errc::kTimeout, "ssh.channel",
                target_ + " did not answer within " + std::to_string(timeout_ms_) + " ms"));
  }

  void finish(Result<std::unique_ptr<Stream>> result) {
    timer_.stop();
    if (done_) std::exchange(done_, nullptr)(std::move(result));
  }

  std::shared_ptr<SshLink> link_;
  std::string target_;
  std::uint64_t timeout_ms_;
  ConnectDone done_;
  SshSlot* slot_ = nullptr;
  Timer timer_;
};

}  // namespace

SshChannel::SshChannel(std::shared_ptr<SshLink> link, SshSlot& slot)
    : link_(std::move(link)), slot_(&slot), guard_(std::make_shared<Guard>(Guard{this})) {
  slot.set_user(*this);
}

SshChannel::~SshChannel() {
  if (slot_ != nullptr) slot_->release();
}

void SshChannel::start(Listener& listener) {
  listener_ = &listener;
  if (slot_ != nullptr) return slot_->wake();
  if (close_reported_) return;
  link_->loop().post([guard = std::weak_ptr<Guard>(guard_)] {
    if (const auto alive = guard.lock()) alive->channel->report_close();
  });
}

void SshChannel::write_parts(std::span<const Bytes> parts) {
  if (slot_ == nullptr || finish_wanted_ || aborted_) return;
  for (const Bytes part : parts) queue_.append(part);
  if (queue_.size() > kQueueBytesLow) above_low_ = true;
  if (queue_.empty()) return;
  slot_->want_write(true);
  if (slot_->remote_closed()) slot_->wake();
}

void SshChannel::pause_read(PauseReason why) { pauses_ |= static_cast<unsigned>(why); }

// What libssh has buffered is delivered in a turn of its own: the socket may stay quiet.
void SshChannel::resume_read(PauseReason why) {
  const unsigned before = std::exchange(pauses_, pauses_ & ~static_cast<unsigned>(why));
  if (before != 0 && pauses_ == 0 && slot_ != nullptr) slot_->wake();
}

void SshChannel::shutdown_write() {
  if (slot_ == nullptr || finish_wanted_ || aborted_) return;
  finish_wanted_ = true;
  slot_->want_write(true);
  if (slot_->remote_closed()) slot_->wake();
}

void SshChannel::abort(const Error& why) {
  if (slot_ == nullptr || aborted_) return;
  aborted_ = why;
  queue_.clear();
  slot_->want_write(false);
  slot_->wake();
}

bool SshChannel::slot_read_turn() noexcept {
  if (aborted_) {
    close(tl::unexpected(*aborted_));
    return false;
  }
  if (listener_ == nullptr) return false;
  const bool more = deliver();
  settle();
  return more && slot_ != nullptr;
}

bool SshChannel::deliver() {
  std::size_t delivered = 0;
  while (pauses_ == 0 && !aborted_ && slot_->has_unread()) {
    if (delivered >= kReadTurnBytes) return true;
    const Bytes bytes = slot_->read(/*from_stderr=*/false);
    if (bytes.empty()) {
      // Only a broken server sends a forwarded connection a second kind of bytes.
      if (slot_->read(/*from_stderr=*/true).empty()) break;
      continue;
    }
    delivered += bytes.size();
    listener_->on_data(bytes);
  }
  return false;
}

// Looks whether an end has come: of the peer's bytes, of both directions, or of the channel.
void SshChannel::settle() {
  if (aborted_ || pauses_ != 0 || slot_->has_unread()) return;
  if (!ended_ && slot_->remote_eof()) {
    ended_ = true;
    listener_->on_end();
  }
  if (!ended_ || aborted_) return;
  if (eof_sent_ || (slot_->remote_closed() && finish_wanted_ && queue_.empty())) return close({});
  if (slot_->remote_closed() && !queue_.empty()) {
    close(fail(Errc::kNetwork, "ssh.channel", "the far end has closed the connection"));
  }
}

bool SshChannel::slot_write_turn() noexcept {
  std::size_t taken = 0;
  if (!queue_.empty()) {
    taken = slot_->write(queue_.front());
    queue_.consume(taken);
  }
  if (queue_.empty() && finish_wanted_ && !eof_sent_ && slot_->send_eof()) {
    eof_sent_ = true;
    slot_->wake();
  }
  if (queue_.empty()) slot_->want_write(finish_wanted_ && !eof_sent_);
  if ((above_low_ && queue_.size() <= kQueueBytesLow) || (taken > 0 && queue_.empty())) {
    above_low_ = false;
    if (listener_ != nullptr) listener_->on_drain();
  }
  return taken > 0;
}

void SshChannel::slot_lost(const Error& why) noexcept {
  slot_ = nullptr;
  queue_.clear();
  closed_ = tl::unexpected(aborted_ ? *aborted_ : why);
  report_close();
}

void SshChannel::close(const Status& why) {
  std::exchange(slot_, nullptr)->release();
  queue_.clear();
  closed_ = why;
  report_close();
}

void SshChannel::report_close() {
  if (listener_ == nullptr || close_reported_ || !closed_) return;
  close_reported_ = true;
  listener_->on_close(*closed_);
}

std::unique_ptr<Pending> open_ssh_channel(std::shared_ptr<SshLink> link, const std::string& host,
                                          std::uint16_t port, std::uint64_t timeout_ms,
                                          ConnectDone done) {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  std::string target = (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
  auto opening =
      std::make_shared<Opening>(std::move(link), std::move(target), timeout_ms, std::move(done));
  opening->start([host, port](ssh_channel channel) {
    return ssh_channel_open_forward(channel, host.c_str(), port, "127.0.0.1", 0);
  });
  return std::make_unique<SshPending<Opening>>(std::move(opening));
}

}  // namespace hpc
