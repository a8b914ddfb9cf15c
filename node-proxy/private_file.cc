#include "node-proxy/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/unique_fd.h"

namespace hpc {

namespace {

std::string cause_of(int error) {
  std::string text = std::string("cannot be written: ") + std::strerror(error);
  if (error == ENOSPC || error == EDQUOT) text += "; free some space there";
  return text;
}

Status write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(Errc::kSystem, "write", cause_of(errno));
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

/// File systems without hard links say one of these.
bool has_no_links(int error) {
  return error == EPERM || error == ENOSYS || error == EOPNOTSUPP || error == EMLINK;
}

}  // namespace

std::optional<std::string> read_private_file(int dir, const std::string& name,
                                             std::size_t bytes_max) {
  const UniqueFd file(
      openat(dir, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat info {};
  if (file.get() < 0 || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) ||
      info.st_uid != geteuid()) {
    return std::nullopt;
  }
  std::string text(bytes_max + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = read(file.get(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size > bytes_max) return std::nullopt;
  text.resize(size);
  return text;
}

Status make_private_file(int dir, const std::string& name, std::string_view text) {
  unlinkat(dir, name.c_str(), 0);
  const UniqueFd file(
      openat(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) return fail(Errc::kSystem, name, cause_of(errno));
  Status done = write_all(file.get(), text);
  if (done && (fchmod(file.get(), 0600) != 0 || fsync(file.get()) != 0)) {
    done = fail(Errc::kSystem, name, cause_of(errno));
  }
  if (!done) unlinkat(dir, name.c_str(), 0);
  return done;
}

Status write_private_file(int dir, const std::string& name, const std::string& temporary,
                          std::string_view text) {
  if (auto made = make_private_file(dir, temporary, text); !made) return made;
  if (renameat(dir, temporary.c_str(), dir, name.c_str()) == 0) return {};
  const int error = errno;
  unlinkat(dir, temporary.c_str(), 0);
  return fail(Errc::kSystem, name, cause_of(error));
}

Result<bool> publish_new_file(int dir, const std::string& temporary, const std::string& name) {
  const int rc = linkat(dir, temporary.c_str(), dir, name.c_str(), 0);
  const int error = rc == 0 ? 0 : errno;
  struct stat info {};
  // NFS may lose its answer and then call a link that it has made an existing file.
  const bool linked =
      rc == 0 ||
      (fstatat(dir, temporary.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_nlink == 2);
  if (linked || error == EEXIST) {
    unlinkat(dir, temporary.c_str(), 0);
    return linked;
  }
  if (has_no_links(error) && faccessat(dir, name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
    unlinkat(dir, temporary.c_str(), 0);
    return false;
  }
  if (has_no_links(error) && renameat(dir, temporary.c_str(), dir, name.c_str()) == 0) return true;
  unlinkat(dir, temporary.c_str(), 0);
  return fail(Errc::kSystem, name, cause_of(error));
}

bool remove_private_file(int dir, const std::string& name, const std::string& temporary,
                         std::size_t bytes_max,
                         const std::function<bool(std::string_view)>& is_it) {
  const auto before = read_private_file(dir, name, bytes_max);
  if (!before || !is_it(*before)) return false;
  if (renameat(dir, name.c_str(), dir, temporary.c_str()) != 0) return false;
  const auto taken = read_private_file(dir, temporary, bytes_max);
  if (!taken || !is_it(*taken)) {
    // Not ours to remove. Where a still newer one is in place already, that is the one that counts.
    static_cast<void>(publish_new_file(dir, temporary, name));
    return false;
  }
  unlinkat(dir, temporary.c_str(), 0);
  return true;
}

}  // namespace hpc
