#include "node-proxy/serve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "common/unique_fd.h"
#include "node-proxy/node_server.h"
#include "node-proxy/start_up.h"

namespace hpc {

namespace {

/// The daemon's log, in the record directory; -1 when it cannot be made. Always a new file: what is
/// there may be a hard link to something else, or a pipe, from when the directory was open to more.
int open_log(const RecordDir& dir, const std::string& name) {
  unlinkat(dir.fd(), name.c_str(), 0);
  return openat(dir.fd(), name.c_str(),
                O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/// A log with nothing in it tells nothing.
void remove_empty_log(const RecordDir& dir, const std::string& name, int log_fd) {
  struct stat info {};
  struct stat there {};
  if (log_fd >= 0 && fstat(log_fd, &info) == 0 && info.st_size == 0 &&
      fstatat(dir.fd(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
      there.st_ino == info.st_ino) {
    unlinkat(dir.fd(), name.c_str(), 0);
  }
}

/// Inside of a run the apps are where that run has them.
AppReach reach_of(const StartPlace& place) {
  AppReach reach;
  if (place.around && place.around->record.private_ports) {
    reach.private_addresses = place.around->record.private_ports->addresses;
  }
  return reach;
}

Status serve_in(const Options& options, const Environment& environment, std::optional<Bond> bond,
                DaemonChild* daemon) {
  auto place = take_start_place(options, environment);
  if (!place) return tl::unexpected<Error>(place.error());

  const std::string log_name = place->identity.id + ".log";
  const LogLevel level = options.verbose     ? LogLevel::kDebug
                         : daemon != nullptr ? LogLevel::kWarning
                                             : LogLevel::kInfo;
  Log log(level, options.log_format);
  Loop loop;
  NodeServer server(loop, options, *place->dir, place->identity, place->host, log,
                    reach_of(*place));
  if (auto done = server.listen(); !done) return done;
  if (auto done = server.publish(); !done) return done;
  place->lock.release();
  const UniqueFd log_fd(daemon != nullptr ? open_log(*place->dir, log_name) : -1);
  if (daemon != nullptr) daemon->ready(log_fd.get());
  report_ready(options, server.port());
  log.info("listening", {{"port", std::to_string(server.port())}, {"records", place->dir->path()}});
  server.run(std::move(bond));
  remove_empty_log(*place->dir, log_name, log_fd.get());
  return {};
}

}  // namespace

int serve(const Options& options, const Environment& environment) {
  if (options.state_dir.empty()) {
    return report_failure({Errc::kSystem, "HOME", "is not set; name a directory with --state-dir"});
  }
  if (const auto open = check_ready_fd(options); !open) return report_failure(open.error());
  harden();
  std::optional<Bond> bond;
  std::optional<DaemonChild> daemon;
  if (options.daemon) {
    bond = bond_to_caller(environment);
    auto child = become_daemon();
    if (!child) return report_failure(child.error());
    daemon.emplace(std::move(*child));
  }
  const auto done = serve_in(options, environment, std::move(bond), daemon ? &*daemon : nullptr);
  return done ? 0 : report_failure(done.error());
}

}  // namespace hpc
