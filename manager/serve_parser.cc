#include "manager/serve_parser.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>
#include <utility>

#include "manager/serve_check.h"
#include "manager/serve_table.h"

namespace hpc {

namespace {

constexpr const char* kServeExamples =
    "Examples:\n"
    "  hpc-manager serve --cluster main=alice@login01.example.org\n"
    "      one person: http://127.0.0.1:8000/, with a token of `hpc-manager tokens create`\n"
    "  hpc-manager serve --cluster main=login01 --identity /etc/hpc-manager/keys/%u \\\n"
    "      --public-url https://hpc.example.org --trusted-proxy 127.0.0.1 \\\n"
    "      --auth header --auth-header X-Remote-User\n"
    "      behind nginx on the same host, which does TLS and knows its users\n"
    "  hpc-manager serve --listen 0.0.0.0:443 --tls-cert /etc/hpc-manager/cert.pem \\\n"
    "      --tls-key /etc/hpc-manager/key.pem --public-url https://hpc.example.org \\\n"
    "      --auth ssh --cluster main=login01 --cluster gpu=login02\n"
    "      an institute: people log in as they do on the cluster, with one-time codes\n"
    "  hpc-manager serve --config /etc/hpc-manager.toml\n"
    "      everything in a file; `hpc-manager config check` says what it means\n"
    "\n"
    "Each option is also a key of --config (--max-sessions 50 is max-sessions = 50; several "
    "values\n"
    "are a list) and an environment variable (HPC_MANAGER_MAX_SESSIONS; several values with "
    "blanks\n"
    "between them). Flag before environment before file before default. Old names are read, too:\n"
    "NAME_PORT_RANGE_START and _END, MAX_CONCURRENT_ATTEMPTS_PER_JOB (--max-launching),\n"
    "MAX_QUEUED_JOBS_PER_USER, MAX_CONCURRENT_JOBS (--max-users-launching), and\n"
    "HPC_PROXY_LOCAL_PORT=9000, which is --local-ports 9000-9099.\n"
    "\n"
    "Never run as root. SIGTERM ends it when running exchanges are done; SIGHUP reads "
    "certificates\n"
    "and the file again.\n"
    "\n"
    "Exit codes: 0 ended with SIGTERM, 1 failure, 2 usage, 6 bad configuration.";

// CLI11 indents what it is given but does not break it.
std::string broken_into_lines(const std::string& help) {
  constexpr std::size_t kColumns = 68;  // beside its 30 for the flags
  std::string text;
  std::size_t column = 0;
  std::istringstream words(help);
  for (std::string word; words >> word;) {
    const bool fits = column + word.size() < kColumns;
    if (column > 0) text += fits ? ' ' : '\n';
    column = (column > 0 && fits ? column + 1 : 0) + word.size();
    text += word;
  }
  return text;
}

// What did not parse has its default now; advice that speaks of it would only be wrong.
bool is_doubtful(const std::string& problem, const std::vector<std::string>& unknown) {
  return std::any_of(unknown.begin(), unknown.end(), [&](const std::string& option) {
    return option == "config" ||
           (!option.empty() && problem.find("--" + option) != std::string::npos);
  });
}

}  // namespace

ServeFlagReader::ServeFlagReader(CLI::App& app) : app_(app), slots_(serve_option_table().size()) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const auto& row = serve_option_table()[i];
    const std::string flag = std::string("--") + row.name;
    const auto help = broken_into_lines(row.help);
    if (*row.metavar == '\0') {
      app.add_flag(flag, slots_[i].on, help)->group(row.group);
      continue;
    }
    CLI::Option* option = row.type == TomlType::kTexts ? app.add_option(flag, slots_[i].texts, help)
                                                       : app.add_option(flag, slots_[i].text, help);
    option->group(row.group)->type_name(row.metavar)->allow_extra_args(false);
    if (*row.default_value != '\0') option->default_str(row.default_value);
  }
}

ServeFlags ServeFlagReader::flags() const {
  ServeFlags flags;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const auto& row = serve_option_table()[i];
    if (app_.get_option(std::string("--") + row.name)->count() == 0) continue;
    auto& texts = flags[row.name];
    if (*row.metavar == '\0') {
      texts = {slots_[i].on ? "on" : "off"};
    } else if (row.type == TomlType::kTexts) {
      texts = slots_[i].texts;
    } else {
      texts = {slots_[i].text};
    }
  }
  return flags;
}

ServeSettings checked_serve_settings(const ServeFlags& flags, const EnvironmentMap& environment) {
  auto settings = read_serve_settings(flags, environment);
  auto more = check_serve_options(settings.options);
  for (auto& problem : check_serve_files(settings.options)) more.push_back(std::move(problem));
  for (auto& problem : more) {
    if (!is_doubtful(problem, settings.unknown)) settings.problems.push_back(std::move(problem));
  }
  return settings;
}

Result<std::variant<ServeOptions, PrintText>> parse_serve_command_line(
    const std::vector<std::string>& arguments, const EnvironmentMap& environment) {
  CLI::App app("Many users, one SSH connection each: sessions of several clusters under one URL.",
               "hpc-manager serve");
  ServeFlagReader reader(app);
  app.footer(kServeExamples);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    return PrintText{app.help()};
  } catch (const CLI::ParseError& error) {
    return fail(Errc::kUsage, "command line",
                std::string(error.what()) + "; see hpc-manager serve --help");
  }
  auto settings = checked_serve_settings(reader.flags(), environment);
  if (settings.problems.empty()) {
    settings.options.arguments = arguments;
    return std::move(settings.options);
  }
  std::string detail;
  for (const auto& problem : settings.problems) detail += (detail.empty() ? "" : "\n") + problem;
  return fail(Errc::kConfig, "configuration", std::move(detail));
}

Result<ServeOptions> read_serve_options_again(const ServeOptions& running,
                                              const EnvironmentMap& environment) {
  auto parsed = parse_serve_command_line(running.arguments, environment);
  if (!parsed) return tl::unexpected(parsed.error());
  if (auto* options = std::get_if<ServeOptions>(&*parsed)) return std::move(*options);
  return fail(Errc::kUsage, "command line", "--help is no configuration");
}

}  // namespace hpc
