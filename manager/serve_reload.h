#pragma once
#include <set>
#include <string>
#include <vector>

#include "manager/serve_options.h"

namespace hpc {

/// What a SIGHUP changes.
struct ReloadPlan {
  /// What to go on with. TLS files are read again even where their names are the same.
  ServeOptions options;
  std::vector<std::string> changed;  // names of options that have a new value now: "max-sessions"
  std::vector<std::string> refused;  // what stays as it was: one sentence each, for the log
};

/// Compares what `serve` runs with and what it was told now, which has passed the checks. Options
/// that are bound to sockets, files and threads keep their value until a restart; so does a cluster
/// that is named in `clusters_in_use` (live sessions) and would go away or move elsewhere. Where
/// the mixture would not pass check_serve_options(), nothing at all is taken over. Pure.
ReloadPlan reload_plan(const ServeOptions& running, const ServeOptions& told,
                       const std::set<std::string>& clusters_in_use);

}  // namespace hpc
