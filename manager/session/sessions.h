#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/upstream_pool.h"
#include "manager/session/port_pool.h"
#include "manager/session/session_info.h"
#include "manager/session/tunnel_view.h"
#include "manager/slurm/job_actions.h"

namespace hpc {

// A year: no site has longer limits.
constexpr std::uint64_t kExtendMinutesMax = 525'600;

/// Where requests to one live session go. Lives until the session has ended; a running exchange
/// must not outlive it (its pool is closed, which ends its exchanges).
struct SessionRoute {
  const std::string& id;
  UpstreamPool& pool;
  const TunnelView& tunnel;
};

/// The sessions of all users, as the gateway sees them: looked up, begun, ended. Who may do it was
/// decided before (authorize.h).
class Sessions {
 public:
  using Done = std::function<void(Result<SessionInfo>)>;
  virtual ~Sessions() = default;

  /// Begins one. `done` is called once it is stored, in a later turn. Errors, through `done`, too:
  /// kNotFound (no such cluster), kConflict (the slot is in use, or another session has the job),
  /// kTooMany (the user has as many as he may have), kUnavailable (all have as many as there may
  /// be, no local port is left, the store cannot write).
  virtual void create(const NewSession& wanted, Done done) = 0;
  /// Asks for the end of a live one; the others go on. kNotFound: there is none, or it has ended.
  virtual void end(const std::string& id, Done done) = 0;
  /// Makes it its user's active one. kNotFound: there is none, or it has ended.
  virtual void activate(const std::string& id, Done done) = 0;
  /// Asks SLURM for so many more minutes (1 to kExtendMinutesMax) for its job. kNotFound as above;
  /// kConflict: it has no job of its own that runs; kForbidden: the site does not allow it, with
  /// SLURM's own words; kUnavailable: SLURM cannot be asked just now.
  virtual void extend(const std::string& id, std::uint64_t minutes, Done done) = 0;
  /// A part of its job's log (job_actions.h). `done` once, in a later turn, unless the returned
  /// object is destroyed first. kNotFound: there is no such session or no log of it, with the
  /// reason; kUnavailable: it cannot be read just now.
  using LogDone = std::function<void(Result<JobLogPart>)>;
  virtual std::unique_ptr<Pending> read_log(const std::string& id, std::uint64_t offset,
                                            LogDone done) = 0;

  /// Live ones and those that ended lately.
  virtual std::optional<SessionInfo> find(const std::string& id) const = 0;
  /// The live one of that key; else the last that ended.
  virtual std::optional<SessionInfo> find(const SessionKey& key) const = 0;
  /// Of one user, or (nothing) of all; oldest first, live ones only.
  virtual std::vector<SessionInfo> list(const std::optional<std::string>& user) const = 0;
  virtual std::optional<SessionInfo> active_of(const std::string& user) const = 0;

  /// For a live session, else nothing. Also while its tunnel is down: the pool knows how to wait.
  virtual std::optional<SessionRoute> route(const std::string& id) = 0;
  /// The same by key: what every forwarded request asks, so nothing is copied for it.
  virtual std::optional<SessionRoute> route(const SessionKey& key) = 0;
  /// A request goes there now: its time is the session's last activity.
  virtual void note_activity(const std::string& id) = 0;

  /// Names of the clusters, and whether the user's login there is up, for /api/v1/clusters.
  struct ClusterInfo {
    std::string name;
    std::string host;
    std::string login;    // of this user: "down", "connecting", "up", "waiting", "stopped"
    std::string trouble;  // why it is not up; may be empty
  };
  virtual std::vector<ClusterInfo> clusters(const std::string& user) const = 0;
  /// By the name of the range, and how many sessions fit; nothing when there are no ranges.
  struct PortReport {
    std::map<std::string, PortStats> ranges;
    std::size_t max_sessions = 0;
  };
  virtual std::optional<PortReport> port_report() const = 0;
};

}  // namespace hpc
