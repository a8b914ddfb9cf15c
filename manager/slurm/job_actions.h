#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace hpc {

// What is done to a job of ours, over its owner's own connection. Scripts for `sh -s`, their
// answers taken apart. `session`: 32 hex digits, `job`: is_slurm_job_id(), `name`:
// session_job_name(); whoever calls has checked them.

/// Cancels the job if it has that id and that name, and nothing else ever; waits until SLURM says
/// that it is over (at most 20 s), then removes ~/.hpc-proxy/sessions/SESSION and the record
/// ~/.hpc-proxy/jobs/JOB.json. With an empty `job`: by the name alone, and not while a submit of it
/// may still be on its way.
std::string end_job_script(std::string_view job, std::string_view name, std::string_view session,
                           std::string_view marker);
/// Success: it is over. kUnavailable: SLURM could not be asked, or the job still ends; ask again.
Status parse_end_job(std::string_view output, std::string_view marker);

/// scontrol update TimeLimit=+MINUTES. 1 to 525,600.
std::string extend_job_script(std::string_view job, std::uint64_t minutes, std::string_view marker);
/// kForbidden: the site does not allow it, with SLURM's own words.
Status parse_extend_job(std::string_view output, std::string_view marker);

// What one question for a log brings at most.
constexpr std::size_t kJobLogBytesMax = std::size_t{64} * 1024;

/// The job's log from byte `offset` on; with kJobLogTail its last kJobLogBytesMax bytes.
constexpr std::uint64_t kJobLogTail = ~std::uint64_t{0};
std::string job_log_script(std::string_view session, std::uint64_t offset, std::string_view marker);

struct JobLogPart {
  std::uint64_t offset = 0;  // of its first byte
  std::uint64_t size = 0;    // of the whole log just now
  std::string bytes;         // as they are
};
/// kNotFound: there is no log (yet). kUnavailable: the answer is cut.
Result<JobLogPart> parse_job_log(std::string_view output, std::string_view marker);

}  // namespace hpc
