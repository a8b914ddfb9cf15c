#include "node-proxy/port_set.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace hpc {

namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* last = text.data() + text.size();
  const auto [end, failed] = std::from_chars(text.data(), last, port);
  if (failed != std::errc{} || end != last || port == 0) return std::nullopt;
  return port;
}

}  // namespace

Result<PortRange> parse_port_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = parse_port(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
  if (!first || !last || *first > *last) {
    return fail(Errc::kUsage, "port", "must be a port from 1 to 65535, or FIRST-LAST");
  }
  return PortRange{*first, *last};
}

Result<PortSet> PortSet::parse(std::string_view text) {
  PortSet set;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const auto range = parse_port_range(text.substr(0, comma));
    if (!range) return tl::unexpected<Error>(range.error());
    if (set.ranges_.size() == kRangesMax) {
      return fail(Errc::kUsage, "ports", "must be at most 64 ports or ranges");
    }
    set.ranges_.push_back(*range);
    if (comma == text.size()) return set;
    text.remove_prefix(comma + 1);
  }
}

bool PortSet::contains(std::uint16_t port) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [port](const PortRange& range) {
    return port >= range.first && port <= range.last;
  });
}

}  // namespace hpc
