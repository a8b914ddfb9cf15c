#pragma once
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/loop.h"
#include "common/socket_lookup.h"
#include "common/timer.h"
#include "node-proxy/port_set.h"
#include "node-proxy/process_finder.h"

namespace hpc {

/// Warns of the command's programs that listen on a port of everybody's, although `--private
/// loopback` should have given them one of their own: static programs and the like. Each is named
/// once. Looks after 1, 2, 4, 8, 16, 30, 60, ... seconds, and whenever it is shown what listens.
class UnmovedWatch {
 public:
  // More warnings than this are not read by anybody.
  static constexpr std::size_t kWarningsMax = 32;

  struct Rules {
    std::uint32_t uid = 0;
    pid_t keeper = 0;                            // the command's programs descend from it
    std::vector<std::string> private_addresses;  // of the run
    PortSet shared_ports;                        // --shared-ports: meant to be where they are
    std::string proc = "/proc";                  // but for tests
  };
  /// One line for a person, without its end.
  using Print = std::function<void(const std::string& line)>;
  /// `loop` must outlive it.
  UnmovedWatch(Loop& loop, Rules rules, Print print);

  /// Asks the kernel what listens, and look_at() that.
  void look();
  /// What listens now: the user's sockets, all of them. Programs of new ones are looked for at
  /// once, for a millisecond at a time, the rest in later turns of the loop.
  void look_at(const std::vector<SocketEntry>& sockets);
  /// Are programs still being looked for?
  bool is_looking() const { return find_timer_.active(); }

 private:
  void on_time();
  void find_programs();
  /// False when it has to be looked at again.
  bool judge(const SocketEntry& socket);
  bool is_descendant(std::int64_t pid) const;

  Rules rules_;
  Print print_;
  PortRange free_ports_;
  ProcessFinder finder_;
  std::unordered_set<std::uint32_t> known_;  // inodes that were judged, of what listens
  std::vector<SocketEntry> fresh_;           // that are being judged
  std::set<std::pair<std::string, std::uint16_t>> named_;  // program and port
  std::size_t looks_ = 0;
  Timer look_timer_;
  Timer find_timer_;
};

/// The sockets that everybody's programs can reach and that are not meant to be so: on 127.0.0.1,
/// ::1 or all addresses, on no port of `shared`, nor on one that has a private address too. Pure.
std::vector<SocketEntry> unmoved_sockets(const std::vector<SocketEntry>& sockets,
                                         const std::vector<std::string>& private_addresses,
                                         const PortSet& shared);

}  // namespace hpc
