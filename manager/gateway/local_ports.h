#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "common/http_handler.h"
#include "common/tcp_stream.h"
#include "manager/session/port_pool.h"

namespace hpc {

/// The ports of this machine that are lent to sessions (--local-ports), for PortPool: each is a
/// listener on 127.0.0.1 and on [::1], whose sockets are the lease. Without IPv6 in the kernel:
/// 127.0.0.1 alone. What another process holds on either address cannot be had.
///
/// `loop` must outlive it, and it the ports that it has bound. Connections of a port that was given
/// back go on; whose they were stays with them (ClientInfo::lent_to).
class LocalPorts final : public PortBinder {
 public:
  /// A connection to a port that is lent to `client.lent_to`. Not called from inside bind().
  using Accepted = std::function<void(std::unique_ptr<TcpStream> stream, ClientInfo client)>;

  LocalPorts(Loop& loop, Accepted accepted) : loop_(loop), accepted_(std::move(accepted)) {}
  LocalPorts(const LocalPorts&) = delete;
  LocalPorts& operator=(const LocalPorts&) = delete;

  Result<std::unique_ptr<HeldPort>> bind(const std::string& owner, std::uint16_t port) override;
  /// How many ports are bound now.
  std::size_t held() const { return held_; }

 private:
  class Held;
  Loop& loop_;
  Accepted accepted_;
  std::size_t held_ = 0;
};

}  // namespace hpc
