#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "manager/slurm/job_fate.h"
#include "manager/ssh/ssh_connection.h"

namespace hpc {

// squeue waits up to 10 s for its controller, scontrol as long.
constexpr std::uint64_t kJobInquiryTimeoutMs = 30'000;

/// Asks SLURM over `connection`, as its user, what has become of a job. `done` in a later turn,
/// once, unless the returned object is destroyed first; a failure to ask is kUnknown.
std::unique_ptr<Pending> ask_job_fate(SshConnection& connection, const std::string& job,
                                      std::function<void(const JobFateAnswer&)> done);

}  // namespace hpc
