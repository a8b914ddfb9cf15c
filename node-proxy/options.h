#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_server.h"
#include "common/log.h"
#include "common/result.h"
#include "node-proxy/port_set.h"

namespace hpc {

enum class Verb : std::uint8_t {
  kServe,
  kRun,
  kStatus,
  kPorts,
  kUrl,
  kEnv,
  kWait,
  kStop,
  kApp,
  kHelp,
  kVersion
};

/// Where the command of `run` has its ports (contract 1.6).
enum class PrivateMode : std::uint8_t {
  kLoopback,  // on a loopback address of its own, by a preloaded library
  kNetns,     // in a network namespace of its own
  kAuto,      // kNetns where the kernel allows it, else kLoopback
  kOff,       // where every other program has them
};

/// What the command line and the environment ask for. Milliseconds and bytes, checked for range.
struct Options {
  Verb verb = Verb::kServe;
  std::vector<std::string> arguments;  // of the verb: the port of `url`, `wait`; the target of
                                       // `app`; of --help: the verb

  PortRange port;         // 0-0: any free one
  std::string host;       // empty: all addresses of both families
  std::string state_dir;  // empty only when neither --state-dir nor HOME is there
  std::string port_file;  // empty: the file `port` in state_dir
  bool daemon = false;
  std::optional<int> ready_fd;
  bool verbose = false;
  LogFormat log_format = LogFormat::kText;
  std::string url_template;  // empty: the default, "/port/{port}/"
  PortSet allow_ports;
  PortSet allow_foreign_ports;  // empty: none
  std::string app;              // the target of /app/; empty: none yet
  bool require_token = false;
  bool root_fallback = true;
  bool base_rewrite = false;
  std::uint64_t idle_exit_ms = 0;  // 0: never
  std::uint64_t connect_timeout_ms = 0;
  HttpServerOptions server;

  PrivateMode private_mode = PrivateMode::kLoopback;  // of `run`
  std::string shared_ports;  // of `run`, never moved: a list as PortSet reads it; empty: none
  std::vector<std::string> command;  // of `run`: what is behind `--`, never empty there

  bool json = false;
  bool keep_prefix = false;      // of `app`
  std::uint64_t timeout_ms = 0;  // of `wait`
};

constexpr std::string_view kDefaultUrlTemplate = "/port/{port}/";

/// Where an option comes from when the command line does not have it: getenv, or a test's.
using Environment = std::function<std::optional<std::string>(const char* name)>;
Environment process_environment();

/// Flag, else environment, else default. `arguments` without the program's name. kUsage with a
/// message that names the option and its value.
Result<Options> parse_options(std::span<const std::string> arguments,
                              const Environment& environment);

/// The text of --help, from the table that the parser uses; of a command where it is named and has
/// a text of its own.
std::string help_text(std::string_view verb = {});
/// Is --`option` (without the dashes) one of that command's? Not for serve, which takes its own.
bool verb_takes(std::string_view verb, std::string_view option);

/// The environment's name of an option: "url-template" is HPC_PROXY_URL_TEMPLATE.
std::string environment_name(std::string_view option);

}  // namespace hpc
