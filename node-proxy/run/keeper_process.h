#pragma once
#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "common/unique_fd.h"
#include "node-proxy/run/descendants.h"
#include "node-proxy/run/doubled_signals.h"
#include "node-proxy/run/keeper.h"
#include "node-proxy/run/keeper_message.h"
#include "node-proxy/run/start_command.h"

namespace hpc {

/// What the keeper does from its fork to its end: starts COMMAND, passes signals on, notices that
/// it stopped or ended or that hpc-proxy is gone, ends all that is left, cleans up. It waits in one
/// poll(); all its signals are blocked and read from a descriptor, so nothing of a terminal or a
/// careless kill ends it but SIGKILL.
class KeeperProcess {
 public:
  // What COMMAND left behind, and everything once hpc-proxy has died, has so long after SIGTERM.
  static constexpr std::uint64_t kLeftBehindMs = 2000;
  // hpc-proxy closes the channel while it dies; its record is stale only when it is dead.
  static constexpr int kGoneWaitsMax = 100;
  static constexpr int kGoneWaitMs = 10;
  // Told by the kernel that hpc-proxy is gone; no other use of it is known.
  static constexpr int kProxyGoneSignal = SIGPWR;

  /// `settings`: as hpc-proxy got them. All signals must be blocked. Both references are kept.
  KeeperProcess(const KeeperPlan& plan, UniqueFd channel, pid_t proxy,
                const SignalSettings& settings);
  /// Until everything is ended.
  void run();

 private:
  void set_up();
  void take_inherited_descriptors();
  void read_signals();
  void read_channel();
  void on(const StartMessage& message);
  void on(const SignalMessage& message);
  void on(const EndMessage& message);
  void on(const ContinueMessage& message);
  void on(const WishMessage& message);
  void pass_on(int number, pid_t sender, DoubledSignals::Way way);
  void proxy_gone();
  void begin_end(std::uint64_t grace_ms);
  void reap();
  void on_stopped();
  void go_on(std::uint32_t stop);
  void clean_up();
  void say_what_is_left() const;
  void tell(const FromKeeper& message, int fd = -1);

  const KeeperPlan& plan_;
  UniqueFd channel_;
  const pid_t proxy_;
  const SignalSettings& settings_;
  UniqueFd signals_;
  std::vector<int> inherited_;  // the caller's descriptors, for COMMAND
  pid_t command_ = 0;           // 0: not started; its id is valid while command_lives_
  bool command_lives_ = false;
  bool have_children_ = false;
  int exit_code_ = 0;
  std::set<int> early_;  // signals that came before COMMAND
  DoubledSignals doubled_;
  // COMMAND is stopped, and hpc-proxy was told so.
  bool stopped_ = false;
  std::uint32_t stops_ = 0;    // how often that was so
  bool had_terminal_ = false;  // in a process group of its own
  std::optional<DescendantsEnd> ending_;
};

}  // namespace hpc
