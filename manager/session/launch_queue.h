#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"

namespace hpc {

/// Whose launch is next (contract 2.3, "Launches"): users by turns, each user's own in the order in
/// which they came. Pure; durable through its owner.
///
/// A session launches from its turn until release(): until it runs, or ends, or has waited for
/// SLURM so long that others need not wait for it.
class LaunchQueue {
 public:
  struct Limits {
    std::size_t launching_max = 10;
    std::size_t launching_per_user_max = 1;
    std::size_t queued_per_user_max = 5;
    std::optional<std::size_t> users_launching_max;  // MAX_CONCURRENT_JOBS
  };
  explicit LaunchQueue(Limits limits) : limits_(limits) {}
  void set_limits(Limits limits) { limits_ = limits; }

  /// Would add() take one more of this user? kTooMany says how many wait and what to do. One that
  /// could launch at once is always taken.
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

  /// From 1, in the order in which turns would come if no more were added; nothing: it is not
  /// waiting.
  std::optional<unsigned> position(const std::string& id) const;
  /// All that wait, in that order.
  std::vector<std::string> order() const;
  std::size_t launching() const;
  std::size_t queued() const;

 private:
  Limits limits_;
};

}  // namespace hpc
