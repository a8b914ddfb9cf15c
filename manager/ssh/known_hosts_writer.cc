#include "manager/ssh/known_hosts_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "common/unique_fd.h"

namespace hpc {
namespace {

// A hundred thousand hosts; what is longer is no known_hosts file.
constexpr std::size_t kFileBytesMax = std::size_t{16} * 1024 * 1024;

tl::unexpected<Error> system_error(const std::string& path) {
  return fail(Errc::kSystem, "ssh.known_hosts", path + ": " + std::strerror(errno));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::string real_path(const std::string& path) {
  std::array<char, PATH_MAX> buffer{};
  return realpath(path.c_str(), buffer.data()) != nullptr ? std::string(buffer.data()) : path;
}

mode_t mode_of(const std::string& path) {
  struct stat info {};
  constexpr mode_t kOwnerOnly = 0600;
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : kOwnerOnly;
}

}  // namespace

Result<std::string> read_known_hosts_file(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) return std::string();
  if (!fd) return system_error(path);
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(path);
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
    if (text.size() > kFileBytesMax) {
      return fail(Errc::kSystem, "ssh.known_hosts", path + " is larger than 16 MiB");
    }
  }
}

Status append_known_hosts_line(const std::string& path, const std::string& line) {
  const std::string target = real_path(path);
  const std::string folder = target.substr(0, target.rfind('/'));
  if (target.rfind('/') != std::string::npos && !folder.empty()) mkdir(folder.c_str(), 0700);
  auto text = read_known_hosts_file(target);
  if (!text) return tl::unexpected(text.error());
  if (!text->empty() && text->back() != '\n') *text += '\n';
  *text += line + '\n';
  std::string temporary = target + ".XXXXXX";
  UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return system_error(temporary);
  const bool written = fchmod(fd.get(), mode_of(target)) == 0 && write_all(fd.get(), *text) &&
                       fsync(fd.get()) == 0 && rename(temporary.c_str(), target.c_str()) == 0;
  if (written) return {};
  const auto error = system_error(target);
  unlink(temporary.c_str());
  return error;
}

}  // namespace hpc
