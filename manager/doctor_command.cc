#include "manager/doctor_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "common/loop.h"
#include "manager/doctor_cluster.h"
#include "manager/doctor_local.h"
#include "manager/doctor_report.h"
#include "manager/serve_parser.h"
#include "manager/session/session_key.h"
#include "manager/session/user_identity.h"

namespace hpc {

namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hpc-manager doctor main --config /etc/hpc-manager.toml --user alice\n"
    "  hpc-manager doctor main --cluster main=alice@login01.example.org\n"
    "\n"
    "Run it as the user that serve runs as: other users have other keys and rights. Takes the\n"
    "options of serve and its environment; see hpc-manager serve --help.\n"
    "\n"
    "Exit codes: 0 no problem, 1 failure, 2 usage, 3 no such cluster, 4 not authenticated or not\n"
    "allowed, 5 timed out, 6 bad configuration; of the first problem.";

// serve has no terminal: it asks nobody whether a host key is right, and nobody for a password
// unless people log in with one.
class DoctorPrompter final : public SshPrompter {
 public:
  DoctorPrompter(SshPrompter& terminal, bool may_ask) : terminal_(terminal), may_ask_(may_ask) {}
  std::optional<std::string> ask(const std::string& prompt, bool echo) override {
    return may_ask_ ? terminal_.ask(prompt, echo) : std::nullopt;
  }
  std::optional<bool> confirm(const std::string&) override { return std::nullopt; }
  void cancel() noexcept override { terminal_.cancel(); }

 private:
  SshPrompter& terminal_;
  bool may_ask_;
};

std::string names_of(const std::vector<ClusterOption>& clusters) {
  std::string names;
  for (const auto& cluster : clusters) names += (names.empty() ? "" : ", ") + cluster.name;
  return names.empty() ? "none" : names;
}

UserIdentities identities_of(const ServeOptions& serve) {
  UserIdentities::Options options;
  for (const auto& cluster : serve.clusters) {
    options.clusters.push_back({cluster.name, cluster.target});
  }
  options.identity = serve.identity;
  options.known_hosts = serve.known_hosts;
  options.ssh_config = serve.ssh_config;
  options.sign_in = serve.auth == AuthMode::kSsh;
  return UserIdentities(std::move(options));
}

// Where to and as whom; nothing when that is not known, which the report then says.
std::optional<SshTarget> target_of(const DoctorOptions& options, DoctorReport& report) {
  const auto& serve = options.settings.options;
  const auto cluster =
      std::find_if(serve.clusters.begin(), serve.clusters.end(),
                   [&](const ClusterOption& c) { return c.name == options.cluster; });
  if (cluster == serve.clusters.end()) {
    report.problem("cluster", Errc::kNotFound,
                   "there is no cluster " + options.cluster + " (--cluster names " +
                       names_of(serve.clusters) + ")");
    return std::nullopt;
  }
  const auto user = options.user.empty() ? cluster->target.user.value_or("") : options.user;
  if (user.empty()) {
    report.problem(
        "cluster", Errc::kUsage,
        "name a user with --user: on " + options.cluster + " everybody logs in as himself");
    return std::nullopt;
  }
  const auto identities = identities_of(serve);
  auto target = identities.target_of(user, options.cluster);
  if (!target && target.error().code == Errc::kConfig && serve.auth == AuthMode::kSsh) {
    report.note("key", target.error().detail + "; this user logs in with a password");
    target = identities.sign_in_target(user, options.cluster);
  }
  if (!target) {
    report.problem(target.error().code == Errc::kConfig ? "key" : "cluster", target.error().code,
                   target.error().detail);
    return std::nullopt;
  }
  report.ok("cluster", options.cluster + " is " + target->host + ", as " +
                           target->user.value_or("ssh_config's user"));
  return *target;
}

}  // namespace

Result<std::variant<DoctorOptions, PrintText>> parse_doctor_command_line(
    const std::vector<std::string>& arguments, const EnvironmentMap& environment) {
  CLI::App app("Looks at everything between this machine and a user's hpc-proxy, step by step.",
               "hpc-manager doctor");
  app.footer(kExamples);
  DoctorOptions options;
  app.add_option("CLUSTER", options.cluster, "name of the cluster")->required();
  app.add_option("--user", options.user, "whose way there; not needed where USER@ is fixed")
      ->type_name("NAME");
  app.add_flag("--json", options.json, "print JSON");
  ServeFlagReader reader(app);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    return PrintText{app.help()};
  } catch (const CLI::ParseError& error) {
    return fail(Errc::kUsage, "command line",
                std::string(error.what()) + "; see hpc-manager doctor --help");
  }
  if (!options.user.empty() && !is_session_name(options.user)) {
    return fail(Errc::kUsage, "command line",
                "--user: '" + options.user + "' is no user's name (a-z, 0-9, '.', '_', '-')");
  }
  options.settings = checked_serve_settings(reader.flags(), environment);
  return options;
}

int run_doctor(const DoctorOptions& options, SshPrompter& prompter) {
  DoctorReport report(options.json ? DoctorReport::Say() : [](const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  });
  examine_this_machine(options.settings, report);
  const auto target = target_of(options, report);
  if (target && examine_network(*target, report)) {
    Loop loop;
    const auto scheduler = make_loop_scheduler(loop);
    DoctorPrompter asked(prompter, options.settings.options.auth == AuthMode::kSsh);
    const auto connector = make_ssh_connector(loop);
    auto cluster = std::make_unique<DoctorCluster>(*scheduler, *connector, asked, *target, report,
                                                   [&loop] { loop.stop(); });
    cluster->start();
    loop.run();
  }
  if (options.json) std::fputs(report.json(options.cluster, options.user).c_str(), stdout);
  return report.code();
}

}  // namespace hpc
