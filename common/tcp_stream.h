#pragma once
#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/loop.h"
#include "common/socket_stream.h"
#include "common/unique_fd.h"
#include "common/upstream_pool.h"

namespace hpc {

class RefusedClients;

/// One end of a TCP connection: its address in text ("127.0.0.1", "::1"; v4-mapped ones as IPv4).
struct SocketAddress {
  std::string address;
  std::uint16_t port = 0;
};
SocketAddress socket_address(const sockaddr_storage& storage);
/// From numeric text only: no names are ever resolved here. kBadRequest if it is not an address.
Result<sockaddr_storage> make_sockaddr(const std::string& address, std::uint16_t port);
bool is_loopback_address(std::string_view address);

/// A connected TCP socket as a Stream. Nagle is off, by whoever made the socket: what we write is
/// already gathered.
class TcpStream final : public SocketStream {
 public:
  TcpStream(Loop& loop, UvPtr<uv_tcp_t> connected);
  SocketAddress peer() const;
  SocketAddress local() const;
};

/// Accepts connections on one address. Whoever comes when only the last descriptors are left gets a
/// 503 (descriptor_reserve.h).
class TcpListener {
 public:
  using Accepted = std::function<void(std::unique_ptr<TcpStream>)>;
  /// Binds and listens. `port` 0 takes a free one. IPv6 is bound V6ONLY. Errors: kSystem; with
  /// `detail` naming address and port, and "address in use" where that is the cause.
  static Result<std::unique_ptr<TcpListener>> listen(Loop& loop, const std::string& address,
                                                     std::uint16_t port, Accepted accepted);
  /// The same with a socket that was made before, for the family of `address` (in another network
  /// namespace).
  static Result<std::unique_ptr<TcpListener>> listen(Loop& loop, UniqueFd socket_fd,
                                                     const std::string& address, std::uint16_t port,
                                                     Accepted accepted);
  ~TcpListener();
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  TcpListener() = default;
  void on_connection(int status) noexcept;
  Loop* loop_ = nullptr;
  UvPtr<uv_tcp_t> handle_;
  Accepted accepted_;
  std::unique_ptr<RefusedClients> refused_;
  std::uint16_t port_ = 0;
};

using TcpConnectDone = std::function<void(Result<std::unique_ptr<TcpStream>>)>;

/// Opens a connection to a numeric address within `timeout_ms`. Calls `done` in a later turn
/// unless the returned object is destroyed first. Errors: kRefused, kTimeout, kNetwork.
std::unique_ptr<Pending> connect_tcp(Loop& loop, const std::string& address, std::uint16_t port,
                                     std::uint64_t timeout_ms, TcpConnectDone done);
/// The same with a socket that was made before, for the family of `address` (in another network
/// namespace).
std::unique_ptr<Pending> connect_tcp(Loop& loop, UniqueFd socket_fd, const std::string& address,
                                     std::uint16_t port, std::uint64_t timeout_ms,
                                     TcpConnectDone done);

}  // namespace hpc
