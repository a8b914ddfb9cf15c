#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include "common/timer.h"
#include "common/unique_fd.h"
#include "node-proxy/process.h"
#include "node-proxy/run/descendants.h"
#include "node-proxy/run/keeper.h"
#include "node-proxy/run/keeper_message.h"
#include "node-proxy/run/keeper_process.h"
#include "node-proxy/run/packet_socket.h"
#include "node-proxy/run/run_dir.h"
#include "node-proxy/run/sent_signals.h"

namespace hpc {

namespace {

// Sockets that were asked for and are not there yet; each takes the keeper microseconds.
constexpr std::size_t kWishesMax = 1024;
// How often to ask for ended processes when the keeper is gone.
constexpr std::uint64_t kReapMs = 10;
constexpr int kKeeperKilled = 128 + SIGKILL;

using Wishes = std::unordered_map<std::uint32_t, KeeperLink::SocketDone>;

class PendingWish final : public Pending {
 public:
  PendingWish(const std::shared_ptr<Wishes>& wishes, std::uint32_t id) : wishes_(wishes), id_(id) {}
  ~PendingWish() override {
    if (const auto wishes = wishes_.lock()) wishes->erase(id_);
  }
  PendingWish(const PendingWish&) = delete;
  PendingWish& operator=(const PendingWish&) = delete;

 private:
  std::weak_ptr<Wishes> wishes_;
  std::uint32_t id_;
};

void answer(Wishes& wishes, std::uint32_t id, Result<UniqueFd> result) {
  const auto found = wishes.find(id);
  if (found == wishes.end()) return;  // nobody waits any more
  const auto done = std::move(found->second);
  wishes.erase(found);
  done(std::move(result));
}

/// Takes the exit codes of all children that have ended; false when there is no child left. Not
/// waitpid(-1): a child of libuv's is libuv's as long as it can be.
bool reap_children() {
  siginfo_t info{};
  while (true) {
    info.si_pid = 0;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno != EINTR) return false;
    if (info.si_pid == 0) return true;
    waitpid(info.si_pid, nullptr, WNOHANG);
  }
}

/// Stops this process as the terminal's Ctrl-Z would, unless COMMAND goes on already: the word of
/// its stop may have come while we were stopped ourselves. Returns when we go on, and whether
/// COMMAND should. The kernel does not stop us where no shell could let us go on (an orphaned
/// process group); then it must go on, too. A caller that wants no stops gets none.
bool stop_with(pid_t command) {
  const auto stat = read_process_stat("/proc", command);
  struct sigaction on_stop {};
  sigaction(SIGTSTP, nullptr, &on_stop);
  if (!stat || stat->state != 'T' || on_stop.sa_handler == SIG_IGN) return false;
  sigset_t stop;
  sigset_t before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  raise(SIGTSTP);
  sigprocmask(SIG_UNBLOCK, &stop, &before);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return true;
}

}  // namespace

class KeeperLink::Impl {
 public:
  Impl(Loop& loop, KeeperHandle handle, Listener& listener);

  Status start(const KeeperCommand& command);
  void send(const ToKeeper& message);
  std::unique_ptr<Pending> ask_socket(const SocketWish& wish, SocketDone done);

 private:
  void on_signal(const SentSignals::Signal& signal);
  void on_channel(int events);
  void read_channel();
  void flush();
  void watch();
  void take(Packet packet);
  void keeper_gone();
  void end_orphans();
  void finish(int exit_code);

  Loop& loop_;
  KeeperHandle handle_;
  Listener& listener_;
  UvPtr<uv_poll_t> poll_;
  std::deque<std::string> queue_;                                // what the socket had no room for
  std::shared_ptr<Wishes> wishes_ = std::make_shared<Wishes>();  // weakly owned by each PendingWish
  std::uint32_t last_id_ = 0;
  bool started_ = false;
  std::optional<int> ended_;
  std::optional<DescendantsEnd> ending_;  // the keeper is gone, its task is ours
  Timer timer_;
  SentSignals signals_;
};

KeeperLink::Impl::Impl(Loop& loop, KeeperHandle handle, Listener& listener)
    : loop_(loop),
      handle_(std::move(handle)),
      listener_(listener),
      timer_(loop, [this] { end_orphans(); }),
      signals_(loop, {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU},
               [this](const SentSignals::Signal& signal) { on_signal(signal); }) {
  auto raw = std::make_unique<uv_poll_t>();
  if (uv_poll_init(loop.uv(), raw.get(), handle_.channel.get()) != 0) return;
  poll_.reset(raw.release());
  poll_->data = this;
  watch();
}

void KeeperLink::Impl::watch() {
  if (!poll_) return;
  const int events = UV_READABLE | (queue_.empty() ? 0 : UV_WRITABLE);
  uv_poll_start(poll_.get(), events, [](uv_poll_t* handle, int status, int happened) {
    // A socket whose other end is gone may be reported as an error: reading says it again.
    static_cast<Impl*>(handle->data)->on_channel(status < 0 ? UV_READABLE : happened);
  });
}

void KeeperLink::Impl::on_channel(int events) {
  if ((events & UV_WRITABLE) != 0) flush();
  if ((events & UV_READABLE) != 0) read_channel();
}

