#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/upstream_pool.h"
#include "manager/session/scheduler.h"
#include "manager/ssh/ssh_connection.h"

namespace hpc {

// sshd's own connect to a dead node takes minutes; a person has given up by then.
constexpr std::uint64_t kChannelTimeoutMs = 10'000;

/// Where one hpc-proxy answers and what it must know.
struct ProxyEndpoint {
  std::vector<std::string> addresses;  // as the SSH server resolves them, tried in this order
  std::uint16_t port = 0;
  std::string token;
};

/// Opens a channel to an endpoint and lets it prove itself (HelloCheck). Each address is tried
/// until one does.
///
/// Calls `done` once, in a later turn, unless destroyed first, with the stream and the number of
/// the address that worked. Errors: of HelloCheck and SshConnection::open_channel; of several
/// addresses the one that says most.
class ChannelOpening final : public Pending {
 public:
  struct Opened {
    std::unique_ptr<Stream> stream;
    std::size_t address = 0;
  };
  using Done = std::function<void(Result<Opened>)>;
  /// `connection` and `scheduler` must outlive it.
  ChannelOpening(Scheduler& scheduler, SshConnection& connection, ProxyEndpoint endpoint,
                 Done done);
  ChannelOpening(const ChannelOpening&) = delete;
  ChannelOpening& operator=(const ChannelOpening&) = delete;

 private:
  void try_next();
  void on_channel(Result<std::unique_ptr<Stream>> stream);
  void on_hello(Result<std::unique_ptr<Stream>> stream);
  void failed(const Error& error);

  Scheduler& scheduler_;
  SshConnection& connection_;
  ProxyEndpoint endpoint_;
  Done done_;
  std::size_t address_ = 0;
  std::unique_ptr<Pending> step_;
  std::optional<Error> worst_;
};

}  // namespace hpc
