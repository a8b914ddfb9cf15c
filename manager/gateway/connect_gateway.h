#pragma once
#include <cstdint>
#include <string_view>

#include "common/http_handler.h"
#include "common/log.h"
#include "common/upstream_pool.h"
#include "manager/gateway/browser_access.h"
#include "manager/session/tunnel_view.h"

namespace hpc {

/// The browser side of `connect`: lets in whom BrowserAccess lets in, answers `/`, and sends
/// everything else on to hpc-proxy, except `/.hpc-proxy/` and `/.hpc-manager/`, which are between
/// our two programs (contract 1.3, 2.0), and except what root_fallback.h finds to be another's.
///
/// Everything handed to the constructor must outlive it.
class ConnectGateway final : public HttpHandler {
 public:
  /// `port`: our own local one, for the start page and the name of the root fallback's cookie.
  ConnectGateway(BrowserAccess& access, UpstreamPool& pool, const TunnelView& tunnel,
                 std::uint16_t port, bool root_fallback, Log& log);
  Decision on_request(const RequestHead& head, ClientInfo& client) override;
  LocalAnswer on_refusal(int status, std::string_view detail) override;

 private:
  Decision route(const RequestHead& head, const ClientInfo& client);
  Decision forward(const RequestHead& head, const ClientInfo& client);

  BrowserAccess& access_;
  UpstreamPool& pool_;
  const TunnelView& tunnel_;
  std::uint16_t port_;
  bool root_fallback_;
  Log& log_;
};

/// Is this target for the talk between our two programs, so that no browser has a part in it?
bool is_between_programs(std::string_view target);

/// May this request be repeated without harm, so that it may wait for the tunnel (contract 2.3)?
bool may_wait_for_tunnel(const RequestHead& head);

}  // namespace hpc
