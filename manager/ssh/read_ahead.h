#pragma once
#include <poll.h>

#include <cstddef>
#include <memory>

namespace hpc {

/// Reads from a session's socket 256 KiB at a time for libssh, which asks for 4 KiB and polls
/// before each: 512 system calls a MiB, a quarter of what a download costs this process.
///
/// libssh has no setting for that and no way to give it bytes, so read_ahead.cc has a recv() and a
/// poll() of its own, which the linker prefers to libc's. Within a Use they answer for this one
/// descriptor from here; for everything else, and outside of one, they are the system's. Where a
/// libssh does not come by (built to call others), all stays as it is without them.
///
/// Every call into libssh that may read this socket must be within a Use, or bytes that are held
/// here would be overtaken. One thread at a time.
class ReadAhead {
 public:
  static constexpr std::size_t kBytes = std::size_t{256} * 1024;

  /// From here to the end of the block, on this thread.
  class Use {
   public:
    explicit Use(ReadAhead& which);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    ReadAhead* before_;
  };

  explicit ReadAhead(int fd = -1, std::size_t bytes_max = kBytes)
      : fd_(fd), bytes_max_(bytes_max) {}
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  void watch(int fd) { fd_ = fd; }
  /// Bytes that libssh has not taken yet: the socket may be quiet though there is something to do.
  std::size_t held() const { return end_ - begin_; }

  /// Gives its memory back, if nothing is held: for a connection that is idle.
  void rest();

  // Of recv() and poll(); as theirs.
  bool answers_for(int fd) const { return fd == fd_; }
  ssize_t receive(char* to, std::size_t room);
  int poll(pollfd& wanted, int timeout_ms);

 private:
  int fd_;
  std::size_t bytes_max_;
  bool polled_ = false;  // libssh's poll() comes by as well as its recv()
  std::unique_ptr<char[]> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace hpc
