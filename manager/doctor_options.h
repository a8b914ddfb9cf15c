#pragma once
#include <optional>
#include <string>

#include "manager/serve_settings.h"

namespace hpc {

/// `hpc-manager doctor CLUSTER [--user NAME] [--json] [options of serve]`.
struct DoctorOptions {
  ServeSettings settings;  // with its problems
  std::string cluster;
  std::string user;  // empty: none was named
  bool json = false;
};

}  // namespace hpc
