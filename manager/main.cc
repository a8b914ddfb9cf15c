#include <sodium.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <variant>
#include <vector>

#include "common/exit_code.h"
#include "manager/connect_command.h"
#include "manager/console.h"
#include "manager/doctor_command.h"
#include "manager/operator_verbs.h"
#include "manager/options.h"
#include "manager/serve_command.h"
#include "manager/ssh/terminal_prompter.h"

namespace {

// Every browser connection is one; 1024 of them and our own few fit.
constexpr rlim_t kDescriptorsWanted = 4096;

// Tokens, passphrases and keys pass through this process: no core dump, no debugger of the same
// user's other processes.
void protect_process() {
  prctl(PR_SET_DUMPABLE, 0);
  std::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < kDescriptorsWanted) {
    files.rlim_cur = std::min(files.rlim_max, kDescriptorsWanted);
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

}  // namespace

int main(int argc, char** argv) {
  protect_process();
  if (sodium_init() < 0) {
    std::fputs("hpc-manager: no source of random numbers\n", stderr);
    return 1;
  }
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && hpc::is_verb(arguments.front())) return hpc::run_verb(arguments);
  const auto command = hpc::parse_command_line(arguments);
  if (!command) {
    std::fputs(hpc::console_text(command.error().detail).c_str(), stderr);
    return hpc::exit_code(command.error().code);
  }
  if (const auto* print = std::get_if<hpc::PrintText>(&*command)) {
    std::fputs(print->text.c_str(), stdout);
    std::fputs(print->problems.c_str(), stderr);
    return print->code;
  }
  if (const auto* serve = std::get_if<hpc::ServeOptions>(&*command)) {
    return hpc::ServeCommand(*serve).run();
  }
  hpc::TerminalPrompter prompter;
  if (const auto* doctor = std::get_if<hpc::DoctorOptions>(&*command)) {
    return hpc::run_doctor(*doctor, prompter);
  }
  hpc::ConnectCommand connect(std::get<hpc::ConnectOptions>(*command), prompter);
  return connect.run();
}
