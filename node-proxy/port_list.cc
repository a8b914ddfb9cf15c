#include "node-proxy/port_list.h"

#include <algorithm>
#include <map>
#include <utility>

#include "node-proxy/listening_sockets.h"

namespace hpc {

namespace {

// A first slice that finds everything on most nodes, and one that nobody notices.
constexpr std::int64_t kFirstSliceUs = 3000;
constexpr std::int64_t kSliceUs = 1000;

/// The address that a socket is bound to, of those over which hpc-proxy reaches it.
const char* reachable_address(const SocketEnd& bound) {
  for (const char* address : {"127.0.0.1", "0.0.0.0", "::1", "::"}) {
    const auto end = make_socket_end(address, bound.port);
    if (end && *end == bound) return address;
  }
  return nullptr;
}

}  // namespace

PortsView make_ports_view(const std::vector<SocketEntry>& sockets, std::uint16_t own_port) {
  std::map<std::uint16_t, ListeningPort> by_number;
  for (const SocketEntry& socket : sockets) {
    const char* const address = reachable_address(socket.local);
    if (address == nullptr || socket.local.port == own_port) continue;
    ListeningPort& port = by_number[socket.local.port];
    port.port = socket.local.port;
    // SO_REUSEPORT: of a server's hundred sockets with the same address one is looked for.
    if (std::find(port.addresses.begin(), port.addresses.end(), address) != port.addresses.end()) {
      continue;
    }
    port.addresses.emplace_back(address);
    port.inodes.push_back(socket.inode);
  }
  PortsView view;
  view.known = true;
  for (auto& [number, port] : by_number) {
    if (view.ports.size() < kPortsMax) view.ports.push_back(std::move(port));
  }
  view.left_out = by_number.size() - view.ports.size();
  return view;
}

PortList::PortList(Loop& loop, std::uint32_t uid)
    : loop_(loop), uid_(uid), finder_("/proc", uid, loop), timer_(loop, [this] { go_on(); }) {}

const PortsView& PortList::ports() {
  const std::uint64_t now_ms = loop_.now_ms();
  if (!looked_at_ms_ || now_ms - *looked_at_ms_ >= kFreshMs) {
    refresh();
    looked_at_ms_ = now_ms;
  }
  return view_;
}

void PortList::refresh() {
  timer_.stop();
  const auto sockets = own_listening_sockets(uid_);
  view_ = sockets ? make_ports_view(*sockets, own_port_) : PortsView{};
  std::vector<std::uint32_t> inodes;
  for (const ListeningPort& port : view_.ports) {
    inodes.insert(inodes.end(), port.inodes.begin(), port.inodes.end());
  }
  finder_.want(inodes);
  view_.names_complete = finder_.step(kFirstSliceUs);
  fill_in();
}

void PortList::go_on() {
  view_.names_complete = finder_.step(kSliceUs);
  fill_in();
}

void PortList::fill_in() {
  for (ListeningPort& port : view_.ports) {
    for (const std::uint32_t inode : port.inodes) {
      const auto* const process = finder_.find(inode);
      if (process == nullptr) continue;
      port.process = *process;
      break;
    }
  }
  // 1 ms: what waits on the loop comes first.
  if (!view_.names_complete) timer_.start(1);
}

}  // namespace hpc
