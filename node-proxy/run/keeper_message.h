#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "common/result.h"
#include "node-proxy/run/keeper.h"

namespace hpc {

// What hpc-proxy and its keeper tell each other, one packet each (SOCK_SEQPACKET). Both are the
// same program, so numbers are as this machine has them; nothing is skipped, and a packet that is
// too short or too long by one byte is an error.

// Words and environment of COMMAND in one packet. The kernel allows 128 KiB for one of them, and
// a socket takes about 200 KiB at once (net.core.wmem_default); there is room for an LD_PRELOAD.
constexpr std::size_t kKeeperPacketBytesMax = std::size_t{160} * 1024;
// Of the text that says why something was not possible.
constexpr std::size_t kKeeperDetailBytesMax = 4096;
// What the keeper says is short: two such texts and a few numbers.
constexpr std::size_t kFromKeeperBytesMax = 2 * kKeeperDetailBytesMax + 64;

/// hpc-proxy: start this. Once.
struct StartMessage {
  KeeperCommand command;
};
/// hpc-proxy: pass this on to COMMAND; `sender` sent it (0: hpc-proxy itself).
struct SignalMessage {
  std::int32_t number = 0;
  std::int32_t sender = 0;
};
/// hpc-proxy: end COMMAND.
struct EndMessage {
  std::uint64_t grace_ms = 0;
};
/// hpc-proxy: it was stopped and goes on; COMMAND is to go on if this is still its last stop.
struct ContinueMessage {
  std::uint32_t stop = 0;
};
/// hpc-proxy: make a socket; the answer bears the same number.
struct WishMessage {
  std::uint32_t id = 0;
  SocketWish wish;
};

/// Keeper, first: it waits for StartMessage, or (both texts filled) why it cannot; then it ends.
struct ReadyMessage {
  std::string where;
  std::string detail;
};
/// Keeper: COMMAND, with this id, was stopped, for the `stop`th time; hpc-proxy is to stop, too.
struct StoppedMessage {
  std::int32_t pid = 0;
  std::uint32_t stop = 0;
};
/// Keeper: all is gone. Last.
struct EndedMessage {
  std::int32_t exit_code = 0;  // 0..255
};
/// Keeper: the socket, which comes with the packet, or why there is none (errno).
struct SocketMessage {
  std::uint32_t id = 0;
  std::int32_t error = 0;
};

using ToKeeper =
    std::variant<StartMessage, SignalMessage, EndMessage, ContinueMessage, WishMessage>;
using FromKeeper = std::variant<ReadyMessage, StoppedMessage, EndedMessage, SocketMessage>;

/// kTooLarge when it is longer than kKeeperPacketBytesMax; kBadRequest for a command without a
/// program, with a zero byte in it, or with a setting that is not NAME=value.
Result<std::string> encode(const ToKeeper& message);
/// Texts longer than kKeeperDetailBytesMax are cut.
std::string encode(const FromKeeper& message);

/// kBadRequest for anything that encode() does not make.
Result<ToKeeper> decode_to_keeper(std::string_view packet);
Result<FromKeeper> decode_from_keeper(std::string_view packet);

}  // namespace hpc
