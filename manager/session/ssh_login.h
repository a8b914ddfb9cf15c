#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "manager/session/back_off.h"
#include "manager/session/cluster_login.h"
#include "manager/session/login_state.h"
#include "manager/session/scheduler.h"
#include "manager/ssh/ssh_connector.h"

namespace hpc {

// Back-off of the SSH connection: sshd's MaxStartups drops whoever comes back too eagerly.
constexpr std::uint64_t kConnectBackOffFirstMs = 1'000;
constexpr std::uint64_t kConnectBackOffMostMs = 60'000;
// A server that lets us in and cuts us off at once is as good as down: the waits go on growing.
constexpr std::uint64_t kLoginStableMs = 10'000;
// Who ends one session often begins the next: logging in again costs the login node more than an
// idle connection.
constexpr std::uint64_t kLoginIdleMs = 60'000;
// A connection made at a login page comes back only when its user types a password or a code, so
// it is kept over a working day.
constexpr std::uint64_t kAdoptedLoginIdleMs = std::uint64_t{12} * 3600 * 1000;

/// The one login of a user at a cluster, over an SshConnector, which holds the bound of 3 connects
/// at a time to one host. The sequence is in login_state.cc.
///
/// kUnauthorized, kForbidden (host key) and kConfig stop it until retry() or adopt(): asking again
/// with the same key only gets an address banned. Everything else is tried again for ever.
///
/// Everything handed to the constructor must outlive it, and it must outlive its watchers.
class SshLogin final : public ClusterLogin {
 public:
  struct Options {
    /// Where to and as whom, asked anew for each connect, so that a key that was put in place
    /// meanwhile is found.
    std::function<Result<SshTarget>()> target;
    std::string destination;       // "login01 as alice"
    bool config_may_heal = false;  // kConfig is worth another try, too
  };

  SshLogin(Scheduler& scheduler, SshConnector& connector, SshPrompter& prompter,
           const BackOff::Random& random, Options options);
  ~SshLogin() override;
  SshLogin(const SshLogin&) = delete;
  SshLogin& operator=(const SshLogin&) = delete;

  void watch(Watcher& watcher) override;
  void unwatch(Watcher& watcher) override;
  void retry() override;
  void adopt(std::unique_ptr<SshConnection> connection) override;
  State state() const override { return state_; }
  SshConnection* connection() override {
    return state_ == State::kUp ? connection_.get() : nullptr;
  }
  const std::string& trouble() const override { return trouble_; }
  std::string destination() const override { return options_.destination; }

 private:
  struct Seat {
    Watcher* watcher;
    std::uint64_t number;  // tells a watcher that went and came back from one that stayed
    bool told = false;     // of the state as it is
  };

  bool step(LoginEvent event);
  void begin_connect();
  void on_connected(Result<std::unique_ptr<SshConnection>> connection);
  void connect_failed(const Error& error);
  void come_up(std::unique_ptr<SshConnection> connection);
  void on_lost(const Error& error);
  void on_alarm();
  void on_idle();
  void drop_connection();
  void tell(const std::function<void(Watcher&)>& news);
  void tell_late(std::uint64_t number);
  void tell_state(Watcher& watcher);
  Seat* find(std::uint64_t number);
  void post(std::function<void()> task);

  Scheduler& scheduler_;
  SshConnector& connector_;
  SshPrompter& prompter_;
  Options options_;
  State state_ = State::kIdle;
  BackOff back_off_;
  std::unique_ptr<Alarm> alarm_;       // the back-off
  std::unique_ptr<Alarm> idle_alarm_;  // since the last watcher has gone
  std::vector<Seat> seats_;
  std::uint64_t next_number_ = 0;
  Error why_{Errc::kNetwork, "ssh", ""};  // in kWaiting and kStopped
  std::string trouble_;
  bool was_up_ = false;
  bool adopted_ = false;  // the connection that is up, or was last
  std::uint64_t up_since_ms_ = 0;
  std::unique_ptr<SshConnection> connection_;  // in kUp only
  std::unique_ptr<Pending> pending_;           // in kConnecting only
  // Posted steps find out through this whether we still live.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// "login01 as alice".
std::string describe_target(const SshTarget& target);

}  // namespace hpc
