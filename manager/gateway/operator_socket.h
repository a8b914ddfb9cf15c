#pragma once
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "common/loop.h"
#include "common/unique_fd.h"
#include "common/unix_stream.h"
#include "common/uv_handle.h"

namespace hpc {

/// May a process of `peer` give orders to a manager of `own`? The same user and root; the overflow
/// uid stands for users that have no number here, so it is nobody's.
bool may_operate(uid_t peer, uid_t own);

/// The Unix socket over which operators reach a running `serve` (contract 2): whoever gets a stream
/// from here has proved to the kernel who he is, and no login follows.
///
/// Owner: whoever serves; destroying it removes the socket while that is still ours. `loop` must
/// outlive it. Beside the socket stays `PATH.lock`, whose lock the kernel takes back when a manager
/// dies in whatever way: it tells a stale socket from one in use, also for two that start at once.
class OperatorSocket {
 public:
  /// A connection of a process that may_operate(). Not called from inside listen().
  using Accepted = std::function<void(std::unique_ptr<UnixStream>)>;

  /// Listens at `path`, which is absolute and has at most kUnixPathBytesMax bytes. The socket has
  /// mode 0600 from its first moment. Its directory is made (0700) if it is missing; else it must
  /// be ours, no symbolic link, and nobody else may write there. What a dead manager left at `path`
  /// is replaced.
  ///
  /// kConfig: the path, or what is there, cannot be used, with the rule that is broken. kConflict:
  /// another program listens there. kSystem with the cause. On failure nothing of ours is left
  /// but the directory and the lock file.
  static Result<std::unique_ptr<OperatorSocket>> listen(Loop& loop, const std::string& path,
                                                        Accepted accepted);
  ~OperatorSocket();
  OperatorSocket(const OperatorSocket&) = delete;
  OperatorSocket& operator=(const OperatorSocket&) = delete;

 private:
  OperatorSocket(Loop& loop, std::string name, Accepted accepted);
  Status bind_and_listen(const std::string& path);
  void on_connection(int status) noexcept;

  Loop& loop_;
  std::string name_;  // within directory_
  Accepted accepted_;
  UniqueFd directory_;
  UniqueFd lock_;
  UvPtr<uv_pipe_t> handle_;
  dev_t device_ = 0;  // which file the socket is; 0 and 0: none yet
  ino_t inode_ = 0;
};

}  // namespace hpc
