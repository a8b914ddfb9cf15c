#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/cross_site.h"
#include "common/http_handler.h"
#include "common/peer_owner.h"

namespace hpc {

enum class Verdict : std::uint8_t { kWelcome, kStranger, kCrossSite };

/// Who may use the local port of `connect` (contract 2.1).
class BrowserAccess {
 public:
  virtual ~BrowserAccess() = default;
  virtual Verdict decide(const RequestHead& head, ClientInfo& client) = 0;
  /// Fills in what can be known ahead of the first request (client.peer_is_ours).
  virtual void look_at(ClientInfo&) {}
  /// An answer of its own to this request (the one-time URL); nothing: go on with decide().
  virtual std::optional<LocalAnswer> redeem(const RequestHead& head) = 0;
  /// The path to print behind http://127.0.0.1:PORT.
  virtual std::string entry_path() const = 0;
  /// What a stranger is told to do.
  virtual std::string_view advice() const = 0;
};

/// `--access uid`: processes of `uid` on this machine, as the kernel says. `owner` must outlive it.
std::unique_ptr<BrowserAccess> make_uid_access(PeerOwner& owner, std::uint32_t uid);

/// `--access url`: who opened the one-time URL and carries its cookie, as Jupyter does. `port` is
/// the local one, for the cookie's name.
std::unique_ptr<BrowserAccess> make_url_access(std::uint16_t port);

}  // namespace hpc
