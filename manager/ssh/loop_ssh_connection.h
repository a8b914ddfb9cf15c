#pragma once
#include <memory>

#include "manager/ssh/ssh_connection.h"
#include "manager/ssh/ssh_link.h"

namespace hpc {

/// What carries a connection that does not run over a TCP socket of its own: the connection to the
/// jump host and the relay on it. Kept as long as the connection above it.
class SshCarrier {
 public:
  virtual ~SshCarrier() = default;
};

/// Puts an authenticated session on the loop. Errors: kSystem.
Result<std::unique_ptr<SshConnection>> make_ssh_connection(Loop& loop, SshSessionPtr session,
                                                           std::unique_ptr<SshCarrier> carrier,
                                                           SshLinkOptions options = {});

}  // namespace hpc
