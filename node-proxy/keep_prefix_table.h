#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hpc {

/// The apps that were seen to know their prefix: they are asked for the path that the browser sees,
/// also under /port/N (contract 1.4). Kept until nothing listens on the port any more: then the
/// next app there may be another.
class KeepPrefixTable {
 public:
  // More apps than one job runs. The oldest one is forgotten past it, and learnt again with its
  // next redirect.
  static constexpr std::size_t kPortsMax = 64;

  /// The app knows this external prefix; the last one counts. `bare`: its first page is at the
  /// prefix itself, without a slash.
  void remember(std::uint16_t port, std::string_view prefix, bool bare = false);
  void forget(std::uint16_t port);
  /// Another prefix (the other way in, past the manager) is not the one it knows.
  bool knows(std::uint16_t port, std::string_view prefix) const;
  /// Also under /absport, where nobody has to find out that it knows its prefix.
  bool is_bare(std::uint16_t port, std::string_view prefix) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint16_t port;
    std::string prefix;
    bool bare;
  };
  const Entry* find(std::uint16_t port, std::string_view prefix) const;
  std::vector<Entry> entries_;  // oldest first, one per port
};

}  // namespace hpc
