#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/loop.h"
#include "common/socket_stream.h"
#include "common/upstream_pool.h"

namespace hpc {

/// A connected Unix socket as a Stream. An abort is a plain close for the other end.
class UnixStream final : public SocketStream {
 public:
  UnixStream(Loop& loop, UvPtr<uv_pipe_t> connected);
};

constexpr std::size_t kUnixPathBytesMax = 107;  // sun_path less its NUL

using UnixConnectDone = std::function<void(Result<std::unique_ptr<UnixStream>>)>;

/// Opens a connection to the socket at `path`, which must be `uid`'s: the socket itself, its
/// directory (which nobody else may write to; neither may be a symbolic link; where the path leads
/// before that does not matter), and the process that listens, before the first byte is sent
/// (SO_PEERCRED). A full queue of connections is waited for, at most `timeout_ms`.
///
/// Calls `done` once, in a later turn, unless the returned object is destroyed first. Errors:
/// kRefused (nobody listens, nothing is there), kForbidden with the rule that is broken, kTimeout,
/// kNetwork. Looks at the file system, which may wait.
std::unique_ptr<Pending> connect_unix(Loop& loop, const std::string& path, std::uint32_t uid,
                                      std::uint64_t timeout_ms, UnixConnectDone done);

}  // namespace hpc
