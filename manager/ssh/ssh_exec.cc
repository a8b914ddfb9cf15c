#include "manager/ssh/ssh_exec.h"

#include <utility>

#include "common/timer.h"
#include "manager/ssh/ssh_limits.h"
#include "manager/ssh/ssh_pending.h"

namespace hpc {
namespace {

std::string seconds(std::uint64_t ms) {
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

Error session_error(const Error& why) {
  if (why.code != Errc::kRefused && why.code != Errc::kUnavailable) return why;
  return {Errc::kUnavailable, "ssh.exec",
          "the SSH server opens no further session for a command: see MaxSessions in its "
          "sshd_config (" +
              why.detail + ")"};
}

}  // namespace

/// One command, from its place in the queue to its exit status.
class SshCommand final : public std::enable_shared_from_this<SshCommand>, private SshSlotUser {
 public:
  SshCommand(std::shared_ptr<SshExecQueue> queue, std::string command, std::string input,
             std::uint64_t timeout_ms, ExecDone done)
      : queue_(std::move(queue)),
        command_(std::move(command)),
        input_(std::move(input)),
        timeout_ms_(timeout_ms),
        done_(std::move(done)),
        timer_(loop(), [this] { timed_out(); }) {
    timer_.start(timeout_ms);
  }

  void open() {
    running_ = true;
    auto slot = queue_->link_->open("a command", ssh_channel_open_session, *this);
    if (slot) {
      slot_ = *slot;
    } else {
      fail_later(slot.error());
    }
  }

  void fail_later(const Error& why) {
    loop().post([self = shared_from_this(), why] { self->finish(tl::unexpected(why)); });
  }

  void cancel() {
    done_ = nullptr;
    finish(ExecOutput{});
  }

  Loop& loop() { return queue_->link_->loop(); }
  bool over() const { return over_; }

 private:
  void slot_opened(const Status& result) noexcept override {
    if (!result) {
      slot_ = nullptr;
      return finish(tl::unexpected(session_error(result.error())));
    }
    slot_->want_write(true);
  }

  bool slot_read_turn() noexcept override {
    if (!collect(false, output_.out) || !collect(true, output_.err)) {
      finish(fail(
          Errc::kTooLarge, "ssh.exec",
          "the command printed more than " + std::to_string(kExecOutputBytesMax >> 20U) + " MiB"));
      return false;
    }
    if (!slot_->remote_closed()) return false;
    output_.exit_status = slot_->exit_status();
    finish(std::move(output_));
    return false;
  }

  bool slot_write_turn() noexcept override {
    if (!requested_) request();
    if (!requested_) return false;
    const std::size_t taken =
        sent_ < input_.size() ? slot_->write(as_bytes(std::string_view(input_).substr(sent_))) : 0;
    sent_ += taken;
    if (sent_ == input_.size() && slot_->send_eof()) slot_->want_write(false);
    return taken > 0;
  }

  void slot_lost(const Error& why) noexcept override {
    slot_ = nullptr;
    finish(tl::unexpected(why));
  }

  void request() {
    const int rc = slot_->request_exec(command_);
    if (rc == SSH_OK) requested_ = true;
    if (rc != SSH_ERROR || queue_->link_->ended()) return;
    finish(fail(Errc::kForbidden, "ssh.exec",
                "the SSH server does not run commands for this user: look for ForceCommand or "
                "'restrict' at the key"));
  }

  /// False: past the limit.
  bool collect(bool from_stderr, std::string& into) {
    for (;;) {
      const Bytes bytes = slot_->read(from_stderr);
      if (bytes.empty()) return true;
      if (into.size() + bytes.size() > kExecOutputBytesMax) return false;
      into.append(as_text(bytes));
    }
  }

  void timed_out() {
    finish(
        fail(Errc::kTimeout, "ssh.exec", "the command did not end within " + seconds(timeout_ms_)));
  }

  void finish(Result<ExecOutput> result) {
    if (over_) return;
    over_ = true;
    timer_.stop();
    if (slot_ != nullptr) std::exchange(slot_, nullptr)->release();
    const auto queue = queue_;
    if (done_) std::exchange(done_, nullptr)(std::move(result));
    queue->ended(running_);
  }

  std::shared_ptr<SshExecQueue> queue_;
  std::string command_;
  std::string input_;
  std::size_t sent_ = 0;
  std::uint64_t timeout_ms_;
  ExecDone done_;
  ExecOutput output_;
  SshSlot* slot_ = nullptr;
  bool running_ = false;
  bool requested_ = false;
  bool over_ = false;
  Timer timer_;
};

std::unique_ptr<Pending> SshExecQueue::add(std::string command, std::string input,
                                           std::uint64_t timeout_ms, ExecDone done) {
  auto one = std::make_shared<SshCommand>(shared_from_this(), std::move(command), std::move(input),
                                          timeout_ms, std::move(done));
  std::erase_if(waiting_, [](const auto& weak) {
    const auto held = weak.lock();
    return !held || held->over();
  });
  if (waiting_.size() >= kWaitingMax) {
    one->fail_later({Errc::kUnavailable, "ssh.exec",
                     std::to_string(kWaitingMax) + " commands are waiting already"});
  } else {
    waiting_.push_back(one);
    start_next();
  }
  return std::make_unique<SshPending<SshCommand>>(std::move(one));
}

void SshExecQueue::start_next() {
  while (running_ < kRunningMax && !waiting_.empty()) {
    const auto next = waiting_.front().lock();
    waiting_.pop_front();
    if (!next || next->over()) continue;
    ++running_;
    next->open();
  }
}

void SshExecQueue::ended(bool was_running) {
  if (was_running) --running_;
  start_next();
}

}  // namespace hpc
