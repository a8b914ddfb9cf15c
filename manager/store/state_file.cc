#include "manager/store/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "common/unique_fd.h"
#include "manager/store/file_systems.h"

namespace hpc {

namespace {

constexpr const char* kElsewhere =
    "; name a file on a local disk of this host with --state, "
    "/var/lib/hpc-manager/state.db for example";

std::string where(const std::string& path) { return "state file " + path; }

std::string cause(const char* what, int error) {
  std::string text = std::string(what) + ": " + std::strerror(error);
  if (error == ENOSPC || error == EDQUOT) text += "; free some space there";
  if (error == EROFS) text += "; name another file with --state";
  return text;
}

struct Parts {
  std::string dir;
  std::string name;
};

Parts parts_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

Status check_file_system(const std::string& path, const std::string& dir, int fd,
                         const FileSystemOf& file_system) {
  const auto type = file_system(fd);
  const auto shared = type ? shared_file_system(*type) : std::nullopt;
  if (!shared) return {};
  return fail(Errc::kConfig, where(path),
              "its directory " + dir + " is on " + std::string(*shared) +
                  ", where a database is not safe: other hosts and lost connections break its "
                  "locks" +
                  kElsewhere);
}

/// Where the directory is missing, it is made; in what is there already nothing is changed.
Result<UniqueFd> open_directory(const std::string& path, const std::string& dir,
                                const FileSystemOf& file_system) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  UniqueFd fd(open(dir.c_str(), kFlags));
  if (fd.get() < 0 && errno == ENOENT) {
    const UniqueFd parent(open(parts_of(dir).dir.c_str(), kFlags));
    if (parent.get() < 0) {
      return fail(Errc::kSystem, where(path), cause("its directory cannot be made", errno));
    }
    if (auto local = check_file_system(path, dir, parent.get(), file_system); !local) {
      return tl::unexpected(local.error());
    }
    if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
      return fail(Errc::kSystem, where(path), cause("its directory cannot be made", errno));
    }
    fd = UniqueFd(open(dir.c_str(), kFlags));
  }
  if (fd.get() < 0) {
    return fail(Errc::kSystem, where(path), cause("its directory cannot be opened", errno));
  }
  return fd;
}

Status check_directory(const std::string& path, const std::string& dir, int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return fail(Errc::kSystem, where(path), cause("fstat", errno));
  if (info.st_uid != geteuid()) {
    return fail(Errc::kConfig, where(path),
                "its directory " + dir + " belongs to another user; name a file in a directory " +
                    "of your own with --state");
  }
  if ((info.st_mode & 022) != 0) {
    return fail(Errc::kConfig, where(path),
                "other users may write to its directory " + dir + "; run: chmod go-w " + dir);
  }
  return {};
}

Status check_file(const std::string& path, int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return fail(Errc::kSystem, where(path), cause("fstat", errno));
  if (!S_ISREG(info.st_mode)) return fail(Errc::kConfig, where(path), "is not a plain file");
  if (info.st_uid != geteuid()) {
    return fail(Errc::kConfig, where(path), "belongs to another user");
  }
  if (info.st_nlink != 1) {
    return fail(Errc::kConfig, where(path),
                "has a second name (hard link); the database would be torn apart. Copy it");
  }
  if ((info.st_mode & 077) != 0 && fchmod(fd, info.st_mode & 0700) != 0) {
    return fail(Errc::kSystem, where(path), cause("cannot be closed to other users", errno));
  }
  return {};
}

Status open_file(const std::string& path, int dir, const std::string& name) {
  const UniqueFd fd(openat(
      dir, name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
  if (fd.get() >= 0) return check_file(path, fd.get());
  if (errno == ELOOP) {
    return fail(Errc::kConfig, where(path), "is a symbolic link; name the file itself");
  }
  if (errno == EISDIR) return fail(Errc::kConfig, where(path), "is a directory");
  return fail(Errc::kSystem, where(path), cause("cannot be opened for writing", errno));
}

}  // namespace

std::optional<std::uint64_t> file_system_of(int fd) {
  struct statfs info {};
  if (fstatfs(fd, &info) != 0) return std::nullopt;
  // Signed and of 64 bits here; the numbers have 32.
  return static_cast<std::uint32_t>(info.f_type);
}

Result<std::string> prepare_state_file(const std::string& path, const FileSystemOf& file_system) {
  const Parts parts = parts_of(path);
  if (parts.name.empty()) return fail(Errc::kConfig, where(path), "names no file");
  const auto dir = open_directory(path, parts.dir, file_system);
  if (!dir) return tl::unexpected(dir.error());
  auto fine = check_file_system(path, parts.dir, dir->get(), file_system);
  if (fine) fine = check_directory(path, parts.dir, dir->get());
  if (fine) fine = open_file(path, dir->get(), parts.name);
  if (!fine) return tl::unexpected(fine.error());
  struct Free {
    void operator()(char* text) const noexcept { free(text); }
  };
  const std::unique_ptr<char, Free> absolute(realpath(parts.dir.c_str(), nullptr));
  if (!absolute) {
    return fail(Errc::kSystem, where(path), cause("its directory cannot be resolved", errno));
  }
  return std::string(absolute.get()) + "/" + parts.name;
}

std::optional<int> lock_holder(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fd.get() < 0 || fcntl(fd.get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) {
    return std::nullopt;
  }
  return static_cast<int>(lock.l_pid);
}

}  // namespace hpc
