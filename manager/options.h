#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/log.h"
#include "common/result.h"
#include "manager/doctor_options.h"
#include "manager/serve_options.h"
#include "manager/ssh/ssh_connector.h"

namespace hpc {

/// Who may use the local port of `connect` (contract 2.1).
enum class AccessMode : std::uint8_t {
  kUid,  // processes of the same uid on this machine, told by the kernel
  kUrl,  // whoever opened the one-time URL and carries its cookie
};

/// `hpc-manager connect`, everything from flags and environment, checked.
struct ConnectOptions {
  SshTarget target;
  std::uint16_t port = 9000;       // local, 0..65535; 0 takes a free one
  std::optional<std::string> job;  // only the hpc-proxy of this job
  AccessMode access = AccessMode::kUid;
  bool root_fallback = true;
  bool open = false;  // start a browser once it works
  bool wait = false;  // with no job running yet: keep looking instead of exit 3
  LogFormat log_format = LogFormat::kText;
  bool verbose = false;
};

/// Text that was asked for (--help, --version, config check): print it and exit.
struct PrintText {
  std::string text;           // on stdout
  std::string problems = {};  // on stderr
  int code = 0;               // exit code
};

using CommandLine = std::variant<ConnectOptions, ServeOptions, DoctorOptions, PrintText>;

/// Flag, else environment, else default. kUsage with a message that names the flag and says what
/// it takes.
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments);

/// `[USER@]HOST[:PORT]`, HOST also `[v6]`. kUsage; nothing that `ssh` would take for an option
/// passes.
Status parse_ssh_destination(const std::string& text, SshTarget& target);

}  // namespace hpc
