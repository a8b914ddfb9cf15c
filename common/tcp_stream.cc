#include "common/tcp_stream.h"

namespace hpc {

namespace {

UvStreamPtr as_stream(UvPtr<uv_tcp_t> handle) {
  return UvStreamPtr(reinterpret_cast<uv_stream_t*>(handle.release()));
}

template <class Get>
SocketAddress address_of(uv_stream_t* handle, Get get) {
  sockaddr_storage storage{};
  int size = sizeof storage;
  const auto* tcp = reinterpret_cast<uv_tcp_t*>(handle);
  if (tcp == nullptr || get(tcp, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return socket_address(storage);
}

}  // namespace

TcpStream::TcpStream(Loop& loop, UvPtr<uv_tcp_t> connected)
    : SocketStream(loop, as_stream(std::move(connected))) {}
SocketAddress TcpStream::peer() const { return address_of(handle(), uv_tcp_getpeername); }
SocketAddress TcpStream::local() const { return address_of(handle(), uv_tcp_getsockname); }

}  // namespace hpc
