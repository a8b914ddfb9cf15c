#include "manager/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "manager/config_check.h"
#include "manager/doctor_command.h"
#include "manager/serve_parser.h"

namespace hpc {

namespace {

constexpr const char* kConnectExamples =
    "Examples:\n"
    "  hpc-manager connect alice@login01.example.org\n"
    "      then open http://127.0.0.1:9000/port/5500/ for what listens on 127.0.0.1:5500 of your "
    "job's node\n"
    "  hpc-manager connect --port 9001 --job 4711 login01\n"
    "      a job of your choice, on another local port (host names and keys as in ~/.ssh/config)\n"
    "  hpc-manager connect --wait --open login01\n"
    "      waits until a job with hpc-proxy runs and opens the browser\n"
    "\n"
    "Every flag is also an environment variable: --known-hosts is HPC_MANAGER_KNOWN_HOSTS.\n"
    "HPC_PROXY_LOCAL_PORT is the old name of HPC_MANAGER_PORT.\n"
    "\n"
    "Exit codes: 0 ended with Ctrl-C, 1 failure, 2 usage, 3 no job with hpc-proxy, 4 not\n"
    "authenticated, 5 timed out, 6 bad configuration.";

// As CLI11 delivers them; turned into ConnectOptions once parsing is over.
struct RawConnect {
  std::string destination;
  std::string port = "9000";
  std::string job, known_hosts, ssh_config;
  std::vector<std::string> identities;
  std::string access = "uid";
  std::string root_fallback = "on";
  std::string log_format = "text";
  bool open = false, wait = false, verbose = false;
};

tl::unexpected<Error> usage(std::string detail) {
  return fail(Errc::kUsage, "command line", std::move(detail));
}

std::optional<std::uint16_t> parse_port(std::string_view text, unsigned lowest) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value < lowest || value > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

bool is_plain(std::string_view text) {
  return !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '\'' && c != '"' && c != '\\' && c != '/' && c != '@';
  });
}

// Like CLI::IsMember, whose words would stand in the help a second time.
CLI::Validator one_of(std::string first, std::string second) {
  return {[first = std::move(first), second = std::move(second)](const std::string& word) {
            if (word == first || word == second) return std::string();
            return "'" + word + "' is neither " + first + " nor " + second;
          },
          ""};
}

CLI::App* add_connect(CLI::App& app, RawConnect& raw) {
  auto* connect = app.add_subcommand(
      "connect", "Bring the ports of your job's node to http://127.0.0.1:9000/ on this machine");
  connect->footer(kConnectExamples);
  connect->add_option("destination", raw.destination, "where sshd answers")
      ->required()
      ->type_name("[USER@]HOST[:SSH_PORT]");
  const auto text = [&](const char* flag, std::string& value, const char* environment,
                        const char* help, const char* type) {
    return connect->add_option(flag, value, help)->envname(environment)->type_name(type);
  };
  text("--port", raw.port, "HPC_MANAGER_PORT", "local port; 0 takes a free one", "N")
      ->capture_default_str();
  text("--job", raw.job, "HPC_MANAGER_JOB", "only the hpc-proxy of this job", "ID");
  connect->add_option("--identity", raw.identities, "private key file, may be repeated")
      ->envname("HPC_MANAGER_IDENTITY")
      ->type_name("FILE")
      ->allow_extra_args(false);
  text("--known-hosts", raw.known_hosts, "HPC_MANAGER_KNOWN_HOSTS", "instead of ssh's own", "FILE");
  text("--ssh-config", raw.ssh_config, "HPC_MANAGER_SSH_CONFIG", "instead of ~/.ssh/config",
       "FILE");
  text("--access", raw.access, "HPC_MANAGER_ACCESS",
       "who may use the local port: your own processes, or who opens the one-time URL", "uid|url")
      ->check(one_of("uid", "url"))
      ->capture_default_str();
  text("--root-fallback", raw.root_fallback, "HPC_MANAGER_ROOT_FALLBACK",
       "send /x that a page under /port/N/ asks for to /port/N/x, for apps that only work at /",
       "on|off")
      ->check(one_of("on", "off"))
      ->capture_default_str();
  text("--log-format", raw.log_format, "HPC_MANAGER_LOG_FORMAT", "of what is said on stderr",
       "text|json")
      ->check(one_of("text", "json"))
      ->capture_default_str();
  const auto flag = [&](const char* name, bool& value, const char* environment, const char* help) {
    connect->add_flag(name, value, help)->envname(environment);
  };
  flag("--open", raw.open, "HPC_MANAGER_OPEN", "open the browser once it works");
  flag("--wait", raw.wait, "HPC_MANAGER_WAIT", "no job yet: keep looking instead of exit 3");
  flag("--verbose", raw.verbose, "HPC_MANAGER_VERBOSE", "say more on stderr");
  return connect;
}

