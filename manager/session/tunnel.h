#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/upstream_pool.h"
#include "manager/session/back_off.h"
#include "manager/session/channel_stock.h"
#include "manager/session/cluster_login.h"
#include "manager/session/proxy_search.h"
#include "manager/session/scheduler.h"
#include "manager/session/tunnel_state.h"
#include "manager/session/tunnel_view.h"
#include "manager/session/waiting_room.h"

namespace hpc {

// Back-off of the search: one short exec on the login node, and a person waits for the new node
// after a requeue, which takes SLURM some seconds.
constexpr std::uint64_t kSearchBackOffFirstMs = 500;
constexpr std::uint64_t kSearchBackOffMostMs = 8'000;
// Searches that begin without the long waits, because hpc-proxy has said in its job's comment that
// it listens: a shared home shows its record within seconds. What is said may be out of date.
constexpr unsigned kSearchHurriesMax = 20;

/// The way to one hpc-proxy over a login that others may share: the search for the proxy, and the
/// stock of proved channels. Comes back by itself, and follows the job to a new node.
///
/// As the Connector of the upstream pool it opens channels; the key says whether the request may
/// wait while the tunnel is down (kMayWait) or must be refused at once (kAtOnce).
///
/// Everything handed to the constructor must outlive it; it must outlive the pool. May be destroyed
/// at any time outside its own callbacks, whoever else uses the login.
class Tunnel final : public Connector, public TunnelView, private ClusterLogin::Watcher {
 public:
  static constexpr const char* kMayWait = "proxy, may wait";
  static constexpr const char* kAtOnce = "proxy, at once";

  struct Options {
    std::optional<std::string> job;  // only this one
    MayUseRecord may_use;            // empty: every record
    bool wait_for_job = false;  // with no hpc-proxy at first: keep looking instead of giving up
    // Nothing makes it give up: what would is told by on_tunnel_down(), and its owner decides.
    bool stay = false;
    std::shared_ptr<WaitingRoom> waiting_room;  // of the user; nullptr: one of its own
  };

  /// Told in the turn in which it happens; may not destroy the tunnel.
  class Observer {
   public:
    /// One line (or several) for the user.
    virtual void on_tunnel_progress(const std::string& text) = 0;
    /// Up, the first time and every time again. `moved`: to another hpc-proxy than before.
    virtual void on_tunnel_ready(const JobRecord& record, bool moved) = 0;
    /// Down, or another try to come up has failed. Idle connections to the proxy may be dead
    /// without a sign, so none may be used again.
    virtual void on_tunnel_down(const Error& why) = 0;
    /// Just before on_tunnel_down(), where the search was for a certain job: a working squeue does
    /// not list it as running. It has ended, or waits again after a requeue; SLURM can tell which.
    virtual void on_job_not_listed(const std::string& /*job*/) {}
    /// Failed for good; nothing more happens. Never with `stay`.
    virtual void on_tunnel_failed(const Error& error) = 0;

   protected:
    ~Observer() = default;
  };

  Tunnel(Scheduler& scheduler, ClusterLogin& login, const BackOff::Random& random, Options options,
         Observer& observer);
  ~Tunnel() override;
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  void start();
  std::unique_ptr<Pending> connect(const std::string& key, ConnectDone done) override;
  /// From now on only this job is looked for. One that is reached already stays until it is lost.
  void pin(std::string job) { options_.job = std::move(job); }

  /// The hpc-proxy that was found is gone, as SLURM knows, even if its channels have not noticed:
  /// a node that was switched off says nothing. It is searched for anew.
  void proxy_is_gone(const std::string& why);
  /// There is reason to think that the next search finds it: at once, without the long waits.
  void search_soon();

  TunnelState state() const { return state_; }
  bool ready() const override { return state_ == TunnelState::kReady; }
  const std::optional<JobRecord>& record() const override { return record_; }
  const std::string& trouble() const override { return trouble_; }
  std::string destination() const override { return login_.destination(); }

 private:
  void on_login_up(SshConnection& connection) override;
  void on_login_down(const Error& why) override;
  void on_login_stopped(const Error& why) override;
  void on_login_progress(const std::string& text) override { say(text); }

  bool step(TunnelEvent event);
  void begin_search();
  void on_search_done(Result<FoundProxy> found);
  void on_found(FoundProxy found);
  void on_channel_failed(const Error& error);
  void lose_proxy(const Error& why);
  void on_alarm();
  void lose_login(const Error& why, bool for_good);
  void go_down(const Error& error);
  void give_up(const Error& error);
  bool worth_another_search(const Error& error) const;
  void say(const std::string& text);

  Scheduler& scheduler_;
  ClusterLogin& login_;
  Options options_;
  Observer& observer_;
  TunnelState state_ = TunnelState::kIdle;
  BackOff search_back_off_;
  unsigned hurries_ = 0;  // since the last proxy that was found
  std::unique_ptr<Alarm> alarm_;
  std::optional<JobRecord> record_;
  ProxyEndpoint endpoint_;
  std::string trouble_;
  std::string last_said_;
  bool was_ready_ = false;
  std::uint64_t ready_since_ms_ = 0;
  SshConnection* connection_ = nullptr;  // the login's, while it is up
  std::unique_ptr<ProxySearch> search_;  // under way; uses connection_
  ChannelStock stock_;                   // its channels live on connection_
};

}  // namespace hpc
