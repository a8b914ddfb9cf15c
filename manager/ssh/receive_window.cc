#include "manager/ssh/receive_window.h"

#include <algorithm>

namespace hpc {
namespace {

// A round is a round trip, but at least this long: on a short path a turn of the loop takes longer
// than a round trip, and what it delivers at once would look like a rate.
constexpr std::uint64_t kRoundUsLeast = 10'000;
// What came longer ago, in rounds, says nothing about now.
constexpr std::uint64_t kRoundsKept = 10;

}  // namespace

void ReceivePath::note_round_trip(std::uint64_t us) {
  us = std::max<std::uint64_t>(us, 1);
  round_trip_us_ = round_trip_us_ == 0 ? us : std::min(round_trip_us_, us);
}

std::size_t ReceivePath::take(std::size_t has, std::size_t wanted) {
  const std::size_t others = taken_ - has;
  const std::size_t granted = std::min(wanted, kReceiveWindowExtraMax - others);
  taken_ = others + granted;
  return granted;
}

std::uint64_t ReceiveWindow::round_us() const {
  return std::max(path_.round_trip_us(), kRoundUsLeast);
}

void ReceiveWindow::arrived(std::size_t count, std::size_t unread, std::uint64_t now_us) {
  open_ -= std::min(open_, count);
  if (open_ + unread < kReceiveWindowLeast) open_ = kLibsshWindow;
  if (round_began_us_ == 0) round_began_us_ = now_us;
  round_bytes_ += count;
  if (now_us - round_began_us_ >= round_us()) end_round(now_us);
}

// A round that was longer than the others, because nothing came, counts by its rate.
void ReceiveWindow::end_round(std::uint64_t now_us) {
  const auto bytes =
      static_cast<std::size_t>(round_bytes_ * path_.round_trip_us() / (now_us - round_began_us_));
  rounds_[next_round_] = {now_us, bytes};
  next_round_ = (next_round_ + 1) % rounds_.size();
  round_began_us_ = now_us;
  round_bytes_ = 0;
  // What has piled up behind a stall comes all at once; a path that is full comes so twice.
  const bool window_is_the_limit = std::min(bytes, last_round_bytes_) >= target_ / 5 * 4;
  last_round_bytes_ = bytes;
  aim_at(window_is_the_limit ? target_ * 2 : usual_lately(now_us) / 2 * 3);
}

// The median: neither a stall of this machine nor what comes at once behind it is the path's doing.
std::size_t ReceiveWindow::usual_lately(std::uint64_t now_us) const {
  std::array<std::size_t, kRounds> recent{};
  std::size_t count = 0;
  for (const Round& round : rounds_) {
    if (round.ended_us == 0 || round.ended_us + kRoundsKept * round_us() < now_us) continue;
    recent[count++] = round.bytes;
  }
  std::sort(recent.begin(), recent.begin() + count);
  return count == 0 ? 0 : recent[count / 2];
}

void ReceiveWindow::aim_at(std::size_t wanted) {
  target_ = std::clamp(wanted, kReceiveWindowLeast, kReceiveWindowMax);
}

// Room is taken before it is offered to the server, and given back when the bytes have been read:
// a window that has been opened cannot be closed again.
void ReceiveWindow::hold(std::size_t unread) {
  const std::size_t wanted = std::max({open_ + unread, target_, kLibsshWindow}) - kLibsshWindow;
  extra_ = path_.take(extra_, wanted);
  target_ = std::min(target_, kLibsshWindow + extra_);
}

std::size_t ReceiveWindow::to_ask_for(std::size_t room, std::size_t unread, std::uint64_t now_us) {
  // The reader had stopped: what came before says nothing about what it takes from now on.
  if (usual_lately(now_us) == 0) aim_at(0);
  hold(unread);
  if (target_ == kReceiveWindowLeast || unread > room) return room;
  // Not for a few bytes each time: every message of ours is work for both ends.
  return open_ + unread < target_ - target_ / 16 ? std::max(target_, room) : room;
}

void ReceiveWindow::was_read(std::size_t asked, std::size_t unread, std::size_t count) {
  if (asked > open_ + unread) open_ = std::max(asked - unread, kLibsshWindow);
  if (open_ < kReceiveWindowLeast) open_ = kLibsshWindow;
  hold(unread - std::min(unread, count));
}

}  // namespace hpc
