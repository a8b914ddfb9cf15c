#pragma once
#include <uv.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/http_server.h"
#include "common/loop.h"
#include "common/timer.h"
#include "node-proxy/app_connector.h"
#include "node-proxy/app_reach.h"
#include "node-proxy/daemon.h"
#include "node-proxy/job.h"
#include "node-proxy/job_comment.h"
#include "node-proxy/listeners.h"
#include "node-proxy/node_proxy.h"
#include "node-proxy/options.h"
#include "node-proxy/port_list.h"
#include "node-proxy/record_dir.h"

namespace hpc {

/// One running hpc-proxy: owns everything on the loop. Built, listen(), publish(), run(), in this
/// order. Everything that is passed as a reference must outlive it.
///
/// `serve` ends by a signal or by --idle-exit. With Verb::kRun the command decides: signals but
/// SIGUSR1 are left to others, and `idle` is called instead.
class NodeServer {
 public:
  NodeServer(Loop& loop, const Options& options, const RecordDir& dir, JobIdentity identity,
             const std::string& host, Log& log, AppReach reach = {});
  ~NodeServer();
  NodeServer(const NodeServer&) = delete;
  NodeServer& operator=(const NodeServer&) = delete;

  Status listen();
  /// Writes the record and the port file; only after listen().
  Status publish();
  std::uint16_t port() const { return state_.record.port; }
  const JobRecord& record() const { return state_.record; }
  /// What /status and `env` say.
  const std::string& url_template() const { return state_.url_template; }
  /// For Verb::kRun: called where --idle-exit is over.
  void on_idle(std::function<void()> idle) { idle_ = std::move(idle); }
  /// Serves until it is told to stop; then removes the records.
  void run(std::optional<Bond> bond);
  /// Takes nothing new, finishes running exchanges for up to 10 s, and lets run() return.
  void stop(const char* why);

 private:
  struct Signal;
  /// On the same port in the network namespace of the apps, where they have one of their own.
  Status listen_inside();
  /// `peer_owner` null: accepted in our own network.
  void take_client(std::unique_ptr<TcpStream> stream, PeerOwner* peer_owner);
  void watch_signals();
  void on_signal(int number);
  void watch_idle();
  void ask_job_end();
  /// The job has one comment. Its other steps and nodes leave that to the batch script's hpc-proxy,
  /// and one of `run` to a plain one beside it.
  bool speaks_for_job() const;
  /// Says in the job's comment where we listen, where SLURM lets us.
  void write_job_comment();
  /// What is in the record and what is served never differ.
  Status set_app(JobRecord::App app);
  void remove_records();

  Loop& loop_;
  const Options& options_;
  const RecordDir& dir_;
  JobIdentity identity_;
  Log& log_;
  NodeProxyState state_;
  std::shared_ptr<SocketLookup> lookup_;  // one kernel socket for both questions
  std::unique_ptr<PeerOwner> owner_;
  std::unique_ptr<PeerOwner> space_owner_;  // null: the apps are in our own network
  std::unique_ptr<TargetOwner> target_owner_;
  Access access_;
  AppConnector connector_;
  UpstreamPool pool_;
  PortList ports_;
  std::unique_ptr<NodeProxy> handler_;
  std::unique_ptr<HttpServer> server_;
  std::vector<EntranceSocket> entrance_;  // until listen()
  Listeners listeners_;
  std::vector<std::unique_ptr<Signal>> signals_;
  std::unique_ptr<BondWatch> bond_watch_;
  std::unique_ptr<JobEndQuery> job_end_query_;
  std::unique_ptr<JobCommentWriter> job_comment_writer_;
  Timer idle_timer_;
  std::function<void()> idle_;
  bool published_ = false;
  bool stopping_ = false;
};

}  // namespace hpc
