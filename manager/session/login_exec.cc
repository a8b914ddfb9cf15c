#include "manager/session/login_exec.h"

#include <optional>
#include <utility>

#include "common/text_line.h"
#include "manager/session/next_turn.h"

namespace hpc {

namespace {

constexpr const char* kWhere = "login";

/// One command, from the wait for its login to its answer.
class LoginExec final : public Pending, private ClusterLogin::Watcher {
 public:
  LoginExec(Scheduler& scheduler, Result<ClusterLogin*> login, std::string command,
            std::string input, std::uint64_t timeout_ms, ExecDone done)
      : scheduler_(scheduler),
        command_(std::move(command)),
        input_(std::move(input)),
        timeout_ms_(timeout_ms),
        done_(std::move(done)),
        alarm_(scheduler.make_alarm([this] { waited_long(); })) {
    if (!login) {
      fail_later(login.error());
    } else {
      login_ = *login;
      alarm_->start(kLoginWaitMs);
      login_->watch(*this);
    }
  }
  ~LoginExec() override { leave(); }
  LoginExec(const LoginExec&) = delete;
  LoginExec& operator=(const LoginExec&) = delete;

 private:
  void on_login_up(SshConnection& connection) override {
    if (running_ || failing_) return;
    alarm_->stop();
    running_ = connection.exec(std::move(command_), std::move(input_), timeout_ms_,
                               [this](Result<ExecOutput> output) { finish(std::move(output)); });
  }

  void on_login_down(const Error& why) override {
    if (!running_) return;  // it is tried again; kLoginWaitMs is the bound
    // It belongs to the connection, which dies now.
    running_.reset();
    fail_later({Errc::kNetwork, kWhere, first_line(why.detail)});
  }

  void on_login_stopped(const Error& why) override {
    fail_later({Errc::kUnavailable, kWhere, first_line(why.detail)});
  }

  void on_login_progress(const std::string&) override {}

  void waited_long() {
    std::string text = "the SSH connection to " + login_->destination() + " was not up within " +
                       std::to_string(kLoginWaitMs / 1000) + " s";
    if (!login_->trouble().empty()) text += ": " + login_->trouble();
    fail_later({Errc::kUnavailable, kWhere, std::move(text)});
  }

  // Not from inside the login's news: whoever hears of it may end this.
  void fail_later(const Error& why) {
    alarm_->stop();
    failing_ = std::make_unique<NextTurn>(scheduler_, [this, why] { finish(tl::unexpected(why)); });
  }

  // The last step: `done` may destroy this.
  void finish(Result<ExecOutput> output) {
    leave();
    const auto done = std::exchange(done_, nullptr);
    done(std::move(output));
  }

  // The login is let go before its user is told: he may have been its last one.
  void leave() {
    alarm_->stop();
    if (login_ != nullptr) std::exchange(login_, nullptr)->unwatch(*this);
  }

  Scheduler& scheduler_;
  std::string command_;
  std::string input_;
  std::uint64_t timeout_ms_;
  ExecDone done_;
  ClusterLogin* login_ = nullptr;
  std::unique_ptr<Alarm> alarm_;
  std::unique_ptr<Pending> running_;  // the command, on the login's connection
  std::unique_ptr<Pending> failing_;
};

}  // namespace

std::unique_ptr<Pending> login_exec(Scheduler& scheduler, ClusterLogins& logins,
                                    const std::string& user, const std::string& cluster,
                                    std::string command, std::string input,
                                    std::uint64_t timeout_ms, ExecDone done) {
  return std::make_unique<LoginExec>(scheduler, logins.login(user, cluster), std::move(command),
                                     std::move(input), timeout_ms, std::move(done));
}

}  // namespace hpc
