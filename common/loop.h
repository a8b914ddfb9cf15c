#pragma once
#include <uv.h>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "common/clock.h"
#include "common/timer_wheel.h"
#include "common/uv_handle.h"

namespace hpc {

/// The event loop of a program: one thread, everything of ours runs on it.
///
/// Owner: `main` (or a test fixture) owns it and destroys it last. The destructor turns the loop
/// until every handle has finished closing and asserts that none is left, so a leaked handle is
/// found by whichever test leaks it.
class Loop final : public Clock {
 public:
  // Large enough that bulk transfers are limited by the network and not by system calls.
  static constexpr std::size_t kReadBytes = std::size_t{64} * 1024;

  Loop();
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  uv_loop_t* uv() { return &loop_; }

  /// Turns until stop() is called or nothing is left to wait for.
  void run();
  /// One turn that does not wait. Returns whether anything is still active. For tests and drains.
  bool turn();
  /// Lets run() return after the current turn.
  void stop();

  /// Monotonic milliseconds as of the start of this turn (uv_now).
  std::uint64_t now_ms() const override;

  /// Calls `task` in the next turn, before the loop waits again. Never from inside this call.
  void post(std::function<void()> task);

  /// Destroys `thing` in the next turn. The only way for an object to end itself from a callback.
  template <class T>
  void defer_delete(std::unique_ptr<T> thing) {
    if (thing) post_task({thing.release(), [](void* held) { delete static_cast<T*>(held); }});
  }

  /// Calls `entry` once in `delay_ms`, exact to the millisecond of now_ms(); one that waits already
  /// is set anew. Costs the same however many wait.
  void start_timer(TimerWheel::Entry& entry, std::uint64_t delay_ms);
  void stop_timer(TimerWheel::Entry& entry);

  /// Scratch space that every stream of this loop reads into. Valid until the callback returns.
  std::span<char> read_buffer() { return read_buffer_; }

 private:
  struct Task {
    void* object;
    void (*run)(void*);  // also frees it
  };
  void post_task(Task task);
  void run_posted();
  void set_alarm();
  void on_alarm();

  uv_loop_t loop_{};
  UvPtr<uv_idle_t> idle_;
  std::vector<Task> posted_, running_;  // both keep their memory for the next turns
  UvPtr<uv_timer_t> alarm_;             // the one libuv timer behind all of ours
  std::uint64_t alarm_at_ms_ = 0;       // while it is active
  TimerWheel timers_;
  std::array<char, kReadBytes> read_buffer_{};
};

}  // namespace hpc
