#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace hpc {

// What libssh does by itself, whatever it is asked for (0.10, channels.c: WINDOWBASE, WINDOWLIMIT):
// a window that it opens is at least this large ...
constexpr std::size_t kLibsshWindow = 1'280'000;
// ... and it opens one as soon as less than this is left. So no window of ours can be smaller.
constexpr std::size_t kReceiveWindowLeast = kLibsshWindow / 2;
constexpr std::size_t kFirstWindow = 64'000;  // of a channel that libssh opens
// 320 MiB/s at a round trip of 25 ms; a reader that stops may leave as much waiting in libssh.
constexpr std::size_t kReceiveWindowMax = std::size_t{8} * 1024 * 1024;
// What all channels of one connection, which is one user's, may have open beyond kLibsshWindow
// each: two downloads at full speed and a bit.
constexpr std::size_t kReceiveWindowExtraMax = std::size_t{16} * 1024 * 1024;

/// What the channels of one connection share: how long its path is, and how much their windows may
/// take together. Owned by the link; must outlive the windows.
class ReceivePath {
 public:
  /// An answer took so long. The shortest counts: the others have waited for something else, too.
  void note_round_trip(std::uint64_t us);
  std::uint64_t round_trip_us() const { return round_trip_us_; }  // 0: not known yet

  /// Of `wanted` bytes beyond kLibsshWindow, as many as are left for one who `has` so many already.
  std::size_t take(std::size_t has, std::size_t wanted);
  std::size_t taken() const { return taken_; }

 private:
  std::uint64_t round_trip_us_ = 0;
  std::size_t taken_ = 0;
};

/// How far ahead the server may send on one channel: bandwidth × round trip, measured by what
/// arrives. As much as the path holds keeps it busy; more would only lengthen its queue, in which
/// everything else of this connection waits, too.
///
/// As long as the window is what limits the bytes of a round trip, it doubles. Else it is one and a
/// half times what usually came within one lately, so that a path that has become faster shows. A
/// reader that has stopped for some round trips begins anew. Between kReceiveWindowLeast and
/// kReceiveWindowMax, and of all channels of a connection together at most kReceiveWindowExtraMax
/// beyond kLibsshWindow each.
///
/// Pure: time comes as an argument, monotonic microseconds. It follows what libssh does to the
/// window by itself, too.
class ReceiveWindow {
 public:
  /// `path` must outlive it.
  explicit ReceiveWindow(ReceivePath& path) : path_(path) {}
  ~ReceiveWindow() { path_.take(extra_, 0); }
  ReceiveWindow(const ReceiveWindow&) = delete;
  ReceiveWindow& operator=(const ReceiveWindow&) = delete;

  /// Bytes have come; `unread` wait in libssh now, they among them.
  void arrived(std::size_t count, std::size_t unread, std::uint64_t now_us);
  /// What to ask libssh for in a read of at most `room` bytes while `unread` wait: `room`, or more
  /// where all of them fit and the server shall be told of a larger window.
  std::size_t to_ask_for(std::size_t room, std::size_t unread, std::uint64_t now_us);
  /// libssh was asked for `asked`, had `unread` and has given `count` of them.
  void was_read(std::size_t asked, std::size_t unread, std::size_t count);

  std::size_t target() const { return target_; }  // kReceiveWindowLeast to kReceiveWindowMax
  std::size_t open() const { return open_; }      // what the server may still send

 private:
  static constexpr std::size_t kRounds = 8;
  struct Round {
    std::uint64_t ended_us = 0;
    std::size_t bytes = 0;  // within one round trip
  };

  std::uint64_t round_us() const;
  void end_round(std::uint64_t now_us);
  std::size_t usual_lately(std::uint64_t now_us) const;
  void aim_at(std::size_t wanted);
  void hold(std::size_t unread);

  ReceivePath& path_;
  std::size_t open_ = kFirstWindow;
  std::size_t target_ = kReceiveWindowLeast;
  std::size_t extra_ = 0;  // taken from path_
  std::uint64_t round_began_us_ = 0;
  std::size_t round_bytes_ = 0;
  std::size_t last_round_bytes_ = 0;
  std::array<Round, kRounds> rounds_;
  std::size_t next_round_ = 0;
};

}  // namespace hpc
