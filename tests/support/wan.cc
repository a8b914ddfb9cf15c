// wan NS_A IF_A NS_B IF_B DELAY_MS [JITTER_MS [LOSS_PPM [KBIT_PER_S]]]
//
// A long, slow cable between two network namespaces: two TAP interfaces, and every frame that
// enters one leaves the other later. It stands in for the kernel's netem, which many kernels
// lack. Prints "up" when both ends exist; runs until killed; the interfaces go with it. Root only.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <optional>
#include <random>
#include <vector>

namespace {

// About 30 MB of full frames: more than any window our tests open, and a bound all the same.
constexpr std::size_t kQueuedFramesMax = 20'000;
// Reads in a row from one end, so that the other end is never starved.
constexpr int kFramesPerTurnMax = 64;
// Larger than any frame, segmentation offload included.
constexpr std::size_t kFrameBytesMax = 65'536;

struct Line {
  std::int64_t delay_ns = 0;
  std::int64_t jitter_ns = 0;
  std::uint32_t loss_ppm = 0;
  double kbit_per_s = 0;  // 0: no limit
};

struct Frame {
  std::int64_t leaves_at_ns;
  std::vector<char> bytes;
};

struct Direction {
  std::deque<Frame> frames;
  std::int64_t line_free_at_ns = 0;
};

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// Creates the TAP interface `name` in the namespace `path`; -1 and a message on failure.
int open_tap(const char* path, const char* name) {
  const int ns = open(path, O_RDONLY | O_CLOEXEC);
  if (ns < 0 || setns(ns, CLONE_NEWNET) != 0) {
    std::perror(path);
    return -1;
  }
  close(ns);
  const int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (tap < 0 || ioctl(tap, TUNSETIFF, &request) != 0) {
    std::perror("/dev/net/tun");
    return -1;
  }
  return tap;
}

class Cable {
 public:
  Cable(const Line& line, int tap_a, int tap_b) : line_(line), taps_{tap_a, tap_b} {}

  [[noreturn]] void run() {
    for (;;) {
      const std::int64_t now = now_ns();
      for (std::size_t from = 0; from < 2; ++from) deliver(from, now);
      wait();
    }
  }

 private:
  void deliver(std::size_t from, std::int64_t now) {
    auto& frames = directions_[from].frames;
    for (; !frames.empty() && frames.front().leaves_at_ns <= now; frames.pop_front()) {
      const auto& bytes = frames.front().bytes;
      // A full interface drops the frame, as a real one does.
      [[maybe_unused]] const auto written = write(taps_[1 - from], bytes.data(), bytes.size());
    }
  }

  std::optional<std::int64_t> next_departure_ns() const {
    std::optional<std::int64_t> next;
    for (const auto& direction : directions_) {
      if (direction.frames.empty()) continue;
      const std::int64_t at = direction.frames.front().leaves_at_ns;
      next = next ? std::min(*next, at) : at;
    }
    return next;
  }

  void wait() {
    std::array<pollfd, 2> ends{{{taps_[0], POLLIN, 0}, {taps_[1], POLLIN, 0}}};
    timespec rest{};
    const auto next = next_departure_ns();
    if (next) {
      const std::int64_t ns = std::max<std::int64_t>(0, *next - now_ns());
      rest = {ns / 1'000'000'000, ns % 1'000'000'000};
    }
    if (ppoll(ends.data(), ends.size(), next ? &rest : nullptr, nullptr) <= 0) return;
    for (std::size_t from = 0; from < 2; ++from) {
      if ((ends[from].revents & POLLIN) != 0) accept_frames(from);
    }
  }

  void accept_frames(std::size_t from) {
    for (int turn = 0; turn < kFramesPerTurnMax; ++turn) {
      const ssize_t got = read(taps_[from], buffer_.data(), buffer_.size());
      if (got <= 0) return;
      enqueue(directions_[from], static_cast<std::size_t>(got));
    }
  }

  void enqueue(Direction& direction, std::size_t bytes) {
    if (random_() % 1'000'000 < line_.loss_ppm) return;
    if (direction.frames.size() >= kQueuedFramesMax) return;
    std::int64_t at = now_ns();
    if (line_.kbit_per_s > 0) {
      const double ns = static_cast<double>(bytes) * 8e6 / line_.kbit_per_s;
      at = std::max(direction.line_free_at_ns, at) + static_cast<std::int64_t>(ns);
      direction.line_free_at_ns = at;
    }
    at += line_.delay_ns;
    if (line_.jitter_ns > 0) at += static_cast<std::int64_t>(random_()) % line_.jitter_ns;
    // One cable: frames do not overtake each other.
    if (!direction.frames.empty()) at = std::max(at, direction.frames.back().leaves_at_ns);
    direction.frames.push_back({at, {buffer_.data(), buffer_.data() + bytes}});
  }

  Line line_;
  std::array<int, 2> taps_;
  std::array<Direction, 2> directions_;
  std::vector<char> buffer_ = std::vector<char>(kFrameBytesMax);
  std::minstd_rand random_{1};  // A fixed seed: the same losses in every run.
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fputs("usage: wan NS_A IF_A NS_B IF_B DELAY_MS [JITTER_MS [LOSS_PPM [KBIT_PER_S]]]\n",
               stderr);
    return 2;
  }
  const auto figure = [&](int index) { return index < argc ? std::atof(argv[index]) : 0.0; };
  const Line line{static_cast<std::int64_t>(figure(5) * 1e6),
                  static_cast<std::int64_t>(figure(6) * 1e6), static_cast<std::uint32_t>(figure(7)),
                  figure(8)};
  const int tap_a = open_tap(argv[1], argv[2]);
  const int tap_b = tap_a < 0 ? -1 : open_tap(argv[3], argv[4]);
  if (tap_b < 0) return 1;
  std::puts("up");
  std::fflush(stdout);
  Cable(line, tap_a, tap_b).run();
}
