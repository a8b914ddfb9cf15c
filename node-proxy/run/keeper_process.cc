#include "node-proxy/run/keeper_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "common/unique_fd.h"
#include "node-proxy/open_dir.h"
#include "node-proxy/process.h"
#include "node-proxy/run/packet_socket.h"
#include "node-proxy/run/run_dir.h"
#include "node-proxy/run/terminal.h"

namespace hpc {

namespace {

// As a shell shows it: a COMMAND that was ended before it began.
constexpr int kEndedBySigterm = 128 + SIGTERM;
constexpr int kNotExecutable = 126;

/// The descriptors of this process from 3 on.
std::vector<int> open_descriptors() {
  std::vector<int> all;
  const OpenDir dir(opendir("/proc/self/fd"));
  while (const dirent* entry = dir ? readdir(dir.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    int fd = -1;
    const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), fd);
    if (failed == std::errc{} && fd > STDERR_FILENO && fd != dirfd(dir.get())) all.push_back(fd);
  }
  return all;
}

}  // namespace

KeeperProcess::KeeperProcess(const KeeperPlan& plan, UniqueFd channel, pid_t proxy,
                             const SignalSettings& settings)
    : plan_(plan), channel_(std::move(channel)), proxy_(proxy), settings_(settings) {}

void KeeperProcess::set_up() {
  prctl(PR_SET_NAME, "hpc-keeper");
  // Entering a user namespace may have changed both.
  prctl(PR_SET_DUMPABLE, 1);
  prctl(PR_SET_PDEATHSIG, kProxyGoneSignal);
  signal(SIGCHLD, SIG_DFL);  // ignored, the kernel would keep no exit code for us
  sigset_t watched;
  sigemptyset(&watched);
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU,
                           SIGCONT, SIGCHLD, kProxyGoneSignal}) {
    sigaddset(&watched, number);
  }
  signals_ = UniqueFd(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  take_inherited_descriptors();
}

/// What the caller gave is for COMMAND, as if hpc-proxy were not there. What is closed on exec is
/// hpc-proxy's own: --ready-fd would stay open for as long as we live.
void KeeperProcess::take_inherited_descriptors() {
  for (const int fd : open_descriptors()) {
    if (fd == channel_.get() || fd == signals_.get()) continue;
    if ((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0) {
      close(fd);
    } else {
      inherited_.push_back(fd);
    }
  }
}

void KeeperProcess::run() {
  set_up();
  tell(ReadyMessage{});
  if (getppid() != proxy_) proxy_gone();
  while (!ending_ || have_children_) {
    const std::uint64_t now = monotonic_ms();
    if (ending_ && ending_->gave_up(now)) {
      say_what_is_left();
      break;
    }
    const int wait_ms = ending_ ? static_cast<int>(ending_->step(now)) : -1;
    pollfd waits[] = {{signals_.get(), POLLIN, 0}, {channel_.get(), POLLIN, 0}};
    if (poll(waits, std::size(waits), wait_ms) < 0 && errno != EINTR) break;
    if (waits[0].revents != 0) read_signals();
    if (channel_.get() >= 0 && waits[1].revents != 0) read_channel();
    reap();
  }
  clean_up();
}

void KeeperProcess::read_signals() {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    const int number = static_cast<int>(info.ssi_signo);
    // The terminal's go to the whole process group, so COMMAND has them. A hang-up alone may go to
    // the first process of the session only.
    const bool of_terminal = info.ssi_code > 0 && number != SIGHUP;
    if (number == kProxyGoneSignal) {
      if (getppid() != proxy_) proxy_gone();
    } else if (number == SIGCONT) {
      go_on(stops_);
    } else if (number != SIGCHLD && !(of_terminal && command_lives_)) {
      pass_on(number, static_cast<pid_t>(info.ssi_pid), DoubledSignals::Way::kKeeper);
    }
  }
}

void KeeperProcess::read_channel() {
  while (channel_.get() >= 0) {
    auto packet = receive_packet(channel_.get(), kKeeperPacketBytesMax, false);
    if (packet && !*packet) return;
    if (!packet || (*packet)->fd.get() >= 0) return proxy_gone();
    const auto message = decode_to_keeper((*packet)->bytes);
    // Whoever writes such things is not hpc-proxy any more.
    if (!message) return proxy_gone();
    std::visit([this](const auto& known) { on(known); }, *message);
  }
}

void KeeperProcess::on(const StartMessage& message) {
  if (command_ != 0 || ending_) return;
  const auto started = start_command(message.command, settings_);
  for (const int fd : std::exchange(inherited_, {})) close(fd);
  if (!started) {
    std::fprintf(stderr, "hpc-proxy: %s cannot be started: %s\n",
                 message.command.words.front().c_str(), started.error().detail.c_str());
    exit_code_ = kNotExecutable;
    return begin_end(0);
  }
  command_ = *started;
  command_lives_ = have_children_ = true;
  for (const int number : std::exchange(early_, {})) kill(command_, number);
}

