#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/socket_lookup.h"

namespace hpc {

// Far more than the listening sockets of one user's job; what is past it is left out.
constexpr std::size_t kOwnSocketsMax = 4096;

/// The listening TCP sockets of one user in this network namespace, asked of the kernel in one go
/// (NETLINK_SOCK_DIAG dump), or read in /proc/net where there is no netlink. At most
/// kOwnSocketsMax. kSystem when the kernel cannot be asked; the overflow uid owns nothing.
Result<std::vector<SocketEntry>> own_listening_sockets(std::uint32_t uid);

/// The same of another network namespace, over a netlink socket made there (dump_sockets_over()).
/// There may be none. kSystem when it cannot be asked.
Result<std::vector<SocketEntry>> own_listening_sockets_over(int fd, std::uint32_t uid);

/// The same from the tables tcp and tcp6 in the directory `proc_net`.
Result<std::vector<SocketEntry>> read_listening_sockets(const std::string& proc_net,
                                                        std::uint32_t uid);

/// Adds the user's listening sockets of one datagram of a dump to `out`. True when it held the end
/// of the dump. kSystem: an error of the kernel, or bytes that are no dump (sock_diag(7)).
Result<bool> parse_diag_dump(Bytes datagram, std::uint32_t sequence, std::uint32_t uid,
                             std::vector<SocketEntry>& out);

}  // namespace hpc