Result<ConnectOptions> checked(const RawConnect& raw, bool port_given) {
  ConnectOptions options;
  if (auto status = parse_ssh_destination(raw.destination, options.target); !status) {
    return tl::unexpected(status.error());
  }
  std::string port_text = raw.port;
  const char* old_name = std::getenv("HPC_PROXY_LOCAL_PORT");
  if (!port_given && old_name != nullptr && *old_name != '\0') port_text = old_name;
  const auto port = parse_port(port_text, 0);
  if (!port) return usage("--port: '" + port_text + "' is not a port (0 to 65535)");
  options.port = *port;
  if (!raw.job.empty()) {
    if (!is_plain(raw.job)) return usage("--job: '" + raw.job + "' is not a job id");
    options.job = raw.job;
  }
  options.target.identities = raw.identities;
  if (!raw.known_hosts.empty()) options.target.known_hosts = raw.known_hosts;
  if (!raw.ssh_config.empty()) options.target.ssh_config = raw.ssh_config;
  options.access = raw.access == "url" ? AccessMode::kUrl : AccessMode::kUid;
  options.log_format = raw.log_format == "json" ? LogFormat::kJson : LogFormat::kText;
  options.root_fallback = raw.root_fallback == "on";
  options.open = raw.open;
  options.wait = raw.wait;
  options.verbose = raw.verbose;
  if (options.open && options.access == AccessMode::kUrl) {
    return usage(
        "--open cannot be used with --access url: the one-time URL is a secret and would be seen "
        "in the browser's command line; open the printed URL yourself");
  }
  return options;
}

}  // namespace

Status parse_ssh_destination(const std::string& text, SshTarget& target) {
  std::string_view rest = text;
  const auto wrong = [&] {
    return usage("'" + text + "' is not [USER@]HOST[:SSH_PORT]; for an IPv6 address write [::1]");
  };
  // The last @, as ssh does: user names with an @ exist.
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    const auto user = rest.substr(0, at);
    if (user.empty() || user.front() == '-' ||
        std::any_of(user.begin(), user.end(), [](char c) { return c <= ' ' || c == 0x7f; })) {
      return wrong();
    }
    target.user = std::string(user);
    rest.remove_prefix(at + 1);
  }
  std::string_view port_text;
  bool has_port = false;
  if (!rest.empty() && rest.front() == '[') {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return wrong();
    const auto after = rest.substr(close + 1);
    if (!after.empty() && after.front() != ':') return wrong();
    has_port = !after.empty();
    if (has_port) port_text = after.substr(1);
    rest = rest.substr(1, close - 1);
  } else if (std::count(rest.begin(), rest.end(), ':') == 1) {
    const auto colon = rest.find(':');
    has_port = true;
    port_text = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  if (!is_plain(rest) || rest.find_first_of("[]") != std::string_view::npos) return wrong();
  target.host = std::string(rest);
  if (has_port) {
    target.port = parse_port(port_text, 1);
    if (!target.port) return wrong();
  }
  return {};
}

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments.front() == "serve") {
    auto serve = parse_serve_command_line({arguments.begin() + 1, arguments.end()},
                                          environment_of_process());
    if (!serve) return tl::unexpected(serve.error());
    return std::visit([](auto& one) { return CommandLine(std::move(one)); }, *serve);
  }
  if (!arguments.empty() && arguments.front() == "config") {
    return config_check({arguments.begin() + 1, arguments.end()}, environment_of_process());
  }
  if (!arguments.empty() && arguments.front() == "doctor") {
    auto doctor = parse_doctor_command_line({arguments.begin() + 1, arguments.end()},
                                            environment_of_process());
    if (!doctor) return tl::unexpected(doctor.error());
    return std::visit([](auto& what) { return CommandLine(std::move(what)); }, *doctor);
  }
  CLI::App app("Reaches the web apps of your SLURM jobs over SSH.", "hpc-manager");
  RawConnect raw;
  auto* connect = add_connect(app, raw);
  // Named for --help only; their arguments are read elsewhere.
  app.add_subcommand("serve", "Many users' sessions behind one address, each his own");
  app.add_subcommand("config", "check: what the configuration of serve means, what is wrong in it");
  app.add_subcommand("doctor", "Look at everything between this machine and a cluster's hpc-proxy");
  app.add_subcommand("sessions", "list, show, start, stop ... the sessions of the running serve");
  app.add_subcommand("queue", "What waits for its start");
  app.add_subcommand("ports", "Which local ports are lent");
  app.add_subcommand("tokens", "create, list, revoke tokens for programs and the login form");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("hpc-manager ") + HPC_VERSION);
  app.footer("hpc-manager COMMAND --help says more.");
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForVersion& version) {
    return PrintText{std::string(version.what()) + "\n"};
  } catch (const CLI::CallForHelp&) {
    return PrintText{app.help()};
  } catch (const CLI::ParseError& error) {
    return usage(std::string(error.what()) + "; see hpc-manager connect --help");
  }
  auto options = checked(raw, connect->get_option("--port")->count() > 0);
  if (!options) return tl::unexpected(options.error());
  return *options;
}

}  // namespace hpc
