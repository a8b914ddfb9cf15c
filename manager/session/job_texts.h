#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "manager/slurm/job_listing.h"

namespace hpc {

// What people read about the way of a job. Pure.

/// "pending: Priority, starts about 14:05 UTC" (with the date, where that is not `now_ms`'s own);
/// "pending (REQUEUED)" for other words of SLURM than PENDING.
std::string waiting_text(const ListedJob& job, std::int64_t now_ms);

/// "job 4711 has ended (TIMEOUT): it reached its time limit". `word` may be empty.
std::string job_over_text(std::string_view job, std::string_view word);

// How much of a job's log goes with the news of its failure.
constexpr std::size_t kLogTailLines = 10;
constexpr std::size_t kLogTailBytes = 2000;

/// The last lines of a log as people can read them: without control bytes and empty lines. Empty:
/// there are none.
std::string log_tail(std::string_view log);
/// The last of these lines, cut to what fits behind a reason; empty: there is none.
std::string last_line(std::string_view tail);

}  // namespace hpc
