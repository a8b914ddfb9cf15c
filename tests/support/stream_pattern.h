#pragma once
// What stream_app and stream_client have in common: the bytes that they stream, the clock, and
// blocking sockets. Neither uses the engine that is under test.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace hpc {

/// The kernel's monotonic clock, the same for all programs of one machine.
inline std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// A prime, so that bytes which a multiple of any buffer was lost from do not fit again.
constexpr std::size_t kPatternBytes = 65'521;

/// The stream of bytes that goes one way: one server-sent event after the other, each of
/// kPatternBytes, without an end.
class Pattern {
 public:
  Pattern() : text_("data: ") {
    // Not from a table of a few letters: a shift by their number would go unnoticed.
    std::uint32_t random = 1;
    while (text_.size() < kPatternBytes - 2) {
      random = random * 1'664'525 + 1'013'904'223;
      text_ += static_cast<char>('!' + (random >> 24) % 94);
    }
    text_ += "\n\n";
    text_ += text_;
  }
  /// `size` bytes, at most kPatternBytes, that come after the first `done` ones of the stream.
  std::string_view at(std::uint64_t done, std::size_t size) const {
    return std::string_view(text_).substr(done % kPatternBytes, size);
  }

 private:
  std::string text_;  // twice, so that any piece is in one part
};

/// Compares what comes with the pattern.
class PatternCheck {
 public:
  /// False when they are not the next bytes of the pattern.
  bool take(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto want = pattern_.at(taken_, std::min(bytes.size(), kPatternBytes));
      if (bytes.substr(0, want.size()) != want) return false;
      taken_ += want.size();
      bytes.remove_prefix(want.size());
    }
    return true;
  }
  std::uint64_t taken() const { return taken_; }

 private:
  Pattern pattern_;
  std::uint64_t taken_ = 0;
};

/// Reads a blocking socket in large pieces.
class Reader {
 public:
  explicit Reader(int fd) : fd_(fd), buffer_(kBufferBytes) {}

  /// The next bytes, at most `size`; none at the end. They die with the next call.
  std::string_view some(std::uint64_t size) {
    if (begin_ == end_ && !fill()) return {};
    const auto count = std::min<std::uint64_t>(size, end_ - begin_);
    const std::string_view bytes(buffer_.data() + begin_, static_cast<std::size_t>(count));
    begin_ += bytes.size();
    return bytes;
  }
  /// Exactly `size` bytes; fewer at the end.
  std::string exactly(std::size_t size) {
    std::string bytes;
    while (bytes.size() < size) {
      const auto more = some(size - bytes.size());
      if (more.empty()) break;
      bytes += more;
    }
    return bytes;
  }
  /// The next line without its end. False at the end of the stream.
  bool line(std::string& text) {
    text.clear();
    for (auto byte = some(1); !byte.empty(); byte = some(1)) {
      if (byte != "\n") {
        text += byte;
        continue;
      }
      if (text.ends_with('\r')) text.pop_back();
      return true;
    }
    return false;
  }

 private:
  static constexpr std::size_t kBufferBytes = 256 * 1024;
  bool fill() {
    ssize_t got = -1;
    do {
      got = recv(fd_, buffer_.data(), buffer_.size(), 0);
    } while (got < 0 && errno == EINTR);
    begin_ = 0;
    end_ = got > 0 ? static_cast<std::size_t>(got) : 0;
    return got > 0;
  }

  int fd_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// Sends all three parts. False when the peer has gone.
inline bool send_parts(int fd, std::string_view head, std::string_view body = {},
                       std::string_view tail = {}) {
  std::size_t sent = 0;
  const std::size_t size = head.size() + body.size() + tail.size();
  while (sent < size) {
    iovec parts[3];
    std::size_t count = 0;
    std::size_t skip = sent;
    for (const auto part : {head, body, tail}) {
      const std::size_t cut = std::min(skip, part.size());
      skip -= cut;
      if (cut < part.size()) {
        parts[count++] = {const_cast<char*>(part.data()) + cut, part.size() - cut};
      }
    }
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    const ssize_t got = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    sent += static_cast<std::size_t>(got);
  }
  return true;
}

/// The calling thread moves bulk: those that send, pass on and read the small events go first.
inline void step_back() { setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 10); }

// The example of RFC 6455, section 1.3: no SHA-1 is needed to tell that both ends agree.
constexpr std::string_view kWebSocketKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kWebSocketAccept = "s3pPLBmiTxaQ9kYGzzhZRbK+xOo=";

}  // namespace hpc
