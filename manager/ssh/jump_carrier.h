#pragma once
#include <memory>

#include "common/loop.h"
#include "common/stream.h"
#include "common/unique_fd.h"
#include "manager/ssh/loop_ssh_connection.h"

namespace hpc {

/// The way over a jump host: a channel of its connection, relayed on the loop to one end of a
/// socket pair. libssh gets the other end and takes it for the network.
struct JumpPath {
  std::unique_ptr<SshCarrier> carrier;
  UniqueFd fd;  // blocking, for the handshake on a connector thread
};

/// Errors: kSystem (out of descriptors).
Result<JumpPath> make_jump_path(Loop& loop, std::unique_ptr<SshConnection> jump_host,
                                std::unique_ptr<Stream> channel);

}  // namespace hpc
