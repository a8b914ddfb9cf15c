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

bool is_at(const SocketEnd& bound, const std::string& address) {
  const auto end = make_socket_end(address, bound.port);
  return end && *end == bound;
}

using PortsByNumber = std::map<std::uint16_t, ListeningPort>;

void add_socket(PortsByNumber& ports, const SocketEntry& socket, const std::string& address,
                bool is_private) {
  ListeningPort& port = ports[socket.local.port];
  port.port = socket.local.port;
  port.is_private = port.is_private || is_private;
  // SO_REUSEPORT: of a server's hundred sockets with the same address one is looked for.
  if (std::find(port.addresses.begin(), port.addresses.end(), address) != port.addresses.end()) {
    return;
  }
  port.addresses.push_back(address);
  port.inodes.push_back(socket.inode);
}

}  // namespace

const char* common_address(const SocketEnd& bound) {
  for (const char* address : {"127.0.0.1", "0.0.0.0", "::1", "::"}) {
    if (is_at(bound, address)) return address;
  }
  return nullptr;
}

PortsView make_ports_view(const std::vector<SocketEntry>& sockets, std::uint16_t own_port,
                          const PortScope& scope) {
  PortsByNumber by_number;
  // Private ones first, in the order in which they are tried: whose program is shown is whose
  // answers.
  for (const std::string& address : scope.private_addresses) {
    for (const SocketEntry& socket : sockets) {
      if (socket.local.port == own_port || !is_at(socket.local, address)) continue;
      add_socket(by_number, socket, address, true);
    }
  }
  const bool elsewhere = static_cast<bool>(scope.network_space);
  for (const SocketEntry& socket : sockets) {
    const char* const address = common_address(socket.local);
    if (address == nullptr || socket.local.port == own_port) continue;
    add_socket(by_number, socket, address, elsewhere);
  }
  PortsView view;
  view.known = true;
  for (auto& [number, port] : by_number) {
    if (view.ports.size() < kPortsMax) view.ports.push_back(std::move(port));
  }
  view.left_out = by_number.size() - view.ports.size();
  return view;
}

PortList::PortList(Loop& loop, std::uint32_t uid, PortScope scope)
    : loop_(loop),
      uid_(uid),
      scope_(std::move(scope)),
      finder_("/proc", uid, loop),
      timer_(loop, [this] { go_on(); }) {}

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
  const auto sockets = scope_.network_space ? scope_.network_space() : own_listening_sockets(uid_);
  view_ = sockets ? make_ports_view(*sockets, own_port_, scope_) : PortsView{};
  if (sockets && scope_.on_look) scope_.on_look(*sockets);
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
