#pragma once
#include <string>
#include <vector>

#include "manager/options.h"
#include "manager/serve_settings.h"

namespace hpc {

/// `hpc-manager config check [--json] [options of serve]`: every value that `serve` would use and
/// where it comes from, then what is wrong with them. `arguments` without "config". Exit code 6
/// with problems; kUsage where the command line is no such command.
Result<PrintText> config_check(const std::vector<std::string>& arguments,
                               const EnvironmentMap& environment);

/// One line a value: name, value, source. For people.
std::string settings_text(const ServeSettings& settings);

/// {"options":[{"name","values","source":"flag|environment|file|default","origin"}],
/// "problems":[...]}, one line.
std::string settings_json(const ServeSettings& settings);

}  // namespace hpc
