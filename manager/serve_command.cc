#include "manager/serve_command.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <set>
#include <string>
#include <utility>

#include "common/exit_code.h"
#include "manager/serve_check.h"
#include "manager/serve_parser.h"
#include "manager/serve_reload.h"
#include "manager/serve_settings.h"

namespace hpc {

ServeCommand::ServeCommand(ServeOptions options)
    : options_(std::move(options)),
      log_(options_.verbose ? LogLevel::kDebug : LogLevel::kInfo, options_.log_format),
      console_(options_.log_format, log_),
      local_ports_(loop_,
                   [this](auto stream, ClientInfo client) {
                     listeners_->adopt_lent(std::move(stream), std::move(client));
                   }),
      notifier_(ServiceNotifier::from_environment()),
      watchdog_(loop_, [this] { feed_watchdog(); }) {}

ServeCommand::~ServeCommand() = default;

int ServeCommand::run() {
  if (auto built = build(); !built) {
    console_.error(built.error().detail);
    return exit_code(built.error().code);
  }
  watch_signals();
  core_->start();
  announce();
  loop_.run();
  return 0;
}

Status ServeCommand::build() {
  if (geteuid() == 0 || getuid() == 0) {
    return fail(Errc::kConfig, "serve",
                "serve does not run as root: many users' browsers talk to it, and it needs none of "
                "root's rights\nstart it as a user of its own, for example: sudo -u hpc-manager "
                "hpc-manager serve ...");
  }
  if (auto made = make_serve_directories(options_); !made) return made;
  listeners_ = std::make_unique<ServeListeners>(loop_, log_);
  if (auto opened = listeners_->open(options_); !opened) return opened;
  port_asked_for_ = std::exchange(options_.listen.port, listeners_->port());
  auto core = ServeCore::make(loop_, options_, log_, local_ports_,
                              [this](const std::string& session, const Error& why) {
                                listeners_->cut_traffic_of(session, why);
                              });
  if (!core) return tl::unexpected(core.error());
  core_ = std::move(*core);
  listeners_->attach(options_,
                     {core_->gateway(), core_->operators(), core_->metrics(), core_->lent_ports()});
  core_->set_traffic([this] { return listeners_->traffic(); });
  return {};
}

void ServeCommand::watch_signals() {
  for (const int number : {SIGINT, SIGTERM}) {
    signals_.push_back(std::make_unique<SignalWatch>(loop_, number, [this] { on_end_signal(); }));
  }
  signals_.push_back(std::make_unique<SignalWatch>(loop_, SIGHUP, [this] { reload(); }));
}

std::string ServeCommand::status() const {
  return std::to_string(core_->sessions().list(std::nullopt).size()) + " sessions";
}

void ServeCommand::feed_watchdog() {
  notifier_.watchdog();
  if (const auto period = notifier_.watchdog_period_ms()) watchdog_.start(*period);
}

void ServeCommand::announce() {
  console_.say("serving; " + status() + " go on");
  if (options_.auth == AuthMode::kSsh) {
    log_.warning(
        "apps share their origin with the login: a hostile app of a user can act as that user; "
        "the documentation says what that means, under \"What path mode cannot protect\"");
  }
  notifier_.ready(status());
  feed_watchdog();
  std::printf("%s/\n", options_.browser_url().text().c_str());
  std::fflush(stdout);
}

void ServeCommand::reload() {
  notifier_.reloading();
  read_again();
  notifier_.ready(status());
}

void ServeCommand::read_again() {
  auto told = read_serve_options_again(options_, environment_of_process());
  if (!told) {
    return log_.error("reload: everything stays as it was", {{"cause", told.error().detail}});
  }
  std::set<std::string> in_use;
  for (const auto& one : core_->sessions().list(std::nullopt)) in_use.insert(one.row.key.cluster);
  const std::uint16_t port = options_.listen.port;
  options_.listen.port = port_asked_for_;
  ReloadPlan plan = reload_plan(options_, *told, in_use);
  options_.listen.port = plan.options.listen.port = port;
  for (const auto& refused : plan.refused) log_.warning("reload: " + refused);
  if (auto applied = core_->apply(plan.options); !applied) {
    return log_.error("reload: everything stays as it was", {{"cause", applied.error().detail}});
  }
  options_ = std::move(plan.options);
  log_.set(options_.verbose ? LogLevel::kDebug : LogLevel::kInfo, options_.log_format);
  listeners_->reload_tls(options_);
  std::string changed;
  for (const auto& name : plan.changed) changed += (changed.empty() ? "" : ", ") + name;
  log_.info("reloaded", {{"changed", changed.empty() ? "nothing" : changed}});
}

// The first ends gently, the second at once.
void ServeCommand::on_end_signal() {
  if (ending_) return loop_.stop();
  ending_ = true;
  notifier_.stopping();
  console_.say("ending; jobs and their sessions go on, and a new start finds them");
  listeners_->drain(options_.drain_ms, [this] { loop_.stop(); });
}

}  // namespace hpc
