#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/upstream_pool.h"
#include "manager/session/back_off.h"
#include "manager/session/channel_stock.h"
#include "manager/session/proxy_search.h"
#include "manager/session/tunnel_state.h"
#include "manager/session/tunnel_view.h"
#include "manager/ssh/ssh_connector.h"

namespace hpc {

// Back-off of the SSH connection: sshd's MaxStartups drops whoever comes back too eagerly.
constexpr std::uint64_t kConnectBackOffFirstMs = 1'000;
constexpr std::uint64_t kConnectBackOffMostMs = 60'000;
// Back-off of the search: one short exec on the login node, and a person waits for the new node
// after a requeue, which takes SLURM some seconds.
constexpr std::uint64_t kSearchBackOffFirstMs = 500;
constexpr std::uint64_t kSearchBackOffMostMs = 8'000;

/// The way to one user's hpc-proxy: one SSH connection, the search for the proxy, and the stock of
/// proved channels. Comes back by itself, and follows the job to a new node.
///
/// As the Connector of the upstream pool it opens channels; the key says whether the request may
/// wait while the tunnel is down (kMayWait) or must be refused at once (kAtOnce).
///
/// Everything handed to the constructor must outlive it; it must outlive the pool.
class Tunnel final : public Connector, public TunnelView {
 public:
  static constexpr const char* kMayWait = "proxy, may wait";
  static constexpr const char* kAtOnce = "proxy, at once";

  struct Options {
    SshTarget target;
    std::optional<std::string> job;
    bool wait_for_job = false;  // with no hpc-proxy at first: keep looking instead of giving up
  };

  /// Told in the turn in which it happens; may not destroy the tunnel.
  class Observer {
   public:
    /// One line (or several) for the user.
    virtual void on_tunnel_progress(const std::string& text) = 0;
    /// Up, the first time and every time again. `moved`: to another hpc-proxy than before.
    virtual void on_tunnel_ready(bool moved) = 0;
    /// Down: idle connections to the proxy may be dead without a sign, so none may be used again.
    virtual void on_tunnel_down() = 0;
    /// Failed for good; nothing more happens.
    virtual void on_tunnel_failed(const Error& error) = 0;

   protected:
    ~Observer() = default;
  };

  Tunnel(Scheduler& scheduler, SshConnector& connector, SshPrompter& prompter,
         const BackOff::Random& random, Options options, Observer& observer);
  ~Tunnel() override;
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  void start();
  std::unique_ptr<Pending> connect(const std::string& key, ConnectDone done) override;

  TunnelState state() const { return state_; }
  bool ready() const override { return state_ == TunnelState::kReady; }
  const std::optional<JobRecord>& record() const override { return record_; }
  const std::string& trouble() const override { return trouble_; }
  std::string destination() const override;

 private:
  bool step(TunnelEvent event);
  void begin_connect();
  void begin_search();
  void on_connected(Result<std::unique_ptr<SshConnection>> connection);
  void on_connection_lost(const Error& error);
  void on_search_done(Result<FoundProxy> found);
  void on_channel_failed(const Error& error);
  void on_alarm();
  void go_down(const Error& error, BackOff& back_off);
  void give_up(const Error& error);
  bool worth_another_search(const Error& error) const;
  void say(const std::string& text);

  Scheduler& scheduler_;
  SshConnector& connector_;
  SshPrompter& prompter_;
  Options options_;
  Observer& observer_;
  TunnelState state_ = TunnelState::kIdle;
  BackOff connect_back_off_;
  BackOff search_back_off_;
  std::unique_ptr<Alarm> alarm_;
  std::optional<JobRecord> record_;
  ProxyEndpoint endpoint_;
  std::string trouble_;
  std::string last_said_;
  bool was_ready_ = false;
  std::uint64_t ready_since_ms_ = 0;
  std::unique_ptr<SshConnection> connection_;
  std::unique_ptr<Pending> pending_;  // the connect or the search under way; uses connection_
  ChannelStock stock_;                // its channels live on connection_
};

}  // namespace hpc
