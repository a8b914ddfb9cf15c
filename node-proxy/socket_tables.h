#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "common/result.h"
#include "common/socket_lookup.h"

namespace hpc {

// The kernel's tables of sockets, of every user, read as a whole: by NETLINK_SOCK_DIAG dumps, or
// from the text files in /proc/net.

using SocketVisitor = std::function<void(const SocketEntry&)>;

constexpr std::uint32_t kAllSocketStates = ~std::uint32_t{0};

/// Asks for the sockets of `family` and `protocol` (IPPROTO_TCP, IPPROTO_UDP) in `states`, a bit
/// for each. Answered at once, about 1 us a socket. kSystem when the kernel cannot be asked, or
/// its answer was cut; some sockets may have been visited then.
Status dump_sockets(int family, int protocol, std::uint32_t states, const SocketVisitor& visit);
/// The same over a NETLINK_SOCK_DIAG socket of the caller's, which may be of another network
/// namespace and is the caller's to keep for the next question.
Status dump_sockets_over(int fd, int family, int protocol, std::uint32_t states,
                         const SocketVisitor& visit);

/// Reads one table, "/proc/net/tcp". Lines that are none are passed over. kSystem when it is not
/// readable.
Status read_socket_table(const std::string& path, const SocketVisitor& visit);

/// One datagram of a dump. True when it held the end of the dump. kSystem: an error of the kernel,
/// or bytes that are no dump (sock_diag(7)).
Result<bool> parse_socket_dump(Bytes datagram, std::uint32_t sequence, const SocketVisitor& visit);

}  // namespace hpc
