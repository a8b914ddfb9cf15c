#include "manager/ssh/ssh_attempt.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace hpc {

void SshAttempt::begin(std::string stage, std::uint64_t limit_ms) {
  const std::scoped_lock lock(mutex_);
  stage_ = std::move(stage) + " took longer than " + std::to_string(limit_ms / 1000) + " s";
  deadline_ = SteadyClock::now() + std::chrono::milliseconds(limit_ms);
  held_.reset();
}

void SshAttempt::end() {
  const std::scoped_lock lock(mutex_);
  deadline_.reset();
  held_.reset();
}

bool SshAttempt::hold() {
  const std::scoped_lock lock(mutex_);
  if (cancelled_) return false;
  asking_ = true;
  if (deadline_) held_ = *deadline_ - SteadyClock::now();
  deadline_.reset();
  return true;
}

void SshAttempt::go_on() {
  const std::scoped_lock lock(mutex_);
  asking_ = false;
  if (!held_) return;
  deadline_ = SteadyClock::now() + *held_;
  held_.reset();
}

void SshAttempt::watch(int fd) {
  const std::scoped_lock lock(mutex_);
  watched_.reset(fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (cancelled_) cut();
}

void SshAttempt::watch_agent(int fd) {
  const std::scoped_lock lock(mutex_);
  watched_agent_.reset(fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (cancelled_) cut();
}

void SshAttempt::cancel() {
  const std::scoped_lock lock(mutex_);
  cancelled_ = true;
  cut();
}

void SshAttempt::check() {
  const std::scoped_lock lock(mutex_);
  if (!deadline_ || SteadyClock::now() < *deadline_) return;
  deadline_.reset();
  overdue_ = stage_;
  cut();
}

void SshAttempt::cut() {
  if (watched_) ::shutdown(watched_.get(), SHUT_RDWR);
  if (watched_agent_) ::shutdown(watched_agent_.get(), SHUT_RDWR);
}

bool SshAttempt::cancelled() const {
  const std::scoped_lock lock(mutex_);
  return cancelled_;
}

bool SshAttempt::asking() const {
  const std::scoped_lock lock(mutex_);
  return asking_;
}

std::optional<std::string> SshAttempt::overdue() const {
  const std::scoped_lock lock(mutex_);
  return overdue_;
}

std::uint64_t SshAttempt::left_ms() const {
  const std::scoped_lock lock(mutex_);
  if (!deadline_) return 0;
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(*deadline_ - SteadyClock::now());
  return static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 0));
}

std::optional<std::string> AttemptPrompter::ask(const std::string& prompt, bool echo) {
  if (!attempt_.hold()) return std::nullopt;
  auto answer = prompter_.ask(prompt, echo);
  attempt_.go_on();
  return answer;
}

std::optional<bool> AttemptPrompter::confirm(const std::string& question) {
  if (!attempt_.hold()) return std::nullopt;
  const auto answer = prompter_.confirm(question);
  attempt_.go_on();
  return answer;
}

}  // namespace hpc
