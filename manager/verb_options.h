#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "manager/options.h"

namespace hpc {

/// What an operator asks of the running `serve`.
enum class OperatorVerb : std::uint8_t {
  kSessionsList,
  kSessionsShow,
  kSessionsStart,
  kSessionsStop,
  kSessionsLogs,
  kSessionsExtend,
  kQueue,
  kPorts,
  kTokensCreate,
  kTokensList,
  kTokensRevoke,
};

/// `hpc-manager sessions list` and the others, as the command line says it. Values of the API are
/// the API's to check.
struct VerbOptions {
  OperatorVerb verb = OperatorVerb::kSessionsList;
  std::string socket;   // empty: none is known
  bool json = false;    // print the API's answer as it is
  bool attach = false;  // of start: no job is started
  bool wait = true;     // of start: until the session runs or has ended
  bool follow = false;  // of logs: as it grows
  std::string id;       // of show, stop, logs, extend, revoke
  std::string user;     // of start and tokens create; lists: only this user's, empty: everybody's
  std::string cluster, ide, job, label, memory, time, partition, account;
  std::optional<std::uint64_t> slot, cpus, gpus;
  std::uint64_t minutes = 0;  // of extend
  std::optional<std::uint64_t> expires_s;
};

using VerbCommandLine = std::variant<VerbOptions, PrintText>;

/// Flag, else HPC_MANAGER_SOCKET, else default_socket_path(). kUsage with a message that says what
/// is wrong.
Result<VerbCommandLine> parse_verb_line(const std::vector<std::string>& arguments);

/// "30d", "12h", "90m", "45s" as seconds; nothing for anything else, for 0 and for more than ten
/// years.
std::optional<std::uint64_t> parse_duration_s(std::string_view text);

}  // namespace hpc
