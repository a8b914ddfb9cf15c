#include "manager/connect_command.h"

#include <sodium.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <utility>

#include "common/exit_code.h"
#include "manager/browser.h"
#include "manager/gateway/local_listeners.h"
#include "manager/session/channel_pool.h"

namespace hpc {

ConnectCommand::ConnectCommand(ConnectOptions options, SshPrompter& prompter)
    : options_(std::move(options)),
      prompter_(prompter),
      log_(options_.verbose ? LogLevel::kDebug : LogLevel::kInfo, options_.log_format),
      console_(options_.log_format, log_) {}

ConnectCommand::~ConnectCommand() = default;

int ConnectCommand::run() {
  if (auto built = build(); !built) {
    console_.error(built.error().detail);
    return exit_code(built.error().code);
  }
  watch_signals();
  tunnel_->start();
  loop_.run();
  prompter_.cancel();
  return exit_code_;
}

// The local port first: whoever has mistyped it learns so before a password is asked for.
Status ConnectCommand::build() {
  auto listeners =
      listen_on_loopback(loop_, options_.port, [this](auto stream) { accept(std::move(stream)); });
  if (!listeners) return tl::unexpected(listeners.error());
  listeners_ = std::move(*listeners);
  port_ = listeners_.front()->port();
  if (auto built = build_access(port_); !built) return built;
  build_tunnel();
  pool_ = std::make_unique<UpstreamPool>(loop_, *tunnel_, channel_pool_options());
  gateway_ = std::make_unique<ConnectGateway>(*access_, *pool_, *tunnel_, port_,
                                              options_.root_fallback, log_);
  HttpServerOptions server_options;
  if (peer_owner_) ask_about_peers(server_options, *peer_owner_);
  server_ = std::make_unique<HttpServer>(loop_, *gateway_, std::move(server_options));
  return {};
}

void ConnectCommand::build_tunnel() {
  scheduler_ = make_loop_scheduler(loop_);
  SshConnectorOptions ssh_options;
  ssh_options.notice = [this](const std::string& text) { console_.say(text); };
  connector_ = make_ssh_connector(loop_, std::move(ssh_options));
  SshLogin::Options login_options;
  login_options.target = [target = options_.target] { return target; };
  login_options.destination = describe_target(options_.target);
  // A key file on a network file system may be away for a moment; the first time it is final.
  login_options.config_may_heal = true;
  login_ = std::make_unique<SshLogin>(*scheduler_, *connector_, prompter_, randombytes_uniform,
                                      std::move(login_options));
  Tunnel::Options tunnel_options;
  tunnel_options.job = options_.job;
  tunnel_options.wait_for_job = options_.wait;
  Tunnel::Observer& observer = *this;
  tunnel_ = std::make_unique<Tunnel>(*scheduler_, *login_, randombytes_uniform,
                                     std::move(tunnel_options), observer);
}

Status ConnectCommand::build_access(std::uint16_t port) {
  if (options_.access == AccessMode::kUrl) {
    access_ = make_url_access(port);
    return {};
  }
  auto owner = make_peer_owner();
  if (!owner) {
    return fail(owner.error().code, "access",
                "the kernel does not tell whose connection it is (" + owner.error().detail +
                    "); use --access url");
  }
  peer_owner_ = std::move(*owner);
  access_ = make_uid_access(*peer_owner_, getuid());
  return {};
}

void ConnectCommand::watch_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    signals_.push_back(std::make_unique<SignalWatch>(loop_, number, [this] { on_signal(); }));
  }
}

void ConnectCommand::accept(std::unique_ptr<TcpStream> stream) {
  auto info = client_info(*stream);
  access_->look_at(info);
  server_->adopt(std::move(stream), std::move(info));
}

// The first ends gently, the second at once.
void ConnectCommand::on_signal() {
  if (ending_ || !announced_) return loop_.stop();
  ending_ = true;
  console_.say("ending");
  listeners_.clear();
  server_->drain(kDrainMs, [this] { loop_.stop(); });
}

void ConnectCommand::on_tunnel_progress(const std::string& text) { console_.say(text); }

void ConnectCommand::on_tunnel_ready(const JobRecord& /*record*/, bool moved) {
  if (announced_)
    return console_.say(moved ? "ready again, with another hpc-proxy" : "ready again");
  announced_ = true;
  announce();
}

void ConnectCommand::on_tunnel_down(const Error& /*why*/) { pool_->close_idle(); }

void ConnectCommand::on_tunnel_failed(const Error& error) {
  console_.error(error.detail);
  exit_code_ = exit_code(error.code);
  loop_.stop();
}

std::string ConnectCommand::base_url() const { return "http://127.0.0.1:" + std::to_string(port_); }

void ConnectCommand::announce() {
  console_.say("ready; Ctrl-C ends it");
  std::printf("%s%s\n", base_url().c_str(), access_->entry_path().c_str());
  std::fflush(stdout);
  if (!options_.open) return;
  if (auto opened = open_browser(loop_, base_url() + "/"); !opened) {
    console_.error("the browser could not be opened (" + describe(opened.error()) +
                   "); open the URL above yourself");
  }
}

}  // namespace hpc
