#pragma once
#include <optional>
#include <string>

#include "node-proxy/options.h"
#include "node-proxy/record_dir.h"

namespace hpc {

/// `status`, `ports`, `url`, `env`, `wait`, `app`, `stop`: data on stdout, everything else on
/// stderr. Returns the exit code.
int run_verb(const Options& options, const Environment& environment);

/// Of the live records of this host: the one of `job_id` (empty: none), else the newest.
std::optional<StoredRecord> choose_record(std::vector<StoredRecord> live,
                                          const std::string& job_id);

/// The lines of `env`, for eval in a POSIX shell.
std::string env_lines(std::uint16_t port, const std::string& url_template);

}  // namespace hpc
