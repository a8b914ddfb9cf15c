#include "manager/verb_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "manager/paths.h"
#include "manager/session/session_key.h"

namespace hpc {

namespace {

constexpr std::uint64_t kDurationSecondsMax = std::uint64_t{3650} * 24 * 3600;
constexpr std::size_t kDurationDigitsMax = 9;

constexpr const char* kExits =
    "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 no serve is running or there is no such\n"
    "thing, 4 not allowed, 5 timed out, 6 bad configuration.";

constexpr const char* kSessionsHelp =
    "Examples:\n"
    "  hpc-manager sessions list\n"
    "  hpc-manager sessions start --user alice --cluster main --ide vscode --cpus 4 --time "
    "2:00:00\n"
    "      says what happens until it runs, then prints its address; Ctrl-C only ends the waiting\n"
    "  hpc-manager sessions start --user alice --cluster main --ide vscode --job 4711\n"
    "      for a job of alice's that runs already\n"
    "  hpc-manager sessions logs 3f2a... --follow\n"
    "  hpc-manager sessions extend 3f2a... --minutes 60\n"
    "  hpc-manager sessions stop 3f2a...\n"
    "\n";

constexpr const char* kTokensHelp =
    "Examples:\n"
    "  hpc-manager tokens create --user alice --label laptop --expires 30d\n"
    "      prints the token, which nobody can show again: give it to alice only, who logs in with "
    "it\n"
    "  hpc-manager tokens list\n"
    "  hpc-manager tokens revoke 12ab...\n"
    "\n";

tl::unexpected<Error> usage(std::string detail) {
  return fail(Errc::kUsage, "command line", std::move(detail));
}

// As CLI11 fills it in.
struct RawVerb {
  VerbOptions options;
  std::string expires;
  std::vector<std::pair<CLI::App*, OperatorVerb>> verbs;
};

CLI::App* add_verb(CLI::App& parent, RawVerb& raw, const char* name, const char* what,
                   OperatorVerb verb) {
  auto* app = parent.add_subcommand(name, what);
  // Not by CLI11's envname(): it would fill the value in for the other verbs, too, behind the flag.
  app->add_option("--socket", raw.options.socket,
                  "where serve listens for operators (Env:HPC_MANAGER_SOCKET)")
      ->type_name("PATH");
  app->add_flag("--json", raw.options.json, "print the answer of the API as it is");
  raw.verbs.emplace_back(app, verb);
  return app;
}

void add_id(CLI::App* app, RawVerb& raw, const char* what) {
  app->add_option("ID", raw.options.id, what)->required()->type_name("");
}

void add_start(CLI::App& sessions, RawVerb& raw) {
  auto& options = raw.options;
  auto* start =
      add_verb(sessions, raw, "start", "begin a session for a user", OperatorVerb::kSessionsStart);
  start->add_option("--user", options.user, "whose it is")->required()->type_name("NAME");
  start->add_option("--cluster", options.cluster, "where it runs")->required()->type_name("NAME");
  start
      ->add_option("--ide", options.ide,
                   "the job template: vscode, jupyter, rstudio, plain or one of the site's")
      ->required()
      ->type_name("NAME");
  start->add_option("--job", options.job, "attach to this job, which runs already")
      ->type_name("ID");
  start->add_flag("--attach", options.attach,
                  "start no job: attach to any hpc-proxy of the user that runs already");
  start->add_option("--slot", options.slot, "the how-manieth of its kind; default: the first free")
      ->type_name("N");
  start->add_option("--cpus", options.cpus, "for the job")->type_name("N");
  start->add_option("--gpus", options.gpus, "for the job")->type_name("N");
  start->add_option("--memory", options.memory, "for the job, as sbatch --mem")->type_name("SIZE");
  start->add_option("--time", options.time, "for the job, as sbatch --time")->type_name("TIME");
  start->add_option("--partition", options.partition, "for the job")->type_name("NAME");
  start->add_option("--account", options.account, "that the job is charged to")->type_name("NAME");
  start->add_flag_callback(
      "--no-wait", [&options] { options.wait = false; },
      "do not wait until it runs: show what was begun");
}

void add_sessions(CLI::App& app, RawVerb& raw) {
  auto* sessions =
      app.add_subcommand("sessions", "List, show, start, extend and stop sessions; their logs");
  sessions->require_subcommand(1);
  sessions->footer(std::string(kSessionsHelp) + kExits);
  auto* list = add_verb(*sessions, raw, "list", "all live sessions", OperatorVerb::kSessionsList);
  list->add_option("--user", raw.options.user, "only this user's")->type_name("NAME");
  add_id(add_verb(*sessions, raw, "show", "one session", OperatorVerb::kSessionsShow), raw,
         "of the session");
  add_start(*sessions, raw);
  add_id(add_verb(*sessions, raw, "stop", "end a session", OperatorVerb::kSessionsStop), raw,
         "of the session");
  auto* logs =
      add_verb(*sessions, raw, "logs", "the log of a session's job", OperatorVerb::kSessionsLogs);
  add_id(logs, raw, "of the session");
  logs->add_flag("--follow", raw.options.follow, "go on as it grows, until the session has ended");
  auto* extend = add_verb(*sessions, raw, "extend", "ask SLURM for more time for a session's job",
                          OperatorVerb::kSessionsExtend);
  add_id(extend, raw, "of the session");
  extend->add_option("--minutes", raw.options.minutes, "so many more")->required()->type_name("N");
}

void add_tokens(CLI::App& app, RawVerb& raw) {
  auto* tokens = app.add_subcommand("tokens", "Create, list and revoke users' tokens");
  tokens->require_subcommand(1);
  tokens->footer(std::string(kTokensHelp) + kExits);
  auto* create =
      add_verb(*tokens, raw, "create", "make a token for a user", OperatorVerb::kTokensCreate);
  create->add_option("--user", raw.options.user, "who can log in with it")
      ->required()
      ->type_name("NAME");
  create->add_option("--label", raw.options.label, "what it is for")->type_name("TEXT");
  create->add_option("--expires", raw.expires, "after this time; default: never")
      ->type_name("30d|12h|90m");
  auto* list = add_verb(*tokens, raw, "list", "all tokens", OperatorVerb::kTokensList);
  list->add_option("--user", raw.options.user, "only this user's")->type_name("NAME");
  add_id(add_verb(*tokens, raw, "revoke", "make a token useless", OperatorVerb::kTokensRevoke), raw,
         "of the token, as tokens list shows it");
}

Result<VerbCommandLine> checked(RawVerb& raw) {
  auto& options = raw.options;
  for (const auto& [app, verb] : raw.verbs) {
    if (app->parsed()) options.verb = verb;
  }
  const char* environment = std::getenv("HPC_MANAGER_SOCKET");
  if (options.socket.empty() && environment != nullptr) options.socket = environment;
  if (options.socket.empty()) options.socket = default_socket_path();
  if (!raw.expires.empty()) {
    options.expires_s = parse_duration_s(raw.expires);
    if (!options.expires_s) {
      return usage("--expires: '" + raw.expires + "' is no time such as 30d, 12h or 90m");
    }
  }
  // It goes into a path of the API as it is, so nothing may have a meaning there.
  const bool plain = std::all_of(options.id.begin(), options.id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  if (!plain) return usage("'" + options.id + "' is no id; hpc-manager sessions list shows them");
  if (!options.user.empty() && !is_session_name(options.user)) {
    return usage("--user: '" + options.user + "' is no user's name (a-z, 0-9, '.', '_', '-')");
  }
  return options;
}

}  // namespace

std::optional<std::uint64_t> parse_duration_s(std::string_view text) {
  if (text.size() < 2 || text.size() > kDurationDigitsMax + 1) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  constexpr std::string_view kUnits = "smhd";
  constexpr std::uint64_t kSeconds[] = {1, 60, 3600, 86400};
  const auto unit = kUnits.find(text.back());
  if (unit == std::string_view::npos) return std::nullopt;
  value *= kSeconds[unit];
  if (value == 0 || value > kDurationSecondsMax) return std::nullopt;
  return value;
}

Result<VerbCommandLine> parse_verb_line(const std::vector<std::string>& arguments) {
  CLI::App app("Asks the running hpc-manager serve, over its socket for operators.", "hpc-manager");
  RawVerb raw;
  app.require_subcommand(1);
  add_sessions(app, raw);
  add_verb(app, raw, "queue", "Show the sessions that wait to be launched", OperatorVerb::kQueue)
      ->footer(kExits);
  add_verb(app, raw, "ports", "Show how many local ports are lent", OperatorVerb::kPorts)
      ->footer(kExits);
  add_tokens(app, raw);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    return PrintText{app.help()};
  } catch (const CLI::ParseError& error) {
    return usage(std::string(error.what()) + "; see hpc-manager " +
                 (arguments.empty() ? "" : arguments.front() + " ") + "--help");
  }
  return checked(raw);
}

}  // namespace hpc
