#include "node-proxy/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "node-proxy/record_dir.h"

namespace hpc {

namespace {

Status write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(Errc::kSystem, "write", std::strerror(errno));
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace

std::optional<std::string> read_private_file(int dir, const std::string& name,
                                             std::size_t bytes_max) {
  const OwnedFd file(
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

Status write_private_file(int dir, const std::string& name, const std::string& temporary,
                          std::string_view text) {
  unlinkat(dir, temporary.c_str(), 0);
  const OwnedFd file(
      openat(dir, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) {
    return fail(Errc::kSystem, name, std::string("cannot be written: ") + std::strerror(errno));
  }
  Status done = write_all(file.get(), text);
  if (done && (fchmod(file.get(), 0600) != 0 || fsync(file.get()) != 0 ||
               renameat(dir, temporary.c_str(), dir, name.c_str()) != 0)) {
    done = fail(Errc::kSystem, name, std::strerror(errno));
  }
  if (!done) {
    unlinkat(dir, temporary.c_str(), 0);
    return fail(Errc::kSystem, name, "cannot be written: " + done.error().detail);
  }
  return {};
}

}  // namespace hpc
