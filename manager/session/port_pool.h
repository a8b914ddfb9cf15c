#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"

namespace hpc {

/// Ports first..last under a name, as an operator gives them. Both 1024..65535.
struct NamedPortRange {
  std::string name;
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  bool operator==(const NamedPortRange&) const = default;
};

// Range names are written in flags and in environment variables.
constexpr std::size_t kPortRangesMax = 16;

/// A port that is ours as long as this lives: the bound socket is the lease, so nobody can take the
/// port between finding it free and using it.
class HeldPort {
 public:
  virtual ~HeldPort() = default;
};

/// Binds ports. The pool's only view of the world.
class PortBinder {
 public:
  virtual ~PortBinder() = default;
  /// For `owner`. Any error means that this port cannot be had now: held by somebody else, say.
  virtual Result<std::unique_ptr<HeldPort>> bind(const std::string& owner, std::uint16_t port) = 0;
};

/// One port of each range, by the range's name.
using PortLease = std::map<std::string, std::uint16_t>;

struct PortStats {
  std::size_t allocated = 0;
  std::size_t available = 0;  // total less allocated; others may hold some of them
  std::size_t total = 0;
};

/// Local ports for sessions: every owner gets one port of every range, or none at all.
class PortPool {
 public:
  /// kConfig: no range, more than kPortRangesMax, one that is no range of 1024..65535, two with one
  /// name, two that share a port. `binder` must outlive the pool.
  static Result<std::unique_ptr<PortPool>> make(std::vector<NamedPortRange> ranges,
                                                PortBinder& binder);
  PortPool(const PortPool&) = delete;
  PortPool& operator=(const PortPool&) = delete;

  /// The lease of `owner`: the one it has, else a new one. Ports are given out in turn, so that a
  /// port that was just released is not at once somebody else's. kUnavailable when a range has
  /// none left, naming the range; then nothing is held.
  Result<PortLease> allocate(const std::string& owner);

  /// The same ports as before a restart; ranges that `before` does not name get a new one.
  /// kUnavailable when one cannot be had, or is not of its range any more; then nothing is held.
  Result<PortLease> restore(const std::string& owner, const PortLease& before);

  /// Unbinds the ports of `owner`; nothing when it has none.
  void release(const std::string& owner);

  /// By the name of the range.
  std::map<std::string, PortStats> stats() const;
  /// How many owners there can be at most: the size of the smallest range.
  std::size_t max_sessions() const;

 private:
  struct Range {
    NamedPortRange range;
    std::uint16_t next = 0;  // where to look first
    std::map<std::uint16_t, std::unique_ptr<HeldPort>> held;
    std::size_t total() const { return static_cast<std::size_t>(range.last - range.first) + 1; }
  };

  PortPool(std::vector<Range> ranges, PortBinder& binder);
  Status take(Range& range, const std::string& owner, std::uint16_t port, PortLease& lease);
  Status take_any(Range& range, const std::string& owner, PortLease& lease);
  void put_back(const PortLease& lease);

  std::vector<Range> ranges_;
  PortBinder& binder_;
  std::map<std::string, PortLease> leases_;
};

}  // namespace hpc
