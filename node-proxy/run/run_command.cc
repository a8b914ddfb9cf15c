#include "node-proxy/run/run_command.h"

#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/loop.h"
#include "common/unique_fd.h"
#include "node-proxy/node_server.h"
#include "node-proxy/run/choose_space.h"
#include "node-proxy/run/egress.h"
#include "node-proxy/run/keeper.h"
#include "node-proxy/run/network_space.h"
#include "node-proxy/run/ports_library.h"
#include "node-proxy/run/private_addresses.h"
#include "node-proxy/run/run_dir.h"
#include "node-proxy/run/space_reach.h"
#include "node-proxy/run/unmoved_watch.h"
#include "node-proxy/start_up.h"
#include "node-proxy/url_template.h"

namespace hpc {

namespace {

// After --idle-exit the command may save what it has, as after SLURM's SIGTERM.
constexpr std::uint64_t kIdleGraceMs = 10'000;

/// What --private=loopback makes before the command starts.
struct LoopbackSpace {
  PrivateAddresses addresses;
  std::string library;
};

void print_line(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }
void say(const std::string& sentence) { print_line("hpc-proxy: " + sentence); }

/// The path of this program; empty where /proc does not tell.
std::string own_path() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

Result<LoopbackSpace> make_loopback_space(const StartPlace& place, const std::string& run_dir) {
  auto addresses = claim_private_addresses(geteuid(), place.identity.id);
  if (!addresses) return tl::unexpected<Error>(addresses.error());
  auto library = place_ports_library(own_path(), run_dir);
  if (!library) return tl::unexpected<Error>(library.error());
  return LoopbackSpace{std::move(*addresses), std::move(*library)};
}

/// Its first part, which is more than a resolver reads; empty where it cannot be read.
std::string read_resolv_conf() {
  const UniqueFd file(open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC));
  char text[4096];
  const ssize_t size = file.get() < 0 ? -1 : read(file.get(), text, sizeof text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

/// The way to other machines; without one everything else works, and a warning says so.
std::optional<Egress> make_egress(pid_t keeper, const Environment& environment) {
  auto egress = Egress::start(keeper, environment);
  if (!egress) {
    say(egress.error().detail);
    return std::nullopt;
  }
  if (const auto warning = resolver_warning(read_resolv_conf())) say(*warning);
  return std::move(*egress);
}

/// The loop's part: serves while the command runs.
class Run final : public KeeperLink::Listener {
 public:
  Run(const Options& options, PrivateMode mode, StartPlace& place, Log& log, KeeperHandle keeper,
      std::optional<LoopbackSpace> loopback, std::optional<Egress> egress)
      : options_(options),
        mode_(mode),
        place_(place),
        log_(log),
        loopback_(std::move(loopback)),
        egress_(std::move(egress)),
        watch_(make_watch(keeper.pid)),
        link_(loop_, std::move(keeper), *this) {
    if (egress_) egress_->watch(loop_, say);
  }

  /// The command's exit code.
  Result<int> run(const Environment& environment) {
    auto way = reach();
    if (!way) return tl::unexpected<Error>(way.error());
    server_ = std::make_unique<NodeServer>(loop_, options_, *place_.dir, place_.identity,
                                           place_.host, log_, std::move(*way));
    server_->on_idle([this] { link_.end(kIdleGraceMs); });
    if (auto done = server_->listen(); !done) return tl::unexpected<Error>(done.error());
    if (auto done = server_->publish(); !done) return tl::unexpected<Error>(done.error());
    place_.lock.release();
    report_ready(options_, server_->port());
    announce();
    const auto started = link_.start({options_.command, settings(environment)});
    if (!started) return tl::unexpected<Error>(started.error());
    server_->run(std::nullopt);
    return exit_code_;
  }

  void on_command_ended(int exit_code) noexcept override {
    exit_code_ = exit_code;
    // Before there is a server only a killed keeper ends; starting the command will say so.
    if (server_) server_->stop("the command has ended");
  }

 private:
  std::unique_ptr<UnmovedWatch> make_watch(pid_t keeper) {
    if (!loopback_) return nullptr;
    UnmovedWatch::Rules rules{geteuid(), keeper, loopback_->addresses.list(), {}};
    if (auto shared = PortSet::parse(options_.shared_ports)) {
      rules.shared_ports = std::move(*shared);
    }
    return std::make_unique<UnmovedWatch>(loop_, std::move(rules), print_line);
  }

  Result<AppReach> reach() {
    if (mode_ == PrivateMode::kNetns) {
      return reach_into_space(loop_, [this](const SocketWish& wish, KeeperLink::SocketDone done) {
        return link_.ask_socket(wish, std::move(done));
      });
    }
    AppReach reach;
    if (loopback_) {
      reach.private_mode = "loopback";
      reach.private_addresses = loopback_->addresses.list();
      reach.on_look = [this](const auto& sockets) { watch_->look_at(sockets); };
    }
    return reach;
  }

  void announce() const {
    std::string where =
        loopback_ ? "; its command's ports are its own, on " + loopback_->addresses.v4 : "";
    if (mode_ == PrivateMode::kNetns) {
      where = "; its command's ports are its own, in a network namespace";
    }
    std::fprintf(stderr, "hpc-proxy: listens on port %u%s\n", unsigned{server_->port()},
                 where.c_str());
  }

  /// What the command gets beside our own environment.
  std::vector<std::string> settings(const Environment& environment) const {
    std::vector<std::string> list = {
        "HPC_PROXY_PORT=" + std::to_string(server_->port()),
        "HPC_PROXY_URL_TEMPLATE=" + server_->url_template(),
        "VSCODE_PROXY_URI=" + vscode_template(server_->url_template()),
        std::string(kRunVariable) + "=" + place_.identity.id,
    };
    auto library = loopback_ ? ports_library_environment(loopback_->library, loopback_->addresses,
                                                         options_.shared_ports, environment)
                             : no_ports_library_environment(environment);
    for (std::string& one : library) list.push_back(std::move(one));
    return list;
  }

  const Options& options_;
  PrivateMode mode_;
  StartPlace& place_;
  Log& log_;
  Loop loop_;
  std::optional<LoopbackSpace> loopback_;
  std::optional<Egress> egress_;
  std::unique_ptr<UnmovedWatch> watch_;  // there with loopback_
  KeeperLink link_;
  std::unique_ptr<NodeServer> server_;
  int exit_code_ = 1;
};

Result<int> run_in(const Options& options, const Environment& environment) {
  auto place = take_start_place(options, environment);
  if (!place) return tl::unexpected<Error>(place.error());
  if (place->around) {
    say("this is inside of the run " + place->around->id +
        ", whose /port/N/ does not lead to the ports of this one's command; to have them there, "
        "start the command without hpc-proxy run");
  }
  KeeperPlan plan;
  plan.state_dir = options.state_dir;
  plan.host = place->host;
  plan.port_file = options.port_file;
  PrivateMode mode = options.private_mode;
  if (mode == PrivateMode::kAuto) {
    SpaceChoice choice = choose_space(probe_network_space());
    mode = choice.mode;
    say(choice.sentence);
  }
  plan.own_network = mode == PrivateMode::kNetns;
  const bool loopback = mode == PrivateMode::kLoopback;
  if (loopback) {
    auto run_dir = make_run_dir(*place->dir, place->host, place->identity.id);
    if (!run_dir) return tl::unexpected<Error>(run_dir.error());
    plan.run_dir = std::move(*run_dir);
  }
  auto keeper = fork_keeper(plan);
  if (!keeper) return tl::unexpected<Error>(keeper.error());
  harden();
  std::optional<Egress> egress =
      mode == PrivateMode::kNetns ? make_egress(keeper->pid, environment) : std::nullopt;
  std::optional<LoopbackSpace> space;
  if (loopback) {
    auto made = make_loopback_space(*place, plan.run_dir);
    if (!made) return tl::unexpected<Error>(made.error());
    space = std::move(*made);
  }
  Log log(options.verbose ? LogLevel::kDebug : LogLevel::kWarning, options.log_format);
  Run run(options, mode, *place, log, std::move(*keeper), std::move(space), std::move(egress));
  return run.run(environment);
}

}  // namespace

int run_command(const Options& options, const Environment& environment) {
  if (const auto open = check_ready_fd(options); !open) return report_failure(open.error());
  const auto ended = run_in(options, environment);
  return ended ? *ended : report_failure(ended.error());
}

}  // namespace hpc
