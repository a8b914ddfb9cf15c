#include "manager/ssh/ssh_connector.h"

#include <utility>
#include <vector>

#include "common/loop_mailbox.h"
#include "manager/ssh/jump_carrier.h"
#include "manager/ssh/loop_ssh_connection.h"
#include "manager/ssh/ssh_attempt.h"
#include "manager/ssh/ssh_handshake.h"
#include "manager/ssh/ssh_pending.h"
#include "manager/ssh/worker_pool.h"

namespace hpc {
namespace {

/// What the operations of one connector share.
///
/// Owners: the connector and its operations, which may outlive it by a turn.
struct ConnectorState {
  ConnectorState(Loop& on_loop, SshConnectorOptions with)
      : loop(on_loop),
        options(std::move(with)),
        mailbox(std::make_shared<LoopMailbox>(loop)),
        pool(std::make_unique<WorkerPool>(options.connects_per_host_max)) {}

  Loop& loop;
  SshConnectorOptions options;
  std::shared_ptr<LoopMailbox> mailbox;  // the other owners: the jobs
  bool closed = false;
  bool no_program_said = false;
  int jobs = 0;
  std::unique_ptr<WorkerPool> pool;
};

/// One connect: the plan, then one handshake per host on the way. Lives on the loop; what blocks is
/// a job on a thread, one at a time.
class ConnectOperation final : public std::enable_shared_from_this<ConnectOperation> {
 public:
  ConnectOperation(std::shared_ptr<ConnectorState> state, SshTarget target,
                   std::shared_ptr<SshPrompter> prompter, SshConnectDone done)
      : state_(std::move(state)),
        target_(std::move(target)),
        prompter_(std::move(prompter)),
        done_(std::move(done)),
        attempt_(std::make_shared<SshAttempt>()),
        check_timer_(state_->loop, [this] {
          attempt_->check();
          check_timer_.start(SshAttempt::kCheckMs);
        }) {}

  void start() {
    check_timer_.start(SshAttempt::kCheckMs);
    struct Plan {
      Result<std::vector<SshHop>> hops = fail(Errc::kSsh, "ssh.connect", "not planned");
      bool no_program = false;
    };
    auto plan = std::make_shared<Plan>();  // written on the thread, read on the loop afterwards
    run_job(
        "ssh -G",
        [plan, attempt = attempt_, target = target_, program = state_->options.ssh_program] {
          plan->hops = plan_ssh_route(target, program, *attempt, plan->no_program);
        },
        [this, plan] { planned(std::move(plan->hops), plan->no_program); });
  }

  void cancel() {
    if (!done_) return;
    done_ = nullptr;
    attempt_->cancel();
    if (attempt_->asking()) prompter_->cancel();
    stop();
  }

  Loop& loop() { return state_->loop; }

 private:
  /// `work` on a thread, then `after` here unless the operation was cancelled in between.
  void run_job(const std::string& key, std::function<void()> work, std::function<void()> after) {
    ++jobs_;
    if (state_->jobs++ == 0) state_->mailbox->keep_loop(true);
    state_->pool->submit(key, [self = shared_from_this(), mailbox = state_->mailbox,
                               work = std::move(work), after = std::move(after)]() mutable {
      work();
      work = nullptr;
      mailbox->send([self = std::move(self), after = std::move(after)] {
        --self->jobs_;
        if (--self->state_->jobs == 0) self->state_->mailbox->keep_loop(false);
        if (self->done_) after();
      });
    });
  }

  void planned(Result<std::vector<SshHop>> hops, bool no_program) {
    if (!hops) return finish(tl::unexpected(hops.error()));
    if (no_program && !std::exchange(state_->no_program_said, true) && state_->options.notice) {
      state_->options.notice(
          "no `ssh` program is installed: ~/.ssh/config is not read, OpenSSH's defaults are used");
    }
    hops_ = std::move(*hops);
    handshake(UniqueFd());
  }

  void handshake(UniqueFd fd) {
    struct Job {
      UniqueFd fd;
      Result<SshSessionPtr> session = fail(Errc::kSsh, "ssh.connect", "not connected");
    };
    auto job = std::make_shared<Job>();  // used by one thread at a time
    job->fd = std::move(fd);
    const SshHop& hop = hops_[next_hop_];
    const auto key = hop.config.hostname + ":" + std::to_string(hop.config.port);
    run_job(
        key,
        [job, attempt = attempt_, hop, options = state_->options, prompter = prompter_] {
          AttemptPrompter asking(*prompter, *attempt);
          job->session = open_ssh_session(hop, std::move(job->fd), asking, *attempt, options);
        },
        [this, job] { connected(std::move(job->session)); });
  }

