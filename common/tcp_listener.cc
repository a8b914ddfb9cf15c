#include <string>
#include <utility>

#include "common/descriptor_reserve.h"
#include "common/tcp_stream.h"

namespace hpc {

namespace {

// The kernel cuts it to net.core.somaxconn.
constexpr int kBacklog = 1024;

std::string cause(int rc, const std::string& address, std::uint16_t port) {
  const auto where = (address.find(':') == std::string::npos ? address : "[" + address + "]") +
                     ":" + std::to_string(port);
  if (rc == UV_EADDRINUSE) return where + ": address in use";
  return where + ": " + uv_strerror(rc);
}

UvPtr<uv_tcp_t> make_tcp(Loop& loop) {
  auto raw = std::make_unique<uv_tcp_t>();
  if (uv_tcp_init(loop.uv(), raw.get()) != 0) return nullptr;
  return UvPtr<uv_tcp_t>(raw.release());
}

}  // namespace

Result<std::unique_ptr<TcpListener>> TcpListener::listen(Loop& loop, const std::string& address,
                                                         std::uint16_t port, Accepted accepted) {
  return listen(loop, UniqueFd(), address, port, std::move(accepted));
}

Result<std::unique_ptr<TcpListener>> TcpListener::listen(Loop& loop, UniqueFd socket_fd,
                                                         const std::string& address,
                                                         std::uint16_t port, Accepted accepted) {
  const auto storage = make_sockaddr(address, port);
  if (!storage) return tl::unexpected<Error>(storage.error());
  std::unique_ptr<TcpListener> listener(new TcpListener);
  listener->loop_ = &loop;
  listener->refused_ = std::make_unique<RefusedClients>(loop);
  listener->accepted_ = std::move(accepted);
  listener->handle_ = make_tcp(loop);
  if (!listener->handle_) return fail(Errc::kSystem, "listen", "no memory for a socket");
  auto* handle = listener->handle_.get();
  handle->data = listener.get();
  const unsigned flags = storage->ss_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0;
  int rc = socket_fd ? uv_tcp_open(handle, socket_fd.get()) : 0;
  if (rc == 0) static_cast<void>(socket_fd.release());  // the handle's now
  // What is accepted has it from the listener: without Nagle.
  if (rc == 0) rc = uv_tcp_nodelay(handle, 1);
  if (rc == 0) rc = uv_tcp_bind(handle, reinterpret_cast<const sockaddr*>(&*storage), flags);
  if (rc == 0) {
    rc = uv_listen(reinterpret_cast<uv_stream_t*>(handle), kBacklog,
                   [](uv_stream_t* server, int status) {
                     static_cast<TcpListener*>(server->data)->on_connection(status);
                   });
  }
  if (rc != 0) return fail(Errc::kSystem, "listen", cause(rc, address, port));
  sockaddr_storage bound{};
  int size = sizeof bound;
  uv_tcp_getsockname(handle, reinterpret_cast<sockaddr*>(&bound), &size);
  listener->port_ = socket_address(bound).port;
  return listener;
}

TcpListener::~TcpListener() = default;

void TcpListener::on_connection(int status) noexcept {
  // Not even the reserve is left, or the whole machine's descriptors are used up: libuv has given
  // up a spare one to accept and close whoever waits, so that the loop does not spin.
  if (status != 0) return;
  auto handle = make_tcp(*loop_);
  if (!handle) return;
  auto* server = reinterpret_cast<uv_stream_t*>(handle_.get());
  if (uv_accept(server, reinterpret_cast<uv_stream_t*>(handle.get())) != 0) return;
  uv_os_fd_t fd = -1;
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(handle.get()), &fd) != 0) return;
  auto stream = std::make_unique<TcpStream>(*loop_, std::move(handle));
  // The last descriptors go to whoever comes then, one after the other, for a 503; and the one
  // before them to the app of a client that is served.
  if (is_of_the_last(fd + 1)) return refused_->refuse(std::move(stream));
  accepted_(std::move(stream));
}

}  // namespace hpc
