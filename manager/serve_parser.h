#pragma once
#include <string>
#include <variant>
#include <vector>

#include "manager/options.h"
#include "manager/serve_options.h"
#include "manager/serve_settings.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library is called so
class App;
}

namespace hpc {

/// Takes the flags of serve_option_table() off a command line. `App` keeps pointers into it.
class ServeFlagReader {
 public:
  explicit ServeFlagReader(CLI::App& app);
  ServeFlagReader(const ServeFlagReader&) = delete;
  ServeFlagReader& operator=(const ServeFlagReader&) = delete;
  /// What was given; after App::parse().
  ServeFlags flags() const;

 private:
  struct Slot {
    std::string text;
    std::vector<std::string> texts;
    bool on = false;
  };
  CLI::App& app_;
  std::vector<Slot> slots_;  // as serve_option_table(); never grows after the constructor
};

/// Values of one place with everything that is wrong with them: single values, how they fit
/// together, files.
ServeSettings checked_serve_settings(const ServeFlags& flags, const EnvironmentMap& environment);

/// `hpc-manager serve ...`, `arguments` without the two words: parse_command_line() hands over here
/// once there is a command that runs it. kUsage: the command line is wrong;
/// kConfig: a value is, or they do not fit together; the detail has one problem a line, each with
/// what to do.
Result<std::variant<ServeOptions, PrintText>> parse_serve_command_line(
    const std::vector<std::string>& arguments, const EnvironmentMap& environment);

/// Reads everything again, for SIGHUP: same arguments, same environment, the file as it is now.
Result<ServeOptions> read_serve_options_again(const ServeOptions& running,
                                              const EnvironmentMap& environment);

}  // namespace hpc
