#include "node-proxy/run/unmoved_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "common/unique_fd.h"
#include "node-proxy/listening_sockets.h"
#include "node-proxy/port_list.h"
#include "node-proxy/process.h"
#include "node-proxy/run/unmoved_program.h"

namespace hpc {

namespace {

// Programs start to listen in the first seconds; later it is the user's own doing, and can wait.
constexpr std::array<std::uint64_t, 7> kPausesMs = {1000, 1000, 2000, 4000, 8000, 14'000, 30'000};
// So that a turn of the loop takes no longer than nobody notices.
constexpr std::int64_t kSliceUs = 1000;
constexpr std::uint64_t kBetweenSlicesMs = 1;
// A shell inside of a shell inside of a shell, and then some.
constexpr int kParentsMax = 256;

/// The ports that the kernel gives to sockets which ask for none. The library leaves those alone.
PortRange free_ports(const std::string& proc) {
  constexpr PortRange kUsual{32768, 60999};
  const UniqueFd fd(
      open((proc + "/sys/net/ipv4/ip_local_port_range").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text{};
  const ssize_t size = fd.get() < 0 ? 0 : read(fd.get(), text.data(), text.size());
  if (size <= 0) return kUsual;
  const char* const last = text.data() + size;
  PortRange range;
  const auto first = std::from_chars(text.data(), last, range.first);
  if (first.ec != std::errc{} || first.ptr == last || *first.ptr != '\t') return kUsual;
  return std::from_chars(first.ptr + 1, last, range.last).ec == std::errc{} ? range : kUsual;
}

}  // namespace

std::vector<SocketEntry> unmoved_sockets(const std::vector<SocketEntry>& sockets,
                                         const std::vector<std::string>& private_addresses,
                                         const PortSet& shared) {
  std::set<std::uint16_t> reached;
  for (const SocketEntry& socket : sockets) {
    for (const std::string& address : private_addresses) {
      const auto end = make_socket_end(address, socket.local.port);
      if (end && *end == socket.local) reached.insert(socket.local.port);
    }
  }
  std::vector<SocketEntry> unmoved;
  for (const SocketEntry& socket : sockets) {
    const std::uint16_t port = socket.local.port;
    if (common_address(socket.local) == nullptr || shared.contains(port)) continue;
    if (reached.count(port) == 0) unmoved.push_back(socket);
  }
  return unmoved;
}

UnmovedWatch::UnmovedWatch(Loop& loop, Rules rules, Print print)
    : rules_(std::move(rules)),
      print_(std::move(print)),
      free_ports_(free_ports(rules_.proc)),
      finder_(rules_.proc, rules_.uid, loop),
      look_timer_(loop, [this] { on_time(); }),
      find_timer_(loop, [this] { find_programs(); }) {
  look_timer_.start(kPausesMs[0]);
}

void UnmovedWatch::on_time() {
  look();
  looks_ = std::min(looks_ + 1, kPausesMs.size() - 1);
  look_timer_.start(kPausesMs[looks_]);
}

void UnmovedWatch::look() {
  // Where the kernel does not tell there is nothing to warn of; /ports says so, too.
  if (const auto sockets = own_listening_sockets(rules_.uid)) look_at(*sockets);
}

void UnmovedWatch::look_at(const std::vector<SocketEntry>& sockets) {
  if (named_.size() >= kWarningsMax) return;
  std::unordered_set<std::uint32_t> listening;
  fresh_.clear();
  std::vector<std::uint32_t> inodes;
  for (const SocketEntry& socket :
       unmoved_sockets(sockets, rules_.private_addresses, rules_.shared_ports)) {
    listening.insert(socket.inode);
    if (known_.count(socket.inode) > 0) continue;
    fresh_.push_back(socket);
    inodes.push_back(socket.inode);
  }
  // The number of a socket that is gone may be that of a new one later.
  std::erase_if(known_, [&](std::uint32_t inode) { return listening.count(inode) == 0; });
  find_timer_.stop();
  if (fresh_.empty()) return;
  finder_.want(inodes);
  find_programs();
}

void UnmovedWatch::find_programs() {
  const bool complete = finder_.step(kSliceUs);
  std::erase_if(fresh_, [&](const SocketEntry& socket) {
    const bool found = finder_.find(socket.inode) != nullptr;
    // Not found: of a process that nobody may look at, which is no descendant that was not moved.
    if ((found && judge(socket)) || (!found && complete)) {
      known_.insert(socket.inode);
      return true;
    }
    return found;  // the next look tries again
  });
  if (!complete) find_timer_.start(kBetweenSlicesMs);
}

bool UnmovedWatch::judge(const SocketEntry& socket) {
  const ProcessFinder::Process process = *finder_.find(socket.inode);
  if (!is_descendant(process.pid)) return true;
  const auto facts = read_program_facts(rules_.proc, process.pid);
  if (!facts) return false;
  if (facts->library_loaded && socket.local.port >= free_ports_.first &&
      socket.local.port <= free_ports_.last) {
    return true;
  }
  const bool is_new = named_.emplace(process.name, socket.local.port).second;
  if (is_new && named_.size() <= kWarningsMax) {
    print_(unmoved_warning(process.name, process.pid, socket.local.port, *facts));
  }
  return true;
}

bool UnmovedWatch::is_descendant(std::int64_t pid) const {
  for (int parents = 0; parents < kParentsMax && pid > 1; ++parents) {
    const auto stat = read_process_stat(rules_.proc, pid);
    if (!stat) return false;
    pid = stat->parent;
    if (pid == rules_.keeper) return true;
  }
  return false;
}

}  // namespace hpc
