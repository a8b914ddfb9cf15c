#include "node-proxy/start_up.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "common/exit_code.h"
#include "node-proxy/process.h"

namespace hpc {

namespace {

Status refuse_second(const RecordDir& dir, const JobIdentity& identity, const std::string& host) {
  const auto there = dir.read(identity.id);
  if (!there || !is_live(*there, host)) return {};
  return fail(Errc::kSystem, "hpc-proxy",
              "already runs for " + identity.id + " on port " + std::to_string(there->port) +
                  "; `hpc-proxy stop` ends it");
}

}  // namespace

int report_failure(const Error& error) {
  std::fprintf(stderr, "hpc-proxy: %s\n", describe(error).c_str());
  return exit_code(error.code);
}

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

std::optional<StoredRecord> find_run_around(const RecordDir& dir, const Environment& environment,
                                            const JobIdentity& identity, const std::string& host) {
  const auto id = environment(kRunVariable);
  if (!id || !is_record_id(*id)) return std::nullopt;
  auto record = dir.read(*id);
  if (!record || !is_live(*record, host)) return std::nullopt;
  if (identity.in_slurm && record->job_id != identity.job_id) return std::nullopt;
  return StoredRecord{*id, std::move(*record)};
}

Result<StartPlace> take_start_place(const Options& options, const Environment& environment) {
  if (options.state_dir.empty()) {
    return fail(Errc::kSystem, "HOME", "is not set; name a directory with --state-dir");
  }
  std::string host = host_name();
  auto identity = job_identity(environment, host, getpid(),
                               options.verb == Verb::kRun ? RecordKind::kRun : RecordKind::kServe);
  if (!identity) return tl::unexpected<Error>(identity.error());
  auto opened = RecordDir::open(options.state_dir);
  if (!opened) return tl::unexpected<Error>(opened.error());
  auto dir = std::make_unique<RecordDir>(std::move(*opened));
  auto lock = StartLock::take(*dir, host);
  if (!lock) return tl::unexpected<Error>(lock.error());
  dir->remove_stale(host, options.port_file);
  if (auto free = refuse_second(*dir, *identity, host); !free) {
    return tl::unexpected<Error>(free.error());
  }
  auto around = find_run_around(*dir, environment, *identity, host);
  if (around) identity->inside_run = around->id;
  return StartPlace{std::move(host), std::move(*identity), std::move(dir), std::move(*lock),
                    std::move(around)};
}

}  // namespace hpc
