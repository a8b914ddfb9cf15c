#include <memory>
#include <string>
#include <utility>

#include "common/descriptor_reserve.h"
#include "common/tcp_stream.h"
#include "common/timer.h"

namespace hpc {

namespace {

/// One attempt. The libuv request outlives a cancelled attempt, so it is an object of its own.
class TcpConnect final : public Pending {
 public:
  TcpConnect(Loop& loop, std::string name, std::uint64_t timeout_ms, TcpConnectDone done)
      : loop_(loop),
        name_(std::move(name)),
        done_(std::move(done)),
        alive_(std::make_shared<TcpConnect*>(this)),
        timer_(loop, [this] { on_timeout(); }) {
    timer_.start(timeout_ms);
  }
  ~TcpConnect() override { *alive_ = nullptr; }
  TcpConnect(const TcpConnect&) = delete;
  TcpConnect& operator=(const TcpConnect&) = delete;

  /// `socket_fd` empty: with a socket of its own.
  void start(const Result<sockaddr_storage>& where, UniqueFd socket_fd) {
    if (!where) return finish_later(where.error());
    int rc = open(where->ss_family, socket_fd);
    if (rc != 0) return finish_later(error_of(rc));
    uv_tcp_nodelay(handle_.get(), 1);
    auto request = std::make_unique<Request>(Request{{}, alive_});
    request->connect.data = request.get();
    rc =
        uv_tcp_connect(&request->connect, handle_.get(), reinterpret_cast<const sockaddr*>(&*where),
                       [](uv_connect_t* connect, int status) {
                         const std::unique_ptr<Request> mine(static_cast<Request*>(connect->data));
                         if (*mine->owner != nullptr) (*mine->owner)->on_connected(status);
                       });
    if (rc != 0) return finish_later(error_of(rc));
    // The callback frees it, also when the handle is closed before.
    static_cast<void>(request.release());
  }

 private:
  struct Request {
    uv_connect_t connect;
    std::shared_ptr<TcpConnect*> owner;  // null inside once the attempt was cancelled
  };

  /// handle_ with `socket_fd`, or with a new socket, which must not be one of the last.
  int open(int family, UniqueFd& socket_fd) {
    auto raw = std::make_unique<uv_tcp_t>();
    const auto made = static_cast<unsigned>(socket_fd ? AF_UNSPEC : family);
    int rc = uv_tcp_init_ex(loop_.uv(), raw.get(), made);
    if (rc != 0) return rc;
    handle_.reset(raw.release());
    if (socket_fd) {
      rc = uv_tcp_open(handle_.get(), socket_fd.get());
      if (rc == 0) static_cast<void>(socket_fd.release());  // the handle's now
      if (rc != 0) return rc;
    }
    uv_os_fd_t fd = -1;
    rc = uv_fileno(reinterpret_cast<uv_handle_t*>(handle_.get()), &fd);
    return rc == 0 && is_of_the_last(fd) ? UV_EMFILE : rc;
  }

  void on_connected(int status) noexcept {
    if (status == 0) return finish(std::make_unique<TcpStream>(loop_, std::move(handle_)));
    if (status == UV_ECANCELED) return;  // our own time is over, on_timeout() says so
    finish(tl::unexpected<Error>(error_of(status)));
  }

  Error error_of(int rc) const {
    const auto code = rc == UV_ECONNREFUSED ? Errc::kRefused
                      : rc == UV_ETIMEDOUT  ? Errc::kTimeout
                      : is_shortage(-rc)    ? Errc::kUnavailable
                                            : Errc::kNetwork;
    return {code, "connect", name_ + ": " + uv_strerror(rc)};
  }

  void on_timeout() {
    handle_.reset();
    // Later, because `done` may destroy this object and with it the timer that is firing now.
    finish_later({Errc::kTimeout, "connect", name_ + ": no answer in time"});
  }

  void finish_later(const Error& error) {
    loop_.post([owner = alive_, error] {
      if (*owner != nullptr) (*owner)->finish(tl::unexpected<Error>(error));
    });
  }

  void finish(Result<std::unique_ptr<TcpStream>> result) {
    *alive_ = nullptr;  // whatever comes late is not for us any more
    timer_.stop();
    const auto done = std::move(done_);
    done(std::move(result));  // may destroy this object
  }

  Loop& loop_;
  std::string name_;
  TcpConnectDone done_;
  std::shared_ptr<TcpConnect*> alive_;  // shared with the request that libuv holds
  UvPtr<uv_tcp_t> handle_;
  Timer timer_;
};

}  // namespace

std::unique_ptr<Pending> connect_tcp(Loop& loop, const std::string& address, std::uint16_t port,
                                     std::uint64_t timeout_ms, TcpConnectDone done) {
  return connect_tcp(loop, UniqueFd(), address, port, timeout_ms, std::move(done));
}

std::unique_ptr<Pending> connect_tcp(Loop& loop, UniqueFd socket_fd, const std::string& address,
                                     std::uint16_t port, std::uint64_t timeout_ms,
                                     TcpConnectDone done) {
  auto attempt = std::make_unique<TcpConnect>(loop, address + " port " + std::to_string(port),
                                              timeout_ms, std::move(done));
  attempt->start(make_sockaddr(address, port), std::move(socket_fd));
  return attempt;
}

}  // namespace hpc
