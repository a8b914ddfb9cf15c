#include "manager/doctor_local.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "common/unique_fd.h"
#include "manager/store/file_systems.h"
#include "manager/store/state_file.h"

namespace hpc {

namespace {

// More than that is a range that nobody can listen on one by one within a moment.
constexpr unsigned kPortsTriedMax = 1000;

// 0, or the errno of binding there.
int try_port(const std::string& address, std::uint16_t port) {
  const bool v6 = address.find(':') != std::string::npos;
  const UniqueFd fd(socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return errno;
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in v4_place{};
  v4_place.sin_family = AF_INET;
  v4_place.sin_port = htons(port);
  sockaddr_in6 v6_place{};
  v6_place.sin6_family = AF_INET6;
  v6_place.sin6_port = htons(port);
  inet_pton(AF_INET, address.c_str(), &v4_place.sin_addr);
  inet_pton(AF_INET6, address.c_str(), &v6_place.sin6_addr);
  const auto* place = v6 ? reinterpret_cast<const sockaddr*>(&v6_place)
                         : reinterpret_cast<const sockaddr*>(&v4_place);
  // listen() as well: a port whose listener shares it (SO_REUSEADDR) binds, but is not free.
  const bool free = bind(fd.get(), place, v6 ? sizeof v6_place : sizeof v4_place) == 0 &&
                    listen(fd.get(), 1) == 0;
  return free ? 0 : errno;
}

// Somebody answers at the operators' socket, so its ports are rightly in use.
bool manager_runs(const std::string& path) {
  sockaddr_un place{};
  place.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof place.sun_path) return false;
  std::memcpy(place.sun_path, path.c_str(), path.size() + 1);
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return fd && connect(fd.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0;
}

void examine_configuration(const ServeSettings& settings, DoctorReport& report) {
  for (const auto& problem : settings.problems) {
    report.problem("configuration", Errc::kConfig, problem);
  }
  if (settings.problems.empty()) {
    const auto& config = settings.options.config;
    report.ok("configuration", config ? "of " + *config + ", flags and environment"
                                      : "of flags, environment and defaults");
  }
}

void examine_user(DoctorReport& report) {
  if (geteuid() == 0) {
    report.note("user",
                "this is root, and serve does not run as root; run doctor as the user that serve "
                "will run as, who may have other keys and rights");
  } else {
    report.ok("user", "uid " + std::to_string(geteuid()));
  }
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The nearest directory that is there already: the others will be on the same disk.
void examine_state(const std::string& path, DoctorReport& report) {
  if (path.empty()) return;  // the configuration has said it
  std::string directory = directory_of(path);
  UniqueFd fd(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  while (!fd && errno == ENOENT && directory != "/" && directory != ".") {
    directory = directory_of(directory);
    fd.reset(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  if (!fd) {
    return report.problem("state", Errc::kSystem,
                          directory + " cannot be looked at: " + std::strerror(errno));
  }
  const auto type = file_system_of(fd.get());
  const auto shared = type ? shared_file_system(*type) : std::nullopt;
  if (shared) {
    return report.problem("state", Errc::kConfig,
                          path + " would be on " + std::string(*shared) +
                              ", where a database is not safe; name a file on a local disk of this "
                              "host with --state");
  }
  report.ok("state", path + " is on a local disk");
}

class PortCheck {
 public:
  PortCheck(bool running, DoctorReport& report) : running_(running), report_(report) {}

  void one(const std::string& option, const ListenAddress& listen) {
    if (listen.port == 0) return;
    const auto place = listen.address + " port " + std::to_string(listen.port);
    const int error = try_port(listen.address, listen.port);
    if (error == 0) return report_.ok("port", place + " is free (" + option + ")");
    if (error == EADDRINUSE && running_) {
      return report_.note("port", place + " is in use, as a manager runs (" + option + ")");
    }
    report_.problem(
        "port", error == EADDRINUSE ? Errc::kConflict : Errc::kSystem,
        place + ": " + std::strerror(error) + "; " + advice(error) + " (" + option + ")");
  }

  void range(const std::string& option, const NamedPortRange& range) {
    unsigned busy = 0;
    unsigned tried = 0;
    for (unsigned port = range.first; port <= range.last && tried < kPortsTriedMax; ++port) {
      ++tried;
      if (try_port("127.0.0.1", static_cast<std::uint16_t>(port)) != 0) ++busy;
    }
    const auto text = std::to_string(tried - busy) + " of " + std::to_string(tried) +
                      " ports are free on 127.0.0.1 (" + option + ")";
    if (busy == 0) return report_.ok("ports", text);
    if (busy < tried || running_) return report_.note("ports", text);
    report_.problem("ports", Errc::kConflict, text + "; choose another range");
  }

 private:
  static std::string advice(int error) {
    if (error == EADDRINUSE) return "another program listens there; end it or choose another port";
    if (error == EACCES) {
      return "ports below 1024 need a right: CAP_NET_BIND_SERVICE, a proxy in front, or "
             "net.ipv4.ip_unprivileged_port_start";
    }
    if (error == EADDRNOTAVAIL) return "this machine does not have that address";
    return "choose another address";
  }

  bool running_;
  DoctorReport& report_;
};

}  // namespace

void examine_this_machine(const ServeSettings& settings, DoctorReport& report) {
  examine_configuration(settings, report);
  examine_user(report);
  const auto& options = settings.options;
  examine_state(options.state, report);
  const bool running = manager_runs(options.socket);
  if (running) report.note("manager", "one runs already, at " + options.socket);
  PortCheck ports(running, report);
  ports.one("--listen", options.listen);
  if (options.metrics_listen) ports.one("--metrics-listen", *options.metrics_listen);
  if (options.local_ports) ports.range("--local-ports", *options.local_ports);
  for (const auto& range : options.port_ranges) ports.range("--port-range " + range.name, range);
}

}  // namespace hpc
