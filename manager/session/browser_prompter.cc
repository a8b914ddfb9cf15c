#include "manager/session/browser_prompter.h"

#include <sodium.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace hpc {

namespace {

void overwrite(std::string& secret) {
  sodium_memzero(secret.data(), secret.capacity());
  secret.clear();
}

class LoopPrompter final : public BrowserPrompter,
                           public std::enable_shared_from_this<LoopPrompter> {
 public:
  LoopPrompter(std::shared_ptr<LoopMailbox> mailbox, std::uint64_t answer_ms, Asked asked)
      : mailbox_(std::move(mailbox)), answer_ms_(answer_ms), asked_(std::move(asked)) {}
  ~LoopPrompter() override {
    if (answer_) overwrite(*answer_);
  }
  LoopPrompter(const LoopPrompter&) = delete;
  LoopPrompter& operator=(const LoopPrompter&) = delete;

  std::optional<std::string> ask(const std::string& prompt, bool echo) override {
    std::unique_lock lock(mutex_);
    if (closed_) return std::nullopt;
    asking_ = true;
    mailbox_->send([weak = weak_from_this(), question = Question{prompt, echo}]() mutable {
      if (const auto self = weak.lock()) self->show(std::move(question));
    });
    const bool told = changed_.wait_for(lock, std::chrono::milliseconds(answer_ms_),
                                        [this] { return answer_ || closed_; });
    asking_ = false;
    if (!told) overdue_ = closed_ = true;
    // A string on the heap moves without leaving a copy behind; answer() sees to that.
    auto answer = std::exchange(answer_, std::nullopt);
    if (closed_ && answer) {
      overwrite(*answer);
      answer.reset();
    }
    return answer;
  }

  std::optional<bool> confirm(const std::string& /*question*/) override { return std::nullopt; }

  void cancel() noexcept override { shut(); }

  void answer(std::string text) override {
    {
      const std::scoped_lock lock(mutex_);
      if (asking_ && !closed_ && !answer_) {
        // Longer than what a string keeps inside itself, so that it lives in one place only.
        answer_.emplace().reserve(text.size() + kHeapBytes);
        answer_->append(text);
        changed_.notify_all();
      }
    }
    overwrite(text);
  }

  void close() override {
    asked_ = nullptr;
    shut();
  }

  bool overdue() const override {
    const std::scoped_lock lock(mutex_);
    return overdue_;
  }

 private:
  static constexpr std::size_t kHeapBytes = 64;

  void shut() noexcept {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  void show(Question question) {
    if (asked_) asked_(std::move(question));
  }

  const std::shared_ptr<LoopMailbox> mailbox_;  // with the others of this program
  const std::uint64_t answer_ms_;
  Asked asked_;  // loop thread
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::string> answer_;
  bool asking_ = false;
  bool closed_ = false;
  bool overdue_ = false;
};

/// Closes the mailbox with its last owner on the loop.
struct OpenMailbox {
  explicit OpenMailbox(Loop& loop) : mailbox(std::make_shared<LoopMailbox>(loop)) {
    mailbox->keep_loop(false);
  }
  ~OpenMailbox() { mailbox->close(); }
  OpenMailbox(const OpenMailbox&) = delete;
  OpenMailbox& operator=(const OpenMailbox&) = delete;
  std::shared_ptr<LoopMailbox> mailbox;
};

}  // namespace

MakePrompter browser_prompters(Loop& loop, std::uint64_t answer_ms) {
  return [open = std::make_shared<OpenMailbox>(loop), answer_ms](BrowserPrompter::Asked asked) {
    return std::make_shared<LoopPrompter>(open->mailbox, answer_ms, std::move(asked));
  };
}

}  // namespace hpc
