#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "manager/serve_options.h"
#include "manager/toml_reader.h"

namespace hpc {

// A person's list: clusters, rules, names. More is a mistake in the file.
constexpr std::size_t kServeListMax = 256;

/// One option of `serve`. The table of them feeds the flags, the environment, the configuration
/// file, --help, `config check` and what tests hold the documentation against.
struct ServeOptionRow {
  const char* name;           // --listen, HPC_MANAGER_LISTEN, `listen =` in the file
  const char* group;          // heading in --help
  const char* metavar;        // "" for a switch
  const char* default_value;  // as a person would write it; "" for none
  TomlType type;              // in the file; kTexts may be given several times
  const char* help;
  /// Stores `texts` (one, or several with kTexts; a switch has "on" or "off"). The error's detail
  /// says what is wrong and what to write.
  Status (*apply)(ServeOptions& options, const std::vector<std::string>& texts);
};

std::span<const ServeOptionRow> serve_option_table();

/// Whether the text is a path, where a leading ~/ is the home directory.
bool is_path_option(const ServeOptionRow& row);

/// "HPC_MANAGER_TRUSTED_PROXY" of "trusted-proxy".
std::string serve_environment_name(std::string_view option);

}  // namespace hpc
