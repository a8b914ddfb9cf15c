#include "node-proxy/serve.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "common/exit_code.h"
#include "node-proxy/node_server.h"
#include "node-proxy/process.h"
#include "node-proxy/start_lock.h"

namespace hpc {

namespace {

void harden() {
  // No core dump and no debugger of another process of this user's shows the token.
  prctl(PR_SET_DUMPABLE, 0);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  signal(SIGPIPE, SIG_IGN);  // a peer that is gone is an error of write(), no reason to die
}

Status check_ready_fd(const Options& options) {
  if (!options.ready_fd) return {};
  if (fcntl(*options.ready_fd, F_SETFD, FD_CLOEXEC) == 0) return {};
  return fail(Errc::kUsage, "--ready-fd",
              "descriptor " + std::to_string(*options.ready_fd) + " is not open");
}

void report_ready(const Options& options, std::uint16_t port) {
  if (!options.ready_fd) return;
  const std::string text = std::to_string(port) + "\n";
  // Whoever waits there may be gone; that does not concern the others.
  [[maybe_unused]] const ssize_t size = write(*options.ready_fd, text.data(), text.size());
  if (*options.ready_fd > STDERR_FILENO) close(*options.ready_fd);
}

Status refuse_second(const RecordDir& dir, const JobIdentity& identity, const std::string& host) {
  const auto there = dir.read(identity.id);
  if (!there || !is_live(*there, host)) return {};
  return fail(Errc::kSystem, "hpc-proxy",
              "already runs for " + identity.id + " on port " + std::to_string(there->port) +
                  "; `hpc-proxy stop` ends it");
}

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

Status serve_in(const Options& options, const Environment& environment, std::optional<Bond> bond,
                DaemonChild* daemon) {
  const std::string host = host_name();
  auto identity = job_identity(environment, host, getpid());
  if (!identity) return tl::unexpected<Error>(identity.error());
  auto dir = RecordDir::open(options.state_dir);
  if (!dir) return tl::unexpected<Error>(dir.error());
  auto lock = StartLock::take(*dir, host);
  if (!lock) return tl::unexpected<Error>(lock.error());
  dir->remove_stale(host, options.port_file);
  if (auto free = refuse_second(*dir, *identity, host); !free) return free;

  const std::string log_name = identity->id + ".log";
  const LogLevel level = options.verbose     ? LogLevel::kDebug
                         : daemon != nullptr ? LogLevel::kWarning
                                             : LogLevel::kInfo;
  Log log(level, options.log_format);
  Loop loop;
  NodeServer server(loop, options, *dir, std::move(*identity), host, log);
  if (auto done = server.listen(); !done) return done;
  if (auto done = server.publish(); !done) return done;
  lock->release();
  const OwnedFd log_fd(daemon != nullptr ? open_log(*dir, log_name) : -1);
  if (daemon != nullptr) daemon->ready(log_fd.get());
  report_ready(options, server.port());
  log.info("listening", {{"port", std::to_string(server.port())}, {"records", dir->path()}});
  server.run(std::move(bond));
  remove_empty_log(*dir, log_name, log_fd.get());
  return {};
}

}  // namespace

int serve(const Options& options, const Environment& environment) {
  const auto report = [](const Error& error) {
    std::fprintf(stderr, "hpc-proxy: %s\n", describe(error).c_str());
    return exit_code(error.code);
  };
  if (options.state_dir.empty()) {
    return report({Errc::kSystem, "HOME", "is not set; name a directory with --state-dir"});
  }
  if (const auto open = check_ready_fd(options); !open) return report(open.error());
  harden();
  std::optional<Bond> bond;
  std::optional<DaemonChild> daemon;
  if (options.daemon) {
    bond = bond_to_caller(environment);
    auto child = become_daemon();
    if (!child) return report(child.error());
    daemon.emplace(std::move(*child));
  }
  const auto done = serve_in(options, environment, std::move(bond), daemon ? &*daemon : nullptr);
  return done ? 0 : report(done.error());
}

}  // namespace hpc
