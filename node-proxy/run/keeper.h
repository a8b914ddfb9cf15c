#pragma once
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/loop.h"
#include "common/result.h"
#include "common/unique_fd.h"
#include "common/upstream_pool.h"
#include "node-proxy/record_dir.h"

namespace hpc {

/// What the keeper needs to know ahead.
struct KeeperPlan {
  bool own_network = false;  // enters a network space (network_space.h) before COMMAND starts
  // What it removes after hpc-proxy was killed: RecordDir::remove_stale() of these.
  std::string state_dir;
  std::string host;
  std::string port_file;
  // A directory of ours with files of this run (the unpacked library); empty: none. The keeper
  // removes it with what is in it, always, as the last that ends.
  std::string run_dir;
};

/// hpc-proxy's end of the keeper: the process that is COMMAND's parent, inherits all that COMMAND
/// leaves behind (subreaper), and ends it when COMMAND has ended or hpc-proxy has died.
/// If both are killed at the same moment, COMMAND dies with them (PDEATHSIG, unless it is setuid);
/// what it has started is left to the job's end.
struct KeeperHandle {
  UniqueFd channel;  // SOCK_SEQPACKET; closed = hpc-proxy is gone
  pid_t pid = 0;
  std::string run_dir;  // of the plan: removed by KeeperLink if the keeper is killed
};

/// Forks the keeper; it waits for KeeperLink::start(). To be called while this process has one
/// thread, no loop and no secret: the keeper is a copy of it, and dumpable. It keeps standard
/// input, output and error, the process group and the terminal. kSystem when it cannot be made,
/// with the cause; with own_network also when the kernel refuses the network space (`where` and
/// `detail` are those of enter_network_space()).
///
/// COMMAND gets what this process has now: limits, signals that are ignored or blocked, and open
/// descriptors that are not closed on exec. So raise limits and ignore signals afterwards, and set
/// FD_CLOEXEC on what is not for COMMAND before. Changes this process: it becomes a subreaper,
/// SIGCHLD is neither ignored nor blocked, and where standard input, output or error is closed, it
/// is /dev/null.
Result<KeeperHandle> fork_keeper(const KeeperPlan& plan);

/// COMMAND as it is to be run: `words` are the program, looked for in PATH, and its arguments;
/// `environment` are settings "NAME=value" that it gets beside what hpc-proxy was started with.
struct KeeperCommand {
  std::vector<std::string> words;
  std::vector<std::string> environment;
};

/// A socket to be made inside the network space.
struct SocketWish {
  int family = 0;
  int type = 0;
  int protocol = 0;
};

/// The keeper, on the loop. Destroying it closes the channel, whereupon the keeper ends everything.
///
/// It takes these signals of this process for itself, from its construction to its destruction:
/// HUP INT QUIT TERM USR2 TSTP TTIN TTOU. Nobody else may handle them meanwhile (uv_signal,
/// sigaction): they are blocked and read from a signalfd, which says who sent them. What another
/// process sent is passed on to COMMAND, also when it was sent to the keeper; what the terminal
/// sent (Ctrl-C, Ctrl-\, Ctrl-Z) has reached COMMAND by itself. So hpc-proxy ends when COMMAND
/// does, and a COMMAND that ignores SIGTERM goes on. A signal to a whole job or process group
/// reaches COMMAND directly as well, so it may see it twice. What COMMAND sends to the whole
/// process group does not come back to it. Before start() they wait for COMMAND. USR1 is not
/// touched and not passed on.
///
/// When COMMAND is stopped and there is a controlling terminal, this process stops, too (inside a
/// callback of the loop), until it is continued; so a shell gets its terminal back.
class KeeperLink {
 public:
  class Listener {
   public:
    /// COMMAND has ended, and all that it left behind. `exit_code`: its own; 128 + N when signal N
    /// ended it; 126 or 127 when it could not be run. Last callback, exactly once; also when the
    /// keeper itself was killed (137), after everything it held was ended. The link must not be
    /// destroyed from inside.
    virtual void on_command_ended(int exit_code) noexcept = 0;

   protected:
    ~Listener() = default;
  };
  /// References must outlive it.
  KeeperLink(Loop& loop, KeeperHandle handle, Listener& listener);
  ~KeeperLink();
  KeeperLink(const KeeperLink&) = delete;
  KeeperLink& operator=(const KeeperLink&) = delete;

  /// Once. kTooLarge when the words and the environment are longer than 160 KiB, kBadRequest when
  /// there is no program, kSystem when the keeper does not take it.
  Status start(const KeeperCommand& command);
  /// Passes a signal on to COMMAND; nothing when it has ended.
  void signal(int number);
  /// Ends COMMAND and all that it has started: SIGTERM, and SIGKILL to what is there after
  /// `grace_ms`. on_command_ended() follows. What outlives COMMAND itself has at most 2 s more.
  void end(std::uint64_t grace_ms);

  using SocketDone = std::function<void(Result<UniqueFd>)>;
  /// Asks for a socket of the network space, non-blocking and closed on exec. `done` comes in a
  /// later turn, unless the returned object is destroyed before. kSystem: the keeper cannot, or is
  /// gone.
  std::unique_ptr<Pending> ask_socket(const SocketWish& wish, SocketDone done);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hpc
