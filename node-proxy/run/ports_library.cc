#include "node-proxy/run/ports_library.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "common/unique_fd.h"
#include "node-proxy/ports/settings.h"
#include "node-proxy/private_file.h"
#include "node-proxy/run/ports_image.h"

namespace hpc {

namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr const char* kPreload = "LD_PRELOAD";
// What sbatch takes for --export where that is not given (sbatch(1)).
constexpr const char* kSbatchExport = "SBATCH_EXPORT";
// What ld.so takes for the end of a name in LD_PRELOAD, and for the beginning of a variable.
constexpr std::string_view kPreloadEnds = " :";
constexpr std::string_view kNotInPreload = " :$";

/// Can only root and this user change it?
bool is_safe(const struct stat& info) {
  return (info.st_uid == 0 || info.st_uid == geteuid()) &&
         (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool has_image(int fd) {
  const std::string_view image = ports_image();
  // One byte more, so that a longer file is not taken for equal.
  std::string bytes(image.size() + 1, '\0');
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t count = read(fd, bytes.data() + size, bytes.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    size += static_cast<std::size_t>(count);
  }
  return std::string_view(bytes).substr(0, size) == image;
}

bool forbids_programs(int fd) {
  struct statvfs info {};
  return fstatvfs(fd, &info) == 0 && (info.f_flag & ST_NOEXEC) != 0;
}

/// Is the library of this very program in that directory, for ld.so to load, and safe from others?
bool is_usable_in(const std::string& directory) {
  if (directory.find_first_of(kNotInPreload) != std::string::npos) return false;
  const UniqueFd dir(open(directory.c_str(), kOpenDirectory));
  struct stat info {};
  if (dir.get() < 0 || fstat(dir.get(), &info) != 0 || !is_safe(info)) return false;
  const UniqueFd file(openat(dir.get(), HPC_PORTS_LIBRARY_NAME,
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  return file.get() >= 0 && fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode) &&
         is_safe(info) && has_image(file.get()) && !forbids_programs(file.get());
}

Result<std::string> unpack(const std::string& run_dir) {
  const auto failed = [&run_dir](const std::string& why) {
    return fail(Errc::kSystem, run_dir, why);
  };
  const std::string instead =
      "; install " HPC_PORTS_LIBRARY_NAME
      " beside hpc-proxy, or name another directory with --state-dir, or use --private off";
  if (!run_dir.starts_with('/') || run_dir.find_first_of(kNotInPreload) != std::string::npos) {
    return failed("LD_PRELOAD cannot name a file there (blank, ':' or '$' in the path)" + instead);
  }
  const UniqueFd dir(open(run_dir.c_str(), kOpenDirectory | O_NOFOLLOW));
  if (dir.get() < 0) return failed(std::string("cannot be opened: ") + std::strerror(errno));
  if (forbids_programs(dir.get())) {
    return failed("no program may be run from this file system (noexec)" + instead);
  }
  if (auto made = make_private_file(dir.get(), HPC_PORTS_LIBRARY_NAME, ports_image()); !made) {
    return fail(made.error().code, run_dir + "/" + made.error().where, made.error().detail);
  }
  return run_dir + "/" HPC_PORTS_LIBRARY_NAME;
}

bool is_ports_library(std::string_view path) {
  return path.substr(path.rfind('/') + 1) == HPC_PORTS_LIBRARY_NAME;
}

/// What was preloaded before, without the library of a run around this.
std::string others_preloaded(std::string_view before) {
  std::string list;
  while (!before.empty()) {
    const std::size_t size = std::min(before.find_first_of(kPreloadEnds), before.size());
    const std::string_view path = before.substr(0, size);
    before.remove_prefix(std::min(size + 1, before.size()));
    if (path.empty() || is_ports_library(path)) continue;
    list.append(list.empty() ? "" : ":").append(path);
  }
  return list;
}

/// What sbatch is to hand on to a new job: the environment as before, but not our library and what
/// belongs to this run; in the other job, on another node, nobody would look for what listens on
/// our addresses. Empty: as it is.
std::string sbatch_export(const std::string& before, const std::string& others) {
  constexpr std::string_view kNotOurs =
      "," HPC_PORTS_ADDRESS "=," HPC_PORTS_SHARED "=,HPC_PROXY_RUN=";
  const std::string all = before.empty() ? "ALL" : before;
  // Else it is NONE or a list of names, and what is not named is not handed on.
  if (all != "ALL" && !all.starts_with("ALL,")) return "";
  if (all.find(kNotOurs) != std::string::npos) return "";  // a run around this one has seen to it
  // A comma would be the end of the value, a quotation mark the beginning of another one.
  const bool listable = others.find_first_of(",'\"") == std::string::npos;
  return all + "," + kPreload + "=" + (listable ? others : "") + std::string(kNotOurs) + "," +
         kSbatchExport + "=ALL";
}

std::string setting(const char* name, const std::string& value) {
  return std::string(name) + "=" + value;
}

}  // namespace

Result<std::string> place_ports_library(const std::string& own_path, const std::string& run_dir) {
  const std::size_t slash = own_path.rfind('/');
  if (own_path.starts_with('/')) {
    const std::string directory = own_path.substr(0, slash);
    for (const std::string& place : {directory, directory + "/../lib"}) {
      if (is_usable_in(place)) return place + "/" HPC_PORTS_LIBRARY_NAME;
    }
  }
  return unpack(run_dir);
}

std::vector<std::string> ports_library_environment(const std::string& library,
                                                   const PrivateAddresses& addresses,
                                                   const std::string& shared_ports,
                                                   const Environment& environment) {
  const std::string others = others_preloaded(environment(kPreload).value_or(""));
  const std::string exported = sbatch_export(environment(kSbatchExport).value_or(""), others);
  // The shared ports also where there are none: a run around this one may have some.
  std::vector<std::string> list = {
      setting(kPreload, others.empty() ? library : library + ":" + others),
      setting(HPC_PORTS_ADDRESS, addresses.v4), setting(HPC_PORTS_SHARED, shared_ports)};
  if (!exported.empty()) list.push_back(setting(kSbatchExport, exported));
  return list;
}

std::vector<std::string> no_ports_library_environment(const Environment& environment) {
  if (environment(HPC_PORTS_ADDRESS).value_or("").empty()) return {};
  return {setting(kPreload, others_preloaded(environment(kPreload).value_or(""))),
          setting(HPC_PORTS_ADDRESS, ""), setting(HPC_PORTS_SHARED, "")};
}

}  // namespace hpc
