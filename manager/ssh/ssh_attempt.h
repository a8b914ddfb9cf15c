#pragma once
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "common/unique_fd.h"
#include "manager/ssh/ssh_connector.h"

namespace hpc {

/// The clock and the scissors of one connect: what a worker thread does blocks inside libssh, so
/// the loop cuts its sockets when a stage takes too long or nobody wants the connection any more.
///
/// Two owners: the operation on the loop and the job on its thread. All calls are thread-safe.
class SshAttempt {
 public:
  using SteadyClock = std::chrono::steady_clock;

  /// Begins a stage ("key exchange") that may take this long.
  void begin(std::string stage, std::uint64_t limit_ms);
  void end();
  /// A person is being asked; the stage's time stands still until go_on(). False: cancelled, do not
  /// ask.
  bool hold();
  void go_on();
  /// Cuts `fd` too, from now on; it may be closed at any time. -1: forget the ones before.
  void watch(int fd);
  void watch_agent(int fd);

  /// Loop thread: nobody wants it any more.
  void cancel();
  /// Loop thread, every kCheckMs: cuts what is overdue.
  void check();
  static constexpr std::uint64_t kCheckMs = 100;

  bool cancelled() const;
  /// A person is being asked right now.
  bool asking() const;
  /// The stage that took too long, if one did.
  std::optional<std::string> overdue() const;
  /// Milliseconds left of the stage, at least 0.
  std::uint64_t left_ms() const;

 private:
  void cut();  // with mutex_ held

  mutable std::mutex mutex_;
  UniqueFd watched_;  // duplicates: libssh closes its own whenever it likes
  UniqueFd watched_agent_;
  std::string stage_;
  std::optional<SteadyClock::time_point> deadline_;
  std::optional<SteadyClock::duration> held_;  // what was left when the person was asked
  std::optional<std::string> overdue_;
  bool cancelled_ = false;
  bool asking_ = false;
};

/// Asks through to the real prompter with the clock held; nullopt at once where the attempt was
/// cancelled or nobody may be asked.
class AttemptPrompter {
 public:
  AttemptPrompter(SshPrompter& prompter, SshAttempt& attempt)
      : prompter_(prompter), attempt_(attempt) {}
  std::optional<std::string> ask(const std::string& prompt, bool echo);
  std::optional<bool> confirm(const std::string& question);

 private:
  SshPrompter& prompter_;
  SshAttempt& attempt_;
};

}  // namespace hpc
