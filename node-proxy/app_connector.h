#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "common/loop.h"
#include "common/target_owner.h"
#include "common/tcp_stream.h"
#include "common/upstream_pool.h"
#include "node-proxy/port_set.h"

namespace hpc {

/// Opens a TCP connection to a numeric address, as connect_tcp() does on a loop.
using TcpDial = std::function<std::unique_ptr<Pending>(
    const std::string& address, std::uint16_t port, std::uint64_t timeout_ms, TcpConnectDone done)>;

/// Opens connections to the user's apps: the key is an app target, so a port in decimal, tried on
/// the private addresses, then on 127.0.0.1 and [::1], or "unix:/PATH". Which of the last two
/// worked is remembered until it is refused.
///
/// Only to programs of this user: the kernel is asked whose the far end is before the first byte
/// is sent. An address of another user's counts as one where nothing listens.
///
/// Errors: kRefused when nothing listens on either address; kForbidden when none is ours and one is
/// foreign, or when it cannot be told whose it is (`detail` is for the user, and never says who);
/// else what the first one said.
class AppConnector final : public Connector {
 public:
  struct Rules {
    std::uint32_t uid = 0;
    PortSet foreign_ports;         // --allow-foreign-ports: whoever listens there
    std::uint64_t timeout_ms = 0;  // of each address
    // Of `hpc-proxy run`: where its command's programs listen, always tried first.
    std::vector<std::string> private_addresses = {};
  };
  /// `owner` must outlive this object, and what `dial` refers to as well. Empty: connect_tcp().
  AppConnector(Loop& loop, TargetOwner& owner, Rules rules, TcpDial dial = {});
  std::unique_ptr<Pending> connect(const std::string& key, ConnectDone done) override;

 private:
  class Attempt;
  bool v6_first(const std::string& key) const { return prefers_v6_.contains(key); }
  void note_family(const std::string& key, bool v6);

  Loop& loop_;
  TargetOwner& owner_;
  Rules rules_;
  TcpDial dial_;
  const std::string v4_ = "127.0.0.1";
  const std::string v6_ = "::1";
  // Ports whose app listens on ::1 only; at most as many entries as there are ports.
  std::unordered_set<std::string> prefers_v6_;
};

}  // namespace hpc
