#pragma once
#include <uv.h>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "common/clock.h"
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
    std::shared_ptr<T> held = std::move(thing);  // std::function must be copyable; one owner still
    post([held]() mutable { held.reset(); });
  }

  /// Scratch space that every stream of this loop reads into. Valid until the callback returns.
  std::span<char> read_buffer() { return read_buffer_; }

 private:
  void run_posted();

  uv_loop_t loop_{};
  UvPtr<uv_idle_t> idle_;
  std::vector<std::function<void()>> posted_;
  std::array<char, kReadBytes> read_buffer_{};
};

}  // namespace hpc
