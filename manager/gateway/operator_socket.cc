#include "manager/gateway/operator_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/descriptor_reserve.h"
#include "common/peer_owner.h"

namespace hpc {

namespace {

// Operators are few, and each of their verbs connects once.
constexpr int kBacklog = 64;

tl::unexpected<Error> refuse(Errc code, const std::string& path, const std::string& cause) {
  return fail(code, "operators' socket " + path, cause);
}

tl::unexpected<Error> refuse_errno(const std::string& path, const char* what) {
  return refuse(Errc::kSystem, path, std::string(what) + ": " + std::strerror(errno));
}

tl::unexpected<Error> in_use(const std::string& path) {
  return refuse(Errc::kConflict, path,
                "another hpc-manager serve uses it; stop that one, or name another path with "
                "--socket");
}

Status check_path(const std::string& path) {
  if (path.empty() || path.front() != '/' || path.back() == '/') {
    return refuse(Errc::kConfig, path, "is not the absolute path of a file");
  }
  if (path.size() > kUnixPathBytesMax) {
    return refuse(Errc::kConfig, path,
                  "has " + std::to_string(path.size()) + " bytes; the kernel takes at most " +
                      std::to_string(kUnixPathBytesMax));
  }
  return {};
}

Result<UniqueFd> open_directory(const std::string& path, const std::string& dir) {
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return refuse_errno(path, "its directory cannot be made");
  }
  UniqueFd fd(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) {
    // What is no directory, a symbolic link as well.
    if (errno == ENOTDIR || errno == ELOOP) {
      return refuse(Errc::kConfig, path, dir + " is no directory, or a symbolic link to one");
    }
    return refuse_errno(path, "its directory cannot be opened");
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return refuse_errno(path, "fstat");
  if (info.st_uid != geteuid()) {
    return refuse(Errc::kConfig, path, "its directory " + dir + " belongs to another user");
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return refuse(Errc::kConfig, path,
                  "other users may write to its directory " + dir + "; run: chmod go-w " + dir);
  }
  return fd;
}

Result<UniqueFd> take_lock(const std::string& path, int directory, const std::string& name) {
  const std::string lock = name + ".lock";
  UniqueFd fd(openat(directory, lock.c_str(),
                     O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
  if (!fd) return refuse_errno(path, "its lock file (.lock) cannot be opened");
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) return in_use(path);
  return refuse_errno(path, "its lock file (.lock) cannot be locked");
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());  // check_path(): room for the NUL
  return address;
}

UniqueFd make_socket() {
  return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/// Takes away what a dead program left there. We hold the lock, so no other manager is doing the
/// same; the connect is for programs that know nothing of our locks.
Status clear_the_way(const std::string& path, int directory, const std::string& name) {
  struct stat info {};
  if (fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return refuse_errno(path, "cannot be looked at");
  }
  if (!S_ISSOCK(info.st_mode)) {
    return refuse(Errc::kConfig, path,
                  "something else is there already; remove it, or name another path with --socket");
  }
  if (info.st_uid != geteuid()) return refuse(Errc::kConfig, path, "belongs to another user");
  const UniqueFd probe = make_socket();
  if (!probe) return refuse_errno(path, "socket");
  const auto address = address_of(path);
  // EAGAIN: somebody listens, and his queue is full.
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN) {
    return in_use(path);
  }
  if (errno != ECONNREFUSED) return refuse_errno(path, "cannot be asked whether it is in use");
  if (unlinkat(directory, name.c_str(), 0) != 0) return refuse_errno(path, "cannot be removed");
  return {};
}

}  // namespace

bool may_operate(uid_t peer, uid_t own) {
  return peer != kOverflowUid && (peer == own || peer == 0);
}

OperatorSocket::OperatorSocket(Loop& loop, std::string name, Accepted accepted)
    : loop_(loop), name_(std::move(name)) {
  accepted_ = [refused = std::make_shared<RefusedClients>(loop),
               accepted = std::move(accepted)](std::unique_ptr<UnixStream> stream) {
    if (descriptors_are_short()) return refused->refuse(std::move(stream));
    accepted(std::move(stream));
  };
}

Result<std::unique_ptr<OperatorSocket>> OperatorSocket::listen(Loop& loop, const std::string& path,
                                                               Accepted accepted) {
  if (auto fine = check_path(path); !fine) return tl::unexpected(fine.error());
  const auto slash = path.rfind('/');
  std::unique_ptr<OperatorSocket> self(
      new OperatorSocket(loop, path.substr(slash + 1), std::move(accepted)));
  auto directory = open_directory(path, slash == 0 ? "/" : path.substr(0, slash));
  if (!directory) return tl::unexpected(directory.error());
  self->directory_ = std::move(*directory);
  auto lock = take_lock(path, self->directory_.get(), self->name_);
  if (!lock) return tl::unexpected(lock.error());
  self->lock_ = std::move(*lock);
  auto fine = clear_the_way(path, self->directory_.get(), self->name_);
  if (fine) fine = self->bind_and_listen(path);
  if (!fine) return tl::unexpected(fine.error());
  return self;
}

OperatorSocket::~OperatorSocket() {
  handle_.reset();
  struct stat info {};
  // Whoever put something else there, it is his. The lock is held until after this.
  if (inode_ != 0 && fstatat(directory_.get(), name_.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
      info.st_ino == inode_ && info.st_dev == device_) {
    unlinkat(directory_.get(), name_.c_str(), 0);
  }
}

Status OperatorSocket::bind_and_listen(const std::string& path) {
  UniqueFd fd = make_socket();
  // Linux gives the file the mode of the socket itself, less the umask: with this before the bind
  // there is no moment in which the file is wider, and no umask that other threads would share.
  if (!fd || fchmod(fd.get(), 0600) != 0) return refuse_errno(path, "socket");
  const auto address = address_of(path);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return refuse_errno(path, "cannot be made");
  }
  struct stat info {};
  // By the directory that was checked: the path might lead elsewhere by now.
  if (fstatat(directory_.get(), name_.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return refuse_errno(path, "is not where it was made");
  }
  device_ = info.st_dev;
  inode_ = info.st_ino;
  if (info.st_uid != geteuid() || info.st_mode != (S_IFSOCK | 0600)) {
    return refuse(Errc::kSystem, path, "did not get mode 0600; look at the umask (umask 077)");
  }
  auto raw = std::make_unique<uv_pipe_t>();
  int rc = uv_pipe_init(loop_.uv(), raw.get(), 0);
  if (rc != 0) return refuse(Errc::kSystem, path, uv_strerror(rc));
  handle_.reset(raw.release());
  handle_->data = this;
  rc = uv_pipe_open(handle_.get(), fd.get());
  if (rc != 0) return refuse(Errc::kSystem, path, uv_strerror(rc));
  fd.release();  // the handle closes it from now on
  rc = uv_listen(reinterpret_cast<uv_stream_t*>(handle_.get()), kBacklog,
                 [](uv_stream_t* server, int status) {
                   static_cast<OperatorSocket*>(server->data)->on_connection(status);
                 });
  if (rc != 0) return refuse(Errc::kSystem, path, uv_strerror(rc));
  return {};
}

void OperatorSocket::on_connection(int status) noexcept {
  if (status != 0) return;  // no descriptor is left; libuv closes whoever waits
  auto raw = std::make_unique<uv_pipe_t>();
  if (uv_pipe_init(loop_.uv(), raw.get(), 0) != 0) return;
  UvPtr<uv_pipe_t> client(raw.release());
  if (uv_accept(reinterpret_cast<uv_stream_t*>(handle_.get()),
                reinterpret_cast<uv_stream_t*>(client.get())) != 0) {
    return;
  }
  uv_os_fd_t fd = -1;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(client.get()), &fd) != 0 ||
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
      !may_operate(peer.uid, geteuid())) {
    return;  // closed without a word
  }
  accepted_(std::make_unique<UnixStream>(loop_, std::move(client)));
}

}  // namespace hpc
