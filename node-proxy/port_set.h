#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace hpc {

/// First and last port of a range, both included; 0 to 0 means "any free port" where allowed.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};

/// "9000" or "9000-9099", 1 to 65535. kUsage with what is wrong.
Result<PortRange> parse_port_range(std::string_view text);

/// Ports as a list of ranges: "1024-65535", "80,3000-3010".
class PortSet {
 public:
  // A list longer than this is no list that a person wrote.
  static constexpr std::size_t kRangesMax = 64;
  static Result<PortSet> parse(std::string_view text);
  bool contains(std::uint16_t port) const;

 private:
  std::vector<PortRange> ranges_;
};

}  // namespace hpc