void KeeperProcess::on(const SignalMessage& message) {
  read_signals();  // so that the same one, sent to both of us, is known
  pass_on(message.number, message.sender, DoubledSignals::Way::kProxy);
}

void KeeperProcess::on(const EndMessage& message) {
  if (command_ == 0) exit_code_ = kEndedBySigterm;
  begin_end(message.grace_ms);
}

void KeeperProcess::on(const ContinueMessage& message) { go_on(message.stop); }

void KeeperProcess::on(const WishMessage& message) {
  const SocketWish& wish = message.wish;
  const UniqueFd made(socket(wish.family, wish.type | SOCK_NONBLOCK | SOCK_CLOEXEC, wish.protocol));
  tell(SocketMessage{message.id, made.get() < 0 ? errno : 0}, made.get());
}

void KeeperProcess::pass_on(int number, pid_t sender, DoubledSignals::Way way) {
  if (command_ == 0) {
    early_.insert(number);
    return;
  }
  if (!command_lives_ || !doubled_.is_first(number, way, monotonic_ms())) return;
  // One that COMMAND sends to its whole process group must not come back to it.
  if (sender != command_ || way == DoubledSignals::Way::kProxy) kill(command_, number);
}

void KeeperProcess::proxy_gone() {
  channel_ = UniqueFd();
  begin_end(kLeftBehindMs);
}

void KeeperProcess::begin_end(std::uint64_t grace_ms) {
  const std::uint64_t deadline_ms = monotonic_ms() + grace_ms;
  if (ending_) return ending_->hasten(deadline_ms);
  ending_.emplace(deadline_ms);
}

void KeeperProcess::reap() {
  while (true) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED);
    if (pid < 0 && errno == EINTR) continue;
    have_children_ = pid >= 0;
    if (pid <= 0) return;
    if (pid != command_ || !command_lives_) continue;
    if (WIFSTOPPED(status)) {
      on_stopped();
    } else if (WIFCONTINUED(status)) {
      stopped_ = false;
    } else {
      command_lives_ = false;
      exit_code_ = exit_code_of(status);
      begin_end(kLeftBehindMs);
    }
  }
}

/// A shell with job control waits for hpc-proxy, which is its child, and takes its terminal back
/// when that stops. Without a terminal there is no such shell, and nobody would let it go on.
void KeeperProcess::on_stopped() {
  const ControllingTerminal terminal;
  if (!terminal.exists() || ending_) return;
  const pid_t group = getpgid(command_);
  had_terminal_ = group != getpgrp() && terminal.foreground() == group;
  stopped_ = true;
  tell(StoppedMessage{command_, ++stops_});
}

/// `fg` and `bg` let our process group go on. COMMAND may be in one of its own, and then it gets
/// back the terminal too, if it had it. We may be slow: a COMMAND that goes on already, and was
/// stopped again, stays so.
void KeeperProcess::go_on(std::uint32_t stop) {
  reap();
  if (!stopped_ || !command_lives_ || stop != stops_) return;
  const pid_t group = getpgid(command_);
  if (group <= 0) return;
  const bool own_group = group != getpgrp();
  const ControllingTerminal terminal;
  if (own_group && had_terminal_ && terminal.foreground() == getpgrp()) terminal.hand_to(group);
  kill(own_group ? -group : command_, SIGCONT);
}

void KeeperProcess::say_what_is_left() const {
  for (const pid_t pid : DescendantsEnd::left()) {
    std::fprintf(stderr, "hpc-proxy: process %d cannot be ended; it is left behind\n", pid);
  }
}

void KeeperProcess::clean_up() {
  remove_run_dir(plan_.run_dir);
  if (channel_.get() >= 0) {
    tell(EndedMessage{exit_code_});
    if (stopped_) kill(proxy_, SIGCONT);  // else it would not learn it
    return;
  }
  for (int i = 0; i < kGoneWaitsMax && getppid() == proxy_; ++i) poll(nullptr, 0, kGoneWaitMs);
  for (int i = 0; i < kGoneWaitsMax && process_start_ms(proxy_); ++i) {
    poll(nullptr, 0, kGoneWaitMs);
  }
  if (plan_.state_dir.empty()) return;
  if (const auto records = RecordDir::open_existing(plan_.state_dir)) {
    records->remove_stale(plan_.host, plan_.port_file);
  }
}

void KeeperProcess::tell(const FromKeeper& message, int fd) {
  if (channel_.get() >= 0) send_packet(channel_.get(), encode(message), fd, true);
}

}  // namespace hpc
