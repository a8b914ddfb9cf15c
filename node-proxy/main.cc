#include <cstdio>
#include <string>
#include <vector>

#include "common/exit_code.h"
#include "node-proxy/options.h"
#include "node-proxy/run/run_command.h"
#include "node-proxy/serve.h"
#include "node-proxy/verbs.h"
#include "node-proxy/version.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const auto environment = hpc::process_environment();
  const auto options = hpc::parse_options(arguments, environment);
  if (!options) {
    std::fprintf(stderr, "%s\n", hpc::describe(options.error()).c_str());
    return hpc::exit_code(options.error().code);
  }
  switch (options->verb) {
    case hpc::Verb::kHelp:
      std::fputs(
          hpc::help_text(options->arguments.empty() ? "" : options->arguments.front()).c_str(),
          stdout);
      return 0;
    case hpc::Verb::kVersion:
      std::printf("hpc-proxy %s\n", hpc::kProgramVersion);
      return 0;
    case hpc::Verb::kServe:
      return hpc::serve(*options, environment);
    case hpc::Verb::kRun:
      return hpc::run_command(*options, environment);
    default:
      return hpc::run_verb(*options, environment);
  }
}
