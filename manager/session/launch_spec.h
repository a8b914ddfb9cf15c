#pragma once
#include <string>
#include <string_view>

#include "manager/slurm/job_request.h"

namespace hpc {

/// What a session was asked for with, as SessionRow::spec keeps it: one line of JSON.
struct LaunchSpec {
  bool attach = false;  // starts no job: the one of SessionRow::job_id, or any that runs already
  JobRequest job;

  bool operator==(const LaunchSpec&) const = default;
};

/// Empty for the default.
std::string launch_spec_json(const LaunchSpec& spec);
/// kBadRequest: it is none of ours.
Result<LaunchSpec> parse_launch_spec(std::string_view text);

}  // namespace hpc
