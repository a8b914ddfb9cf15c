#include "node-proxy/keep_prefix_table.h"

#include <algorithm>

namespace hpc {

void KeepPrefixTable::remember(std::uint16_t port, std::string_view prefix) {
  forget(port);
  if (entries_.size() >= kPortsMax) entries_.erase(entries_.begin());
  entries_.push_back({port, std::string(prefix)});
}

void KeepPrefixTable::forget(std::uint16_t port) {
  std::erase_if(entries_, [port](const Entry& entry) { return entry.port == port; });
}

bool KeepPrefixTable::knows(std::uint16_t port, std::string_view prefix) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.port == port && entry.prefix == prefix;
  });
}

}  // namespace hpc