  void connected(Result<SshSessionPtr> session) {
    if (!session) return finish(tl::unexpected(name_hop(session.error())));
    SshLinkOptions options;
    options.keepalive_ms = state_->options.keepalive_ms;
    auto connection =
        make_ssh_connection(state_->loop, std::move(*session), std::move(carrier_), options);
    if (!connection || ++next_hop_ == hops_.size()) return finish(std::move(connection));
    jump(std::move(*connection));
  }

  // The connection to a jump host carries the next one.
  void jump(std::unique_ptr<SshConnection> jump_host) {
    const auto& next = hops_[next_hop_].config;
    jump_host_ = std::move(jump_host);
    channel_ = jump_host_->open_channel(
        next.hostname, next.port, state_->options.connect_timeout_ms,
        [this](Result<std::unique_ptr<Stream>> channel) { jumped(std::move(channel)); });
  }

  void jumped(Result<std::unique_ptr<Stream>> channel) {
    if (!channel) {
      const auto& hop = hops_[next_hop_ - 1].config;
      Error why = channel.error();
      why.detail = "over the jump host " + hop.hostname + ": " + why.detail;
      if (why.code == Errc::kRefused) why.code = Errc::kNetwork;
      return finish(tl::unexpected(why));
    }
    auto path = make_jump_path(state_->loop, std::move(jump_host_), std::move(*channel));
    if (!path) return finish(tl::unexpected(path.error()));
    carrier_ = std::move(path->carrier);
    handshake(std::move(path->fd));
  }

  Error name_hop(Error why) const {
    if (next_hop_ + 1 < hops_.size()) {
      why.detail = "jump host " + hops_[next_hop_].config.hostname + ": " + why.detail;
    }
    return why;
  }

  void finish(Result<std::unique_ptr<SshConnection>> result) {
    const auto done = std::exchange(done_, nullptr);
    stop();
    if (done) done(std::move(result));
  }

  // In a later turn, because this may run inside a callback of what it frees.
  void stop() {
    check_timer_.stop();
    if (!carrier_ && !jump_host_ && !channel_) return;
    struct Leftovers {
      std::unique_ptr<SshCarrier> carrier;
      std::unique_ptr<SshConnection> jump_host;
      std::unique_ptr<Pending> channel;
    };
    auto left = std::make_unique<Leftovers>();
    *left = {std::move(carrier_), std::move(jump_host_), std::move(channel_)};
    state_->loop.defer_delete(std::move(left));
  }

  std::shared_ptr<ConnectorState> state_;
  SshTarget target_;
  std::shared_ptr<SshPrompter> prompter_;  // the other owners: the job on its thread, the asker
  SshConnectDone done_;
  std::shared_ptr<SshAttempt> attempt_;  // the other owner: the job on its thread
  std::vector<SshHop> hops_;
  std::size_t next_hop_ = 0;
  std::unique_ptr<SshCarrier> carrier_;       // of the hop that is being connected
  std::unique_ptr<SshConnection> jump_host_;  // while the channel to the next hop opens
  std::unique_ptr<Pending> channel_;
  int jobs_ = 0;
  Timer check_timer_;
};

class ThreadedSshConnector final : public SshConnector {
 public:
  ThreadedSshConnector(Loop& loop, SshConnectorOptions options)
      : state_(std::make_shared<ConnectorState>(loop, std::move(options))) {}

  ~ThreadedSshConnector() override {
    for (const auto& weak : operations_) {
      if (const auto operation = weak.lock()) operation->cancel();
    }
    state_->pool.reset();  // joins: every job has been cut
    state_->mailbox->close();
  }
  ThreadedSshConnector(const ThreadedSshConnector&) = delete;
  ThreadedSshConnector& operator=(const ThreadedSshConnector&) = delete;

  std::unique_ptr<Pending> connect(const SshTarget& target, std::shared_ptr<SshPrompter> prompter,
                                   SshConnectDone done) override {
    std::erase_if(operations_, [](const auto& weak) { return weak.expired(); });
    auto operation =
        std::make_shared<ConnectOperation>(state_, target, std::move(prompter), std::move(done));
    operations_.push_back(operation);
    operation->start();
    return std::make_unique<SshPending<ConnectOperation>>(std::move(operation));
  }

 private:
  std::shared_ptr<ConnectorState> state_;
  std::vector<std::weak_ptr<ConnectOperation>> operations_;
};

}  // namespace

std::unique_ptr<SshConnector> make_ssh_connector(Loop& loop, SshConnectorOptions options) {
  return std::make_unique<ThreadedSshConnector>(loop, std::move(options));
}

}  // namespace hpc
