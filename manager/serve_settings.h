#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "manager/serve_options.h"

namespace hpc {

/// The environment as a map, so that tests have their own.
using EnvironmentMap = std::map<std::string, std::string>;
EnvironmentMap environment_of_process();

/// What the command line gave, by the option's name; empty texts as if it were not there, so that
/// `--identity ""` takes a value of the file back to the default.
using ServeFlags = std::map<std::string, std::vector<std::string>>;

enum class ValueSource : std::uint8_t { kDefault, kFile, kEnvironment, kFlag };

/// The value of one option, before it is understood.
struct ServeValue {
  std::string name;                // "listen"
  std::vector<std::string> texts;  // none: there is no value and no default
  ValueSource source = ValueSource::kDefault;
  std::string origin;  // "--listen", "HPC_MANAGER_LISTEN", "/etc/hpc-manager.toml line 3: listen"
};

/// Everything `serve` was told.
struct ServeSettings {
  ServeOptions options;               // of values without a problem; the others keep the default
  std::vector<ServeValue> values;     // in the order of serve_option_table()
  std::vector<std::string> problems;  // each names the option and says what to do
  std::vector<std::string> unknown;   // options whose value did not parse; "config": of the file
};

/// Flag, else environment, else configuration file, else default, for every option of the table,
/// and all problems of single values at once. Reads the file that --config names. Old names in the
/// environment count where the new one is not set: NAME_PORT_RANGE_START and _END,
/// HPC_PROXY_LOCAL_PORT, MAX_CONCURRENT_ATTEMPTS_PER_JOB, MAX_QUEUED_JOBS_PER_USER,
/// MAX_CONCURRENT_JOBS (max-users-launching).
ServeSettings read_serve_settings(const ServeFlags& flags, const EnvironmentMap& environment);

}  // namespace hpc
