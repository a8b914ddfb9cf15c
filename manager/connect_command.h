#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/http_server.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/peer_owner.h"
#include "common/tcp_stream.h"
#include "common/upstream_pool.h"
#include "manager/console.h"
#include "manager/gateway/browser_access.h"
#include "manager/gateway/connect_gateway.h"
#include "manager/options.h"
#include "manager/session/scheduler.h"
#include "manager/session/ssh_login.h"
#include "manager/session/tunnel.h"
#include "manager/signal_watch.h"
#include "manager/ssh/ssh_connector.h"

namespace hpc {

// Ctrl-C ends running downloads; what can be finished within a moment is finished.
constexpr std::uint64_t kDrainMs = 2'000;

/// `hpc-manager connect`: builds the parts, owns them, runs until a signal or a failure.
class ConnectCommand final : private Tunnel::Observer {
 public:
  /// `prompter` must outlive it.
  ConnectCommand(ConnectOptions options, SshPrompter& prompter);
  ~ConnectCommand();
  ConnectCommand(const ConnectCommand&) = delete;
  ConnectCommand& operator=(const ConnectCommand&) = delete;

  /// The exit code of contract 1.
  int run();

 private:
  Status build();
  Status build_access(std::uint16_t port);
  void build_tunnel();
  void watch_signals();
  void accept(std::unique_ptr<TcpStream> stream);
  void on_signal();
  void on_tunnel_progress(const std::string& text) override;
  void on_tunnel_ready(const JobRecord& record, bool moved) override;
  void on_tunnel_down(const Error& why) override;
  void on_tunnel_failed(const Error& error) override;
  void announce();
  std::string base_url() const;

  ConnectOptions options_;
  SshPrompter& prompter_;
  Log log_;
  Console console_;
  Loop loop_;  // before everything that has handles on it
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<SshConnector> connector_;
  std::unique_ptr<SshLogin> login_;
  std::unique_ptr<Tunnel> tunnel_;
  std::unique_ptr<UpstreamPool> pool_;
  std::unique_ptr<PeerOwner> peer_owner_;
  std::unique_ptr<BrowserAccess> access_;
  std::unique_ptr<ConnectGateway> gateway_;
  std::unique_ptr<HttpServer> server_;
  std::vector<std::unique_ptr<TcpListener>> listeners_;
  std::vector<std::unique_ptr<SignalWatch>> signals_;
  std::uint16_t port_ = 0;
  bool announced_ = false;
  bool ending_ = false;
  int exit_code_ = 0;
};

}  // namespace hpc
