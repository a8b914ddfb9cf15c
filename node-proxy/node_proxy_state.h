#pragma once
#include <cstdint>
#include <string>

#include "common/job_record.h"
#include "node-proxy/port_set.h"

namespace hpc {

/// What does not change while it runs, and the record, which may learn the job's end later.
struct NodeProxyState {
  JobRecord record;
  std::string url_template;
  PortSet allow_ports;
  bool root_fallback = true;
  std::int64_t started_unix_ms = 0;
  bool walltime_warning = false;  // SIGUSR1 came
  bool base_rewrite = false;      // --base-rewrite
};

}  // namespace hpc
