#include "common/unix_stream.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "common/descriptor_reserve.h"
#include "common/peer_owner.h"
#include "common/timer.h"

namespace hpc {

namespace {

// A queue of connections is full for as long as the app is busy with something else.
constexpr std::uint64_t kQueueFullMs = 20;

tl::unexpected<Error> refuse(Errc code, const std::string& path, const char* cause) {
  return fail(code, "connect", path + ": " + cause);
}

tl::unexpected<Error> refuse_errno(const std::string& path) {
  const int cause = errno;
  const Errc code = cause == ENOENT || cause == ECONNREFUSED || cause == ENOTDIR ? Errc::kRefused
                    : cause == EACCES || cause == EPERM || cause == ELOOP        ? Errc::kForbidden
                    : is_shortage(cause) ? Errc::kUnavailable
                                         : Errc::kNetwork;
  return refuse(code, path, std::strerror(cause));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return fd_; }
  void release() { fd_ = -1; }

 private:
  int fd_;
};

Status check_files(const std::string& path, std::uint32_t uid) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == 0 ? "/" : path.substr(0, slash);
  const Descriptor directory(open(folder.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (directory.get() < 0 || fstat(directory.get(), &info) != 0) return refuse_errno(path);
  if (S_ISLNK(info.st_mode)) {
    return refuse(Errc::kForbidden, path, "its directory is a symbolic link");
  }
  if (info.st_uid != uid) {
    return refuse(Errc::kForbidden, path, "its directory belongs to another user");
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return refuse(Errc::kForbidden, path,
                  "its directory can be written by others; chmod it to 700");
  }
  if (fstatat(directory.get(), path.c_str() + slash + 1, &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return refuse_errno(path);
  }
  if (!S_ISSOCK(info.st_mode)) return refuse(Errc::kForbidden, path, "is not a socket");
  if (info.st_uid != uid) return refuse(Errc::kForbidden, path, "belongs to another user");
  return {};
}

/// Nothing where the queue of connections is full. Who listens is asked of the connected socket,
/// so it does not matter what became of the path since it was checked.
Result<std::optional<Descriptor>> open_socket(const std::string& path, std::uint32_t uid) {
  if (path.empty() || path.front() != '/' || path.size() > kUnixPathBytesMax) {
    return refuse(Errc::kBadRequest, path, "is not an absolute path of at most 107 bytes");
  }
  if (descriptors_are_short()) return refuse(Errc::kUnavailable, path, std::strerror(EMFILE));
  if (const auto fine = check_files(path, uid); !fine) return tl::unexpected<Error>(fine.error());
  Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return refuse_errno(path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EAGAIN) return std::nullopt;
    return refuse_errno(path);
  }
  ucred listener{};
  socklen_t size = sizeof listener;
  if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0) {
    return refuse_errno(path);
  }
  if (listener.uid != uid || uid == kOverflowUid) {
    return refuse(Errc::kForbidden, path, "another user's program listens there");
  }
  return fd;
}

/// One attempt, which repeats itself while the queue is full.
class UnixConnect final : public Pending {
 public:
  UnixConnect(Loop& loop, std::string path, std::uint32_t uid, std::uint64_t timeout_ms,
              UnixConnectDone done)
      : loop_(loop),
        path_(std::move(path)),
        uid_(uid),
        deadline_ms_(loop.now_ms() + timeout_ms),
        done_(std::move(done)),
        alive_(std::make_shared<UnixConnect*>(this)),
        again_(loop, [this] { look(); }) {}
  ~UnixConnect() override { *alive_ = nullptr; }
  UnixConnect(const UnixConnect&) = delete;
  UnixConnect& operator=(const UnixConnect&) = delete;

  void look() {
    auto fd = open_socket(path_, uid_);
    if (!fd) return finish_later(tl::unexpected<Error>(fd.error()));
    if (*fd) return finish_later(wrap(**fd));
    if (loop_.now_ms() >= deadline_ms_) {
      return finish_later(refuse(Errc::kTimeout, path_, "takes no more connections"));
    }
    again_.start(kQueueFullMs);
  }

 private:
  using Connected = Result<std::unique_ptr<UnixStream>>;

  Connected wrap(Descriptor& fd) {
    auto raw = std::make_unique<uv_pipe_t>();
    int rc = uv_pipe_init(loop_.uv(), raw.get(), 0);
    if (rc != 0) return refuse(Errc::kNetwork, path_, uv_strerror(rc));
    UvPtr<uv_pipe_t> handle(raw.release());
    rc = uv_pipe_open(handle.get(), fd.get());
    if (rc != 0) return refuse(Errc::kNetwork, path_, uv_strerror(rc));
    fd.release();  // the handle closes it from now on
    return std::make_unique<UnixStream>(loop_, std::move(handle));
  }

  void finish_later(Connected result) {
    // Kept here, so that a cancelled attempt closes the socket.
    result_ = std::make_unique<Connected>(std::move(result));
    loop_.post([owner = alive_] {
      if (*owner != nullptr) (*owner)->finish();
    });
  }

  void finish() {
    const auto done = std::move(done_);
    const auto result = std::move(result_);
    done(std::move(*result));  // may destroy this object
  }

  Loop& loop_;
  std::string path_;
  std::uint32_t uid_;
  std::uint64_t deadline_ms_;
  UnixConnectDone done_;
  std::shared_ptr<UnixConnect*> alive_;  // shared with what was posted to the loop
  std::unique_ptr<Connected> result_;
  Timer again_;
};

UvStreamPtr as_stream(UvPtr<uv_pipe_t> handle) {
  return UvStreamPtr(reinterpret_cast<uv_stream_t*>(handle.release()));
}

}  // namespace

UnixStream::UnixStream(Loop& loop, UvPtr<uv_pipe_t> connected)
    : SocketStream(loop, as_stream(std::move(connected))) {}

std::unique_ptr<Pending> connect_unix(Loop& loop, const std::string& path, std::uint32_t uid,
                                      std::uint64_t timeout_ms, UnixConnectDone done) {
  auto attempt = std::make_unique<UnixConnect>(loop, path, uid, timeout_ms, std::move(done));
  attempt->look();
  return attempt;
}

}  // namespace hpc