Status KeeperLink::Impl::start(const KeeperCommand& command) {
  auto packet = encode(ToKeeper(StartMessage{command}));
  if (!packet) return tl::unexpected<Error>(packet.error());
  started_ = true;
  if (queue_.empty() && send_packet(handle_.channel.get(), *packet, -1, false)) return {};
  if (queue_.empty() && errno != EAGAIN) {
    const std::string cause = errno == EMSGSIZE ? "its arguments are too long for a socket here "
                                                  "(net.core.wmem_max); put them into a script"
                                                : std::strerror(errno);
    return fail(Errc::kSystem, "COMMAND", cause);
  }
  queue_.push_back(std::move(*packet));
  watch();
  return {};
}

void KeeperLink::Impl::send(const ToKeeper& message) {
  auto packet = encode(message);
  if (!packet || !poll_) return;
  queue_.push_back(std::move(*packet));
  flush();
}

void KeeperLink::Impl::flush() {
  while (!queue_.empty()) {
    if (!send_packet(handle_.channel.get(), queue_.front(), -1, false)) {
      if (errno != EAGAIN) queue_.clear();  // reading will say that the keeper is gone
      break;
    }
    queue_.pop_front();
  }
  watch();
}

std::unique_ptr<Pending> KeeperLink::Impl::ask_socket(const SocketWish& wish, SocketDone done) {
  while (wishes_->contains(++last_id_)) {
  }
  const std::uint32_t id = last_id_;
  const bool full = wishes_->size() >= kWishesMax;
  wishes_->emplace(id, std::move(done));
  auto pending = std::make_unique<PendingWish>(wishes_, id);
  if (poll_ && !full) {
    send(WishMessage{id, wish});
    return pending;
  }
  loop_.post([wishes = std::weak_ptr<Wishes>(wishes_), id, full] {
    const auto held = wishes.lock();
    if (!held) return;
    answer(*held, id,
           full ? fail(Errc::kUnavailable, "keeper", "was asked for too many sockets at once")
                : fail(Errc::kSystem, "keeper", "is gone"));
  });
  return pending;
}

void KeeperLink::Impl::on_signal(const SentSignals::Signal& signal) {
  // The terminal's have reached COMMAND. A hang-up may have come to us alone.
  const bool reached = signal.by_kernel && signal.number != SIGHUP && started_;
  if (!reached) send(SignalMessage{signal.number, signal.sender});
}

void KeeperLink::Impl::read_channel() {
  while (poll_ && !ending_) {
    auto packet = receive_packet(handle_.channel.get(), kFromKeeperBytesMax, false);
    if (packet && !*packet) return;
    if (!packet) return keeper_gone();
    take(std::move(**packet));
  }
}

void KeeperLink::Impl::take(Packet packet) {
  const auto message = decode_from_keeper(packet.bytes);
  if (const auto* stopped = message ? std::get_if<StoppedMessage>(&*message) : nullptr) {
    // A shell's `fg` goes to all of us; whoever continues this process alone means COMMAND.
    if (stop_with(stopped->pid)) send(ContinueMessage{stopped->stop});
    return;
  }
  if (const auto* ended = message ? std::get_if<EndedMessage>(&*message) : nullptr) {
    ended_ = ended->exit_code;  // and it closes the channel
    return;
  }
  const auto* made = message ? std::get_if<SocketMessage>(&*message) : nullptr;
  if (made == nullptr || (made->error == 0) != (packet.fd.get() >= 0)) {
    kill(handle_.pid, SIGKILL);  // not our keeper any more
    return;
  }
  if (made->error != 0) {
    return answer(*wishes_, made->id, fail(Errc::kSystem, "socket", std::strerror(made->error)));
  }
  answer(*wishes_, made->id, std::move(packet.fd));
}

void KeeperLink::Impl::keeper_gone() {
  uv_poll_stop(poll_.get());
  poll_.reset();
  // It held the other end until it ended, so this takes no time.
  while (waitpid(handle_.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  for (const auto wishes = wishes_; !wishes->empty();) {
    answer(*wishes, wishes->begin()->first, fail(Errc::kSystem, "keeper", "is gone"));
  }
  if (ended_) return finish(*ended_);
  ending_.emplace(loop_.now_ms() + KeeperProcess::kLeftBehindMs);
  end_orphans();
}

void KeeperLink::Impl::end_orphans() {
  const bool left = reap_children();
  if (left && !ending_->gave_up(loop_.now_ms())) {
    ending_->step(loop_.now_ms());
    return timer_.start(kReapMs);
  }
  remove_run_dir(handle_.run_dir);
  finish(kKeeperKilled);
}

void KeeperLink::Impl::finish(int exit_code) { listener_.on_command_ended(exit_code); }

KeeperLink::KeeperLink(Loop& loop, KeeperHandle handle, Listener& listener)
    : impl_(std::make_unique<Impl>(loop, std::move(handle), listener)) {}
KeeperLink::~KeeperLink() = default;

Status KeeperLink::start(const KeeperCommand& command) { return impl_->start(command); }
void KeeperLink::signal(int number) { impl_->send(SignalMessage{number, 0}); }
void KeeperLink::end(std::uint64_t grace_ms) { impl_->send(EndMessage{grace_ms}); }
std::unique_ptr<Pending> KeeperLink::ask_socket(const SocketWish& wish, SocketDone done) {
  return impl_->ask_socket(wish, std::move(done));
}

}  // namespace hpc
