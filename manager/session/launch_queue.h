#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/result.h"

namespace hpc {

/// Whose launch is next (contract 2.3, "Launches"): users by turns, each user's own in the order in
/// which they came. Pure; durable through its owner.
///
/// A session launches from its turn until release(): until it runs, or ends, or has waited for
/// SLURM so long that others need not wait for it.
///
/// The user whose last turn is longest ago is first; one that comes anew is last. A user at his own
/// limit is passed over and keeps his place. One that a limit on all users holds up is not passed:
/// else those behind him could keep the last place among themselves for ever. So an entry that is
/// the k-th of its user, of u users that wait, has its turn after at most k * u others' turns, not
/// counting the time in which its own user is at his limit.
///
/// After a restart: add_launching() those that launch, oldest first, then add() those that wait, by
/// numbers which their owner stored: one higher than all others for each that is added and, at a
/// turn, for each that still waits of that user (waiting_of()). So the order is the one before;
/// only a user who gave up his first one may find himself behind others.
class LaunchQueue {
 public:
  struct Limits {
    std::size_t launching_max = 10;
    std::size_t launching_per_user_max = 1;
    std::size_t queued_per_user_max = 5;
    std::optional<std::size_t> users_launching_max;  // MAX_CONCURRENT_JOBS
  };
  explicit LaunchQueue(Limits limits) : limits_(limits) {}
  /// Holds for turns from now on; what launches or waits already stays, also past the limits.
  void set_limits(Limits limits);

  /// Would add() take one more of this user? kTooMany says how many wait and what to do. One that
  /// could launch at once is always taken; so only those that would still wait count, whether
  /// take_next() has been called for the others or not.
  Status may_add(const std::string& user) const;
  /// Last of its user's. Also past the limits (after a restart); ids are never added twice.
  void add(const std::string& user, const std::string& id);
  /// After a restart: one that has had its turn already.
  void add_launching(const std::string& user, const std::string& id);
  /// Whose turn it is now: from here on it launches. Nothing: nobody's, for want of sessions or
  /// because of a limit.
  std::optional<std::string> take_next();
  /// It launches no more, or waits no more. Nothing if it does neither.
  void release(const std::string& id);

  /// From 1, in the order in which turns will come if no more are added and launches end in the
  /// order in which they began; nothing: it is not waiting.
  std::optional<unsigned> position(const std::string& id) const;
  /// All that wait, in that order.
  std::vector<std::string> order() const;
  /// What waits of this user, in its order.
  std::vector<std::string> waiting_of(const std::string& user) const;
  std::size_t launching() const { return launching_.size(); }
  std::size_t queued() const { return queued_; }

 private:
  struct User {
    std::deque<std::string> waiting;  // ids, first one first
    std::size_t launching = 0;
  };
  struct Launch {
    std::string user;
    std::string id;
  };
  struct Order {
    std::vector<std::string> ids;
    std::unordered_map<std::string, unsigned> positions;
  };
  enum class Turn : std::uint8_t { kYes, kOwnLimit, kLimitOfAll };

  Turn may_launch(const User& user) const;
  std::string take(std::size_t place);
  void forget_if_idle(const std::string& user);
  std::vector<std::string> play_order() const;
  const Order& known_order() const;

  Limits limits_;
  std::unordered_map<std::string, User> users_;  // those that launch or wait
  std::deque<std::string> turns_;  // users that wait; whose turn was longest ago first
  std::deque<Launch> launching_;   // oldest first
  std::size_t queued_ = 0;

  // Asked for each session of a list, so it is played once for each change only.
  mutable std::optional<Order> order_;
};

}  // namespace hpc
