#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/result.h"
#include "node-proxy/job.h"
#include "node-proxy/options.h"
#include "node-proxy/record_dir.h"
#include "node-proxy/start_lock.h"

namespace hpc {

/// What `serve` and `run` do alike when they start.

/// Says why on standard error; the exit code for it.
int report_failure(const Error& error);

/// Keeps other processes of this user from reading our memory, raises the limit of descriptors, and
/// makes a peer that is gone an error of write(). What is forked later inherits it.
void harden();

/// kUsage where --ready-fd names no open descriptor. Children do not get it.
Status check_ready_fd(const Options& options);
/// Writes the port to --ready-fd, and closes it.
void report_ready(const Options& options, std::uint16_t port);

/// The run whose command started this program, as the environment says and the record there proves;
/// nothing where that run has ended, or is another job's, which sbatch was given the environment
/// of.
std::optional<StoredRecord> find_run_around(const RecordDir& dir, const Environment& environment,
                                            const JobIdentity& identity, const std::string& host);

/// The directory of records, in which nobody else starts as long as the lock is held.
struct StartPlace {
  std::string host;
  JobIdentity identity;
  std::unique_ptr<RecordDir> dir;  // the lock refers to it
  StartLock lock;
  std::optional<StoredRecord> around;  // find_run_around(); its id is in `identity`
};
/// Takes it, removes what dead processes left there, and refuses to be the second with one ID.
Result<StartPlace> take_start_place(const Options& options, const Environment& environment);

}  // namespace hpc
