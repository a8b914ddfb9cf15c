#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/loop.h"
#include "common/result.h"
#include "node-proxy/child_output.h"
#include "node-proxy/options.h"

namespace hpc {

/// Which SLURM job this is, from the environment of the job.
struct JobIdentity {
  std::string id;      // of the record's file (contract 1.1)
  std::string job_id;  // SLURM's, or HOST-PID
  bool in_slurm = false;
  // The job's batch script, or its interactive shell: it speaks for the whole job.
  bool in_first_shell = false;
  // Started by the command of this run, which is live; not known to job_identity().
  std::optional<std::string> inside_run;
  std::optional<std::string> slurm_node;  // $SLURMD_NODENAME
  std::optional<std::string> job_end;     // from $SLURM_JOB_END_TIME, RFC 3339
};

/// `hpc-proxy run` tells its command in this variable what its record is called, so that commands
/// like `hpc-proxy wait` mean the right one inside. No secret.
constexpr const char* kRunVariable = "HPC_PROXY_RUN";

/// `serve` has one record a job; of `run` there may be several, also beside it.
enum class RecordKind : std::uint8_t { kServe, kRun };

/// The record is called by the job's id; that of `run`, another node's, or another step's than the
/// batch script, by ID-HOST-PID. Outside of SLURM it is HOST-PID for all of them. kSystem when
/// SLURM_JOB_ID cannot be the name of a file.
Result<JobIdentity> job_identity(const Environment& environment, const std::string& host,
                                 std::int64_t pid, RecordKind kind = RecordKind::kServe);

/// What `squeue -o %e` prints, in local time: RFC 3339 in UTC, or nothing ("N/A", "NONE").
std::optional<std::string> parse_squeue_end(std::string_view text);

/// Runs `squeue -h -j ID -o %e` once, without waiting for it.
class JobEndQuery {
 public:
  using Done = std::function<void(std::optional<std::string> job_end)>;
  /// `done` comes at most once, in a later turn; not when this object is destroyed before.
  JobEndQuery(Loop& loop, const std::string& job_id, Done done);

 private:
  ChildOutput query_;
};

}  // namespace hpc
