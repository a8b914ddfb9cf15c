#include "node-proxy/run/keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/unique_fd.h"
#include "node-proxy/run/keeper_message.h"
#include "node-proxy/run/keeper_process.h"
#include "node-proxy/run/network_space.h"
#include "node-proxy/run/packet_socket.h"

namespace hpc {

namespace {

/// A socket that got the number of standard error would be written to. COMMAND gets /dev/null too.
void fill_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);  // the lowest that is free
  }
}

[[noreturn]] void be_keeper(const KeeperPlan& plan, UniqueFd channel, pid_t proxy,
                            const SignalSettings& settings) {
  if (plan.own_network) {
    if (const auto entered = enter_network_space(); !entered) {
      const auto& error = entered.error();
      send_packet(channel.get(), encode(FromKeeper(ReadyMessage{error.where, error.detail})), -1,
                  true);
      _exit(1);
    }
  }
  KeeperProcess keeper(plan, std::move(channel), proxy, settings);
  keeper.run();
  _exit(0);
}

Status wait_until_ready(int channel) {
  const auto packet = receive_packet(channel, kFromKeeperBytesMax, true);
  if (!packet || !*packet) return fail(Errc::kSystem, "keeper", "ended before it was ready");
  const auto message = decode_from_keeper((*packet)->bytes);
  const auto* ready = message ? std::get_if<ReadyMessage>(&*message) : nullptr;
  if (ready == nullptr) return fail(Errc::kSystem, "keeper", "does not answer as it should");
  if (!ready->where.empty()) return fail(Errc::kSystem, ready->where, ready->detail);
  return {};
}

/// SIGCHLD as libuv and waitpid() need it, whatever the caller left us.
void want_child_signals(const sigset_t& blocked) {
  signal(SIGCHLD, SIG_DFL);
  sigset_t ours = blocked;
  sigdelset(&ours, SIGCHLD);
  sigprocmask(SIG_SETMASK, &ours, nullptr);
}

}  // namespace

Result<KeeperHandle> fork_keeper(const KeeperPlan& plan) {
  fill_standard_descriptors();
  // We inherit, and end, what COMMAND left behind if the keeper itself is killed.
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    return fail(Errc::kSystem, "subreaper", std::strerror(errno));
  }
  auto ends = packet_socket_pair(kKeeperPacketBytesMax);
  if (!ends) return tl::unexpected<Error>(ends.error());
  SignalSettings settings;
  sigaction(SIGCHLD, nullptr, &settings.on_child);
  sigset_t all;
  sigfillset(&all);
  // The keeper must not have one moment in which the terminal could end it.
  sigprocmask(SIG_SETMASK, &all, &settings.blocked);
  const pid_t proxy = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    ends->first = UniqueFd();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    be_keeper(plan, std::move(ends->second), proxy, settings);
  }
  const int error = errno;
  want_child_signals(settings.blocked);
  if (pid < 0) return fail(Errc::kSystem, "fork", std::strerror(error));
  ends->second = UniqueFd();
  if (const auto ready = wait_until_ready(ends->first.get()); !ready) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return tl::unexpected<Error>(ready.error());
  }
  return KeeperHandle{std::move(ends->first), pid, plan.run_dir};
}

}  // namespace hpc
