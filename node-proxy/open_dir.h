#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>

namespace hpc {

struct CloseDir {
  void operator()(DIR* dir) const noexcept { closedir(dir); }
};
/// A directory that is being read, closed when this goes away; null where it could not be opened.
using OpenDir = std::unique_ptr<DIR, CloseDir>;

/// The directory `name` of the directory `parent` (openat(2)); follows no link.
inline OpenDir open_dir_at(int parent, const char* name) {
  const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR* dir = fd < 0 ? nullptr : fdopendir(fd);  // owns `fd` from here on
  if (dir == nullptr && fd >= 0) close(fd);
  return OpenDir(dir);
}

}  // namespace hpc
