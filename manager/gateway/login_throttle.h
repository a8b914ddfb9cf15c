#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "common/clock.h"

namespace hpc {

// A person mistypes a password a few times; who guesses needs thousands.
constexpr unsigned kLoginFailuresFree = 5;
constexpr std::uint64_t kLoginWaitFirstMs = 1'000;
constexpr std::uint64_t kLoginWaitMostMs = 300'000;
// Failures are forgotten after this long without another one.
constexpr std::uint64_t kLoginMemoryMs = 900'000;
// A full table forgets who failed longest ago: a guesser's own flood of names must not fill memory.
constexpr std::size_t kLoginSubjectsMax = 10'000;

/// Slows down who guesses: after kLoginFailuresFree failures each further attempt of the same user
/// name, or from the same address, must wait, doubling up to kLoginWaitMostMs. Pure, by the clock.
///
/// A user's own waiting is bounded by kLoginWaitMostMs, so that nobody can lock him out for good.
class LoginThrottle {
 public:
  /// `clock` must outlive it.
  explicit LoginThrottle(const Clock& clock) : clock_(clock) {}

  /// How long this attempt must still wait; 0: it may be made now. An empty `user` is one that
  /// nobody has named (a token): only the address counts, or one guesser would stop everybody.
  std::uint64_t wait_ms(const std::string& user, const std::string& address) const;
  /// An attempt was refused.
  void failed(const std::string& user, const std::string& address);
  /// An attempt was right: the user's failures are forgotten. The address's are not: a guesser may
  /// have one account of his own.
  void succeeded(const std::string& user);

  std::size_t size() const { return subjects_.size(); }

 private:
  struct Subject {
    unsigned failures = 0;
    std::uint64_t last_ms = 0;
  };
  std::uint64_t wait_of(const std::string& key) const;
  void count(const std::string& key);
  void make_room();

  const Clock& clock_;
  std::map<std::string, Subject> subjects_;  // "user alice", "from 10.0.0.1"
};

}  // namespace hpc
