#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "manager/session/channel_opening.h"
#include "manager/session/discovery.h"
#include "manager/session/scheduler.h"
#include "manager/ssh/ssh_connection.h"

namespace hpc {

// A login node under load starts a shell in seconds; squeue waits up to 10 s for its controller.
constexpr std::uint64_t kSearchTimeoutMs = 30'000;

/// The hpc-proxy that was found and has proved itself.
struct FoundProxy {
  JobRecord record;
  ProxyEndpoint endpoint;          // the one address that worked
  std::unique_ptr<Stream> stream;  // its first channel
  std::string passed_over;         // a line for each record that was refused; may be empty
};

/// One search over one SSH connection: discovery, then a hello to each candidate until one proves
/// itself.
///
/// Calls `done` once, in a later turn, unless destroyed first; `may_use` is asked again in that
/// very turn, so that two searches cannot come home with one record. Errors, with a `detail` of
/// several lines for the user: kNotFound (no record may be tried), kRefused (nothing listens where
/// the records say), kForbidden (what listens could not prove itself, or forwarding is off), others
/// of the SSH layer.
class ProxySearch final : public Pending {
 public:
  using Done = std::function<void(Result<FoundProxy>)>;
  struct Wanted {
    std::optional<std::string> job;  // only this one
    MayUseRecord may_use;            // empty: every record
  };
  ProxySearch(Scheduler& scheduler, SshConnection& connection, Wanted wanted, Done done);
  ProxySearch(const ProxySearch&) = delete;
  ProxySearch& operator=(const ProxySearch&) = delete;

  /// A working squeue has answered and does not list the wanted job as running: it has ended, or it
  /// waits again after a requeue. Final when `done` is called.
  bool job_not_listed() const { return job_not_listed_; }
  /// A hpc-proxy that is looked for says that it listens, and its record cannot be seen here yet.
  bool record_is_late() const { return record_is_late_; }

 private:
  void on_report(Result<ExecOutput> output);
  void try_next();
  void on_channel(Result<ChannelOpening::Opened> opened);
  void all_failed();
  std::string passed_over() const;
  void finish(Result<FoundProxy> result);

  Scheduler& scheduler_;
  SshConnection& connection_;
  Wanted wanted_;
  Done done_;
  std::string marker_;
  Candidates candidates_;
  std::size_t candidate_ = 0;
  std::unique_ptr<Pending> step_;
  std::string failures_;  // a line for each candidate that was tried
  std::optional<Error> worst_;
  bool job_not_listed_ = false;
  bool record_is_late_ = false;
};

/// "job 4711 on c1" or "hpc-proxy on login01": what a record stands for, for messages.
std::string describe_record(const JobRecord& record);

}  // namespace hpc
