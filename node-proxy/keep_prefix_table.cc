#include "node-proxy/keep_prefix_table.h"

#include <algorithm>

namespace hpc {

void KeepPrefixTable::remember(std::uint16_t port, std::string_view prefix, bool bare) {
  forget(port);
  if (entries_.size() >= kPortsMax) entries_.erase(entries_.begin());
  entries_.push_back({port, std::string(prefix), bare});
}

void KeepPrefixTable::forget(std::uint16_t port) {
  std::erase_if(entries_, [port](const Entry& entry) { return entry.port == port; });
}

bool KeepPrefixTable::knows(std::uint16_t port, std::string_view prefix) const {
  return find(port, prefix) != nullptr;
}

bool KeepPrefixTable::is_bare(std::uint16_t port, std::string_view prefix) const {
  const Entry* entry = find(port, prefix);
  return entry != nullptr && entry->bare;
}

const KeepPrefixTable::Entry* KeepPrefixTable::find(std::uint16_t port,
                                                    std::string_view prefix) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.port == port && entry.prefix == prefix;
  });
  return found == entries_.end() ? nullptr : &*found;
}

}  // namespace hpc
