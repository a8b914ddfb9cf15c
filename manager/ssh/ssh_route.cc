#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>

#include "manager/ssh/run_program.h"
#include "manager/ssh/ssh_handshake.h"

namespace hpc {
namespace {

// Longer chains are loops in ssh_config.
constexpr std::size_t kHopsMax = 8;

SshLocalUser local_user() {
  SshLocalUser user;
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr) {
    user.name = entry.pw_name;
    user.home = entry.pw_dir;
  }
  user.uid = std::to_string(geteuid());
  user.environment = [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value != nullptr ? value : "");
  };
  return user;
}

/// Reads the route depth first: a jump host may have jump hosts of its own.
class RoutePlanner {
 public:
  RoutePlanner(const std::string& program, const SshAttempt& attempt)
      : program_(program), attempt_(attempt), local_(local_user()) {}

  Status add(const SshTarget& target, const std::vector<std::string>* jumps_given) {
    auto config = values_of(target);
    if (!config) return tl::unexpected(config.error());
    apply(target, *config);
    if (!config->proxy_command.empty()) {
      return fail(Errc::kConfig, "ssh.config",
                  "ProxyCommand is set for " + target.host + " (" + config->proxy_command +
                      ") and is not supported: use ProxyJump, or ProxyCommand none");
    }
    const auto jumps = jumps_given != nullptr ? *jumps_given : config->jump_hosts;
    if (auto before = add_jumps(target, jumps); !before) return before;
    if (hops_.size() >= kHopsMax) {
      return fail(Errc::kConfig, "ssh.config",
                  "more than " + std::to_string(kHopsMax) + " hosts on the way to " + target.host +
                      ": look for a loop in ProxyJump");
    }
    hops_.push_back(
        {std::move(*config), {target.identities, target.only_identities, target.only_prompts}});
    return {};
  }

  std::vector<SshHop> take() { return std::move(hops_); }
  bool no_program() const { return no_program_; }

 private:
  // Of "a,b" the last one, b, is reached through the ones before it.
  Status add_jumps(const SshTarget& target, std::vector<std::string> jumps) {
    if (jumps.empty()) return {};
    const auto jump = parse_ssh_jump(jumps.back());
    if (!jump) return tl::unexpected(jump.error());
    jumps.pop_back();
    SshTarget before;
    before.host = jump->host;
    before.user = jump->user;
    before.port = jump->port;
    before.known_hosts = target.known_hosts;
    before.ssh_config = target.ssh_config;
    before_asks_ = before_asks_ && !target.only_prompts;
    if (++depth_ > kHopsMax) return fail(Errc::kConfig, "ssh.config", "ProxyJump loops");
    return add(before, jumps.empty() ? nullptr : &jumps);
  }

  Result<SshConfig> values_of(const SshTarget& target) {
    if (target.host.empty() || target.host.front() == '-') {
      return fail(Errc::kConfig, "ssh.config", "'" + target.host + "' is not a host name");
    }
    std::vector<std::string> command{program_, "-G", "-T"};
    const auto option = [&command](const char* name, const std::string& value) {
      command.emplace_back(name);
      command.push_back(value);
    };
    if (target.ssh_config) option("-F", *target.ssh_config);
    if (target.port) option("-p", std::to_string(*target.port));
    if (target.user) option("-l", *target.user);
    command.emplace_back("--");
    command.push_back(target.host);
    ProgramLimits limits;
    limits.cancelled = [this] { return attempt_.cancelled(); };
    const auto output = run_program(command, limits);
    if (!output && output.error().code == Errc::kNotFound) {
      no_program_ = true;
      return default_ssh_config(target.host, local_);
    }
    if (!output) return fail(Errc::kConfig, "ssh.config", describe(output.error()));
    if (output->exit_status != 0) {
      return fail(Errc::kConfig, "ssh.config", "ssh -G " + target.host + ": " + output->err);
    }
    return parse_ssh_config(output->out, local_);
  }

  void apply(const SshTarget& target, SshConfig& config) const {
    config.host = target.host;
    if (target.user) config.user = *target.user;
    if (target.port) config.port = *target.port;
    // The person who signs in has no business with the questions of a host on the way.
    if (!before_asks_) config.batch_mode = true;
    if (target.only_prompts) config.batch_mode = false;
    if (target.known_hosts) {
      // As `-o UserKnownHostsFile=...`; the system's file stays in force.
      config.user_known_hosts = {*target.known_hosts};
    }
  }

  const std::string& program_;
  const SshAttempt& attempt_;
  SshLocalUser local_;
  std::vector<SshHop> hops_;
  std::size_t depth_ = 0;
  bool no_program_ = false;
  bool before_asks_ = true;  // jump hosts may
};

}  // namespace

Result<std::vector<SshHop>> plan_ssh_route(const SshTarget& target, const std::string& ssh_program,
                                           const SshAttempt& attempt, bool& no_program) {
  RoutePlanner planner(ssh_program, attempt);
  if (const auto planned = planner.add(target, nullptr); !planned) {
    return tl::unexpected(planned.error());
  }
  no_program = planner.no_program();
  return planner.take();
}

}  // namespace hpc
