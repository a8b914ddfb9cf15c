#include "manager/session/port_pool.h"

#include <algorithm>
#include <utility>

namespace hpc {

namespace {

constexpr std::uint16_t kLowestPort = 1024;

std::string describe(const NamedPortRange& range) {
  return range.name + "=" + std::to_string(range.first) + "-" + std::to_string(range.last);
}

tl::unexpected<Error> bad(std::string why) {
  return fail(Errc::kConfig, "port-range", std::move(why));
}

bool share_a_port(const NamedPortRange& one, const NamedPortRange& other) {
  return one.first <= other.last && other.first <= one.last;
}

Status check(const std::vector<NamedPortRange>& ranges) {
  if (ranges.empty()) return bad("no range of ports is given");
  if (ranges.size() > kPortRangesMax) {
    return bad("at most " + std::to_string(kPortRangesMax) + " ranges are possible");
  }
  for (auto one = ranges.begin(); one != ranges.end(); ++one) {
    if (one->name.empty()) return bad("a range has no name");
    if (one->first < kLowestPort || one->last < one->first) {
      return bad(describe(*one) + " is no range within 1024-65535");
    }
    for (auto other = ranges.begin(); other != one; ++other) {
      if (other->name == one->name) return bad("two ranges are named " + one->name);
      if (share_a_port(*one, *other)) {
        return bad(describe(*other) + " and " + describe(*one) + " have ports in common");
      }
    }
  }
  return {};
}

}  // namespace

PortPool::PortPool(std::vector<Range> ranges, PortBinder& binder)
    : ranges_(std::move(ranges)), binder_(binder) {}

Result<std::unique_ptr<PortPool>> PortPool::make(std::vector<NamedPortRange> ranges,
                                                 PortBinder& binder) {
  if (auto checked = check(ranges); !checked) return tl::unexpected<Error>(checked.error());
  std::vector<Range> own;
  for (auto& range : ranges) {
    Range& added = own.emplace_back();
    added.next = range.first;
    added.range = std::move(range);
  }
  return std::unique_ptr<PortPool>(new PortPool(std::move(own), binder));
}

Result<PortLease> PortPool::allocate(const std::string& owner) { return restore(owner, {}); }

Result<PortLease> PortPool::restore(const std::string& owner, const PortLease& before) {
  if (const auto found = leases_.find(owner); found != leases_.end()) return found->second;
  PortLease lease;
  for (Range& range : ranges_) {
    const auto wanted = before.find(range.range.name);
    const auto taken = wanted == before.end() ? take_any(range, owner, lease)
                                              : take(range, owner, wanted->second, lease);
    if (taken) continue;
    put_back(lease);
    return tl::unexpected<Error>(taken.error());
  }
  return leases_[owner] = std::move(lease);
}

Status PortPool::take(Range& range, const std::string& owner, std::uint16_t port,
                      PortLease& lease) {
  const auto refuse = [&](const std::string& why) {
    return fail(Errc::kUnavailable, "port-pool",
                "port " + std::to_string(port) + " of " + range.range.name + ": " + why);
  };
  if (port < range.range.first || port > range.range.last) return refuse("not in the range");
  if (range.held.count(port) != 0) return refuse("another session has it");
  auto bound = binder_.bind(owner, port);
  if (!bound) return refuse(bound.error().detail);
  range.held.emplace(port, std::move(*bound));
  lease[range.range.name] = port;
  return {};
}

Status PortPool::take_any(Range& range, const std::string& owner, PortLease& lease) {
  for (std::size_t tries = 0; tries < range.total(); ++tries) {
    const std::uint16_t port = range.next;
    range.next =
        port == range.range.last ? range.range.first : static_cast<std::uint16_t>(port + 1);
    if (range.held.count(port) == 0 && take(range, owner, port, lease)) return {};
  }
  return fail(Errc::kUnavailable, "port-pool",
              "no port of " + describe(range.range) + " is free: sessions hold " +
                  std::to_string(range.held.size()) + " of " + std::to_string(range.total()) +
                  ", other programs the rest");
}

void PortPool::put_back(const PortLease& lease) {
  for (Range& range : ranges_) {
    const auto found = lease.find(range.range.name);
    if (found != lease.end()) range.held.erase(found->second);
  }
}

void PortPool::release(const std::string& owner) {
  const auto found = leases_.find(owner);
  if (found == leases_.end()) return;
  put_back(found->second);
  leases_.erase(found);
}

std::map<std::string, PortStats> PortPool::stats() const {
  std::map<std::string, PortStats> stats;
  for (const Range& range : ranges_) {
    stats[range.range.name] = {range.held.size(), range.total() - range.held.size(), range.total()};
  }
  return stats;
}

std::size_t PortPool::max_sessions() const {
  std::size_t smallest = ranges_.front().total();
  for (const Range& range : ranges_) smallest = std::min(smallest, range.total());
  return smallest;
}

}  // namespace hpc
