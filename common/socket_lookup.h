#pragma once
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/stream.h"
#include "common/unique_fd.h"

namespace hpc {

/// One end of a connection as the kernel compares it: IPv4 in its v4-mapped form, so that a
/// dual-stack socket and a plain one with the same address are equal.
struct SocketEnd {
  std::array<std::uint8_t, 16> address{};  // network order
  std::uint16_t port = 0;                  // host order
  bool operator==(const SocketEnd&) const = default;
  bool is_v4() const;
};

/// From numeric text, "127.0.0.1" or "::1". kBadRequest when it is not an address.
Result<SocketEnd> make_socket_end(const std::string& address, std::uint16_t port);

/// What the kernel says of one socket.
struct SocketEntry {
  SocketEnd local;
  SocketEnd remote;
  int state = 0;            // TCP_ESTABLISHED ... as in <netinet/tcp.h>; 10 is a listener
  std::uint32_t uid = 0;    // as seen from our user namespace
  std::uint32_t inode = 0;  // 0: no process holds it (not yet accepted, or closed already)
};

constexpr int kTcpStateListen = 10;

/// Two looks, the listener strictly before the connection.
struct SocketLooks {
  std::optional<SocketEntry> listener;
  std::optional<SocketEntry> connection;
};

/// Finds sockets of this network namespace by their two ends.
class SocketLookup {
 public:
  virtual ~SocketLookup() = default;
  /// The socket with these ends, or what the kernel offers instead: it answers a question for a
  /// connection that does not exist with the *listener* of the local port, so the caller compares
  /// the ends. Nothing: no such socket. kSystem: the kernel cannot be asked.
  virtual Result<std::optional<SocketEntry>> find(const SocketEnd& local,
                                                  const SocketEnd& remote) = 0;
  /// First the listener that a connection to `local` would go to, also one that is bound to the
  /// wildcard address or to both families; then, as find(), the socket with these ends. The caller
  /// checks states and ends. Errors as find().
  virtual Result<SocketLooks> find_with_listener(const SocketEnd& local,
                                                 const SocketEnd& remote) = 0;
};

/// NETLINK_SOCK_DIAG, 1.0 to 1.5 us a question; two together for the price of one and a half.
/// kSystem where there is none (SELinux, seccomp).
Result<std::unique_ptr<SocketLookup>> make_netlink_lookup();
/// The same over a socket of that kind, made in the network namespace that is to be asked about;
/// uids are as its maker's user namespace has them.
Result<std::unique_ptr<SocketLookup>> make_netlink_lookup(UniqueFd netlink_fd);

/// /proc/net/tcp and tcp6 under `proc_net`: milliseconds on a busy node, but always there.
std::unique_ptr<SocketLookup> make_proc_lookup(std::string proc_net);

/// Netlink where it answers, else /proc. A kernel without the module tcp_diag answers "not found"
/// to everything, so until netlink has found one socket its "not found" is checked in /proc.
std::unique_ptr<SocketLookup> make_fallback_lookup(std::unique_ptr<SocketLookup> netlink,
                                                   std::unique_ptr<SocketLookup> proc);

/// What a program uses: netlink, and /proc/net behind it.
std::unique_ptr<SocketLookup> make_system_lookup();

/// How well a socket that is bound to `bound` fits a connection to `local`: 0 not at all, higher
/// is nearer; the kernel takes the nearest.
int listener_fit(const SocketEnd& bound, const SocketEnd& local);

// The two texts of the kernel that are taken apart, for tests.

/// One answer of NETLINK_SOCK_DIAG. Nothing: the kernel says ENOENT. kSystem: another error of the
/// kernel, or an answer too short to be one. kUnavailable: the answer to another question.
Result<std::optional<SocketEntry>> parse_diag_answer(Bytes datagram, std::uint32_t sequence);

/// One line of /proc/net/tcp or tcp6. Nothing for the heading or a line that is not one.
std::optional<SocketEntry> parse_proc_net_line(std::string_view line);

}  // namespace hpc
