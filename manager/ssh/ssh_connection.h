#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/loop.h"
#include "common/stream.h"
#include "common/upstream_pool.h"

namespace hpc {

/// What a remote command printed. At most kExecOutputBytesMax of each; more is kTooLarge.
struct ExecOutput {
  std::string out;
  std::string err;
  int exit_status = -1;  // -1: the far end did not say (killed)
};
constexpr std::size_t kExecOutputBytesMax = std::size_t{10} * 1024 * 1024;
using ExecDone = std::function<void(Result<ExecOutput>)>;

/// One authenticated SSH connection, living on the loop: the only place, with ssh_channel and
/// ssh_exec, that calls libssh after authentication.
///
/// Owner: the login. Destroying it cuts the connection; streams made by it close with kSsh.
class SshConnection {
 public:
  using Closed = std::function<void(const Error&)>;
  virtual ~SshConnection() = default;

  /// Runs `command` in the user's login shell with `input` on its stdin. At most two at a time
  /// (MaxSessions counts them), the rest wait their turn. `done` in a later turn, once, unless the
  /// returned object is destroyed first (which closes the channel).
  virtual std::unique_ptr<Pending> exec(std::string command, std::string input,
                                        std::uint64_t timeout_ms, ExecDone done) = 0;

  /// Opens a direct-tcpip channel to host:port as the server resolves it. Errors: kForbidden
  /// (forwarding is off on the server), kRefused (connect failed there), kUnavailable (resources),
  /// kTimeout, kSsh.
  virtual std::unique_ptr<Pending> open_channel(const std::string& host, std::uint16_t port,
                                                std::uint64_t timeout_ms, ConnectDone done) = 0;

  /// Called once, in a later turn, when the connection is dead: closed by the server, reset, or
  /// silent for 3 keepalives of 15 s.
  virtual void on_closed(Closed closed) = 0;
};

}  // namespace hpc
