#include "node-proxy/listening_sockets.h"

#include <netinet/in.h>

#include "common/peer_owner.h"
#include "node-proxy/socket_tables.h"

namespace hpc {

namespace {

constexpr std::uint32_t kListening = std::uint32_t{1} << unsigned{kTcpStateListen};

void keep(const SocketEntry& entry, std::uint32_t uid, std::vector<SocketEntry>& out) {
  // Without an inode no process holds it: it is being closed.
  if (entry.state != kTcpStateListen || entry.uid != uid || entry.inode == 0) return;
  if (out.size() < kOwnSocketsMax) out.push_back(entry);
}

SocketVisitor keeper_of(std::uint32_t uid, std::vector<SocketEntry>& out) {
  return [uid, &out](const SocketEntry& entry) { keep(entry, uid, out); };
}

}  // namespace

Result<bool> parse_diag_dump(Bytes datagram, std::uint32_t sequence, std::uint32_t uid,
                             std::vector<SocketEntry>& out) {
  return parse_socket_dump(datagram, sequence, keeper_of(uid, out));
}

Result<std::vector<SocketEntry>> read_listening_sockets(const std::string& proc_net,
                                                        std::uint32_t uid) {
  std::vector<SocketEntry> out;
  const auto tcp = read_socket_table(proc_net + "/tcp", keeper_of(uid, out));
  const auto tcp6 = read_socket_table(proc_net + "/tcp6", keeper_of(uid, out));
  if (!tcp && !tcp6) return tl::unexpected<Error>(tcp.error());
  return out;
}

Result<std::vector<SocketEntry>> own_listening_sockets_over(int fd, std::uint32_t uid) {
  std::vector<SocketEntry> out;
  if (uid == kOverflowUid) return out;
  const auto dump = [&](int family) {
    return dump_sockets_over(fd, family, IPPROTO_TCP, kListening, keeper_of(uid, out));
  };
  if (auto v4 = dump(AF_INET); !v4) return tl::unexpected<Error>(v4.error());
  [[maybe_unused]] const auto v6 = dump(AF_INET6);  // a kernel may have none
  return out;
}

Result<std::vector<SocketEntry>> own_listening_sockets(std::uint32_t uid) {
  std::vector<SocketEntry> out;
  if (uid == kOverflowUid) return out;
  const auto dump = [&](int family) {
    return dump_sockets(family, IPPROTO_TCP, kListening, keeper_of(uid, out)).has_value();
  };
  const bool v4 = dump(AF_INET);
  const bool v6 = dump(AF_INET6);
  // Nothing at all: hpc-proxy itself listens, so the kernel has not told everything.
  if (v4 && v6 && !out.empty()) return out;
  auto read = read_listening_sockets("/proc/net", uid);
  if (!read && v4) return out;
  return read;
}

}  // namespace hpc
