#pragma once
#include <optional>
#include <string>

#include "node-proxy/options.h"
#include "node-proxy/record_dir.h"

namespace hpc {

/// `status`, `ports`, `url`, `env`, `wait`, `app`, `stop`: data on stdout, everything else on
/// stderr. Returns the exit code.
int run_verb(const Options& options, const Environment& environment);

/// Of the live records of this host: the one called `run_id` (inside the command of `run`; empty:
/// outside) if it is of this job, else one of `job_id` (empty: none), else any; of several the
/// newest.
std::optional<StoredRecord> choose_record(std::vector<StoredRecord> live, const std::string& job_id,
                                          const std::string& run_id);

/// The lines of `env`, for eval in a POSIX shell.
std::string env_lines(std::uint16_t port, const std::string& url_template);

}  // namespace hpc
