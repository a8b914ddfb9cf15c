#include "node-proxy/run/private_addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "common/unique_fd.h"
#include "node-proxy/ports/settings.h"
#include "node-proxy/run/private_blocks.h"
#include "node-proxy/socket_tables.h"

namespace hpc {

namespace {

// Outside of what the kernel gives to sockets without a port (32768 and up), and of no known
// program. Everybody must use the same, or the kernel could not tell claims apart. The library
// looks for the claim, too.
constexpr std::uint16_t kClaimPort = HPC_PORTS_CLAIM_PORT;
constexpr unsigned kClaimOffset = HPC_PORTS_CLAIM_OFFSET;

tl::unexpected<Error> refuse(const std::string& detail) {
  return fail(Errc::kSystem, "private addresses", detail);
}

/// The claim on a block; nothing when somebody else has it. Bound and never listening: nobody can
/// connect to it. Without SO_REUSEADDR, so the kernel gives the same end to one socket only.
Result<std::optional<UniqueFd>> claim_block(const PrivateBlock& block) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return refuse(std::string("no socket: ") + std::strerror(errno));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kClaimPort);
  address.sin_addr.s_addr = htonl(block.first + kClaimOffset);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return std::optional<UniqueFd>(std::move(fd));
  }
  if (errno == EADDRINUSE) return std::nullopt;
  return refuse(block.address(kClaimOffset) + " cannot be had: " + std::strerror(errno));
}

/// Visits every socket of that protocol, of both families.
Status visit_sockets(int protocol, const SocketVisitor& visit) {
  if (dump_sockets(AF_INET, protocol, kAllSocketStates, visit) &&
      dump_sockets(AF_INET6, protocol, kAllSocketStates, visit)) {
    return {};
  }
  // No netlink, or no module for this protocol.
  const std::string table = protocol == IPPROTO_TCP ? "/proc/net/tcp" : "/proc/net/udp";
  const auto v4 = read_socket_table(table, visit);
  [[maybe_unused]] const auto v6 = read_socket_table(table + "6", visit);  // not without IPv6
  return v4;
}

/// Does anybody have a socket on the block, but for our claim? After the claim: whoever comes later
/// looks after it, too.
Result<bool> is_used(const PrivateBlock& block) {
  const auto claim = make_socket_end(block.address(kClaimOffset), kClaimPort);
  bool used = false;
  for (const int protocol : {IPPROTO_TCP, IPPROTO_UDP}) {
    const auto looked = visit_sockets(protocol, [&](const SocketEntry& entry) {
      // Kernels since 6.8 list what is bound and does not listen: the claim itself.
      const bool is_claim = protocol == IPPROTO_TCP && claim && entry.local == *claim;
      used = used || (!is_claim && block.holds(entry.local));
    });
    if (!looked) return refuse(looked.error().detail);
  }
  return used;
}

}  // namespace

Result<PrivateAddresses> claim_private_addresses(std::uint32_t uid, const std::string& id) {
  for (int attempt = 0; attempt < kClaimsMax; ++attempt) {
    const PrivateBlock block = choose_private_block(uid, id, attempt);
    auto claim = claim_block(block);
    if (!claim) return tl::unexpected<Error>(claim.error());
    if (!*claim) continue;
    const auto used = is_used(block);
    if (!used) return tl::unexpected<Error>(used.error());
    if (!*used) return PrivateAddresses{block.address(0), block.address(1), std::move(**claim)};
  }
  return refuse("all that were tried are taken; is there a program on port " +
                std::to_string(kClaimPort) + " of all addresses of this node? (`ss -ltn sport = :" +
                std::to_string(kClaimPort) + "` shows it); --private netns needs no such address");
}

}  // namespace hpc
