#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/result.h"
#include "common/unique_fd.h"

namespace hpc {

/// One packet of a SOCK_SEQPACKET socket, and the descriptor that came with it (closed on exec).
struct Packet {
  std::string bytes;  // never empty
  UniqueFd fd;
};

/// Both ends of a connection, closed on exec. Packets of up to `bytes_max` fit, as far as the
/// kernel allows it. kSystem with the cause.
Result<std::pair<UniqueFd, UniqueFd>> packet_socket_pair(std::size_t bytes_max);

/// Sends one packet, with the descriptor when it is not -1. `wait`: until there is room. False and
/// errno when it could not be sent (EAGAIN: no room; EMSGSIZE: too large); never raises SIGPIPE.
bool send_packet(int socket, std::string_view bytes, int fd, bool wait);

/// The next packet; only one reader. `wait`: until there is one. Nothing when there is none yet;
/// kNetwork when the other end is closed; kBadRequest for a packet that is longer than `bytes_max`,
/// is empty, or brings more than one descriptor (all are closed).
Result<std::optional<Packet>> receive_packet(int socket, std::size_t bytes_max, bool wait);

}  // namespace hpc
