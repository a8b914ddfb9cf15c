#include "common/http_server.h"

#include <utility>

#include "common/http_connection.h"
#include "common/peer_owner.h"

namespace hpc {

namespace {
// Connections past a limit that may stay for the moment it takes to read their 503.
constexpr std::size_t kRefusedMax = 64;
}  // namespace

ClientInfo client_info(const TcpStream& stream) {
  const auto peer = stream.peer();
  const auto local = stream.local();
  ClientInfo info;
  info.peer_address = peer.address;
  info.peer_port = peer.port;
  info.local_address = local.address;
  info.local_port = local.port;
  info.loopback = is_loopback_address(peer.address) && is_loopback_address(local.address);
  return info;
}

void ask_about_peers(HttpServerOptions& options, PeerOwner& owner) {
  options.peer_still_open = [&owner](const ClientInfo& client) {
    PeerOwner& asked = client.peer_owner != nullptr ? *client.peer_owner : owner;
    return client.loopback && asked.peer_is_open({client.peer_address, client.peer_port},
                                                 {client.local_address, client.local_port});
  };
  options.peer_has_closed = [&owner](const ClientInfo& client) {
    PeerOwner& asked = client.peer_owner != nullptr ? *client.peer_owner : owner;
    return client.loopback && asked.peer_has_closed({client.peer_address, client.peer_port},
                                                    {client.local_address, client.local_port});
  };
}

HttpServer::HttpServer(Loop& loop, HttpHandler& handler, HttpServerOptions options)
    : loop_(loop),
      handler_(handler),
      options_(std::move(options)),
      budget_(options_.buffer_bytes_max),
      drain_timer_(loop, [this] { cut_all(); }) {}

HttpServer::~HttpServer() = default;

HttpServerStats HttpServer::stats() const {
  HttpServerStats now = stats_;
  now.buffered_bytes = budget_.used();
  return now;
}

void HttpServer::adopt(std::unique_ptr<Stream> stream, ClientInfo info) {
  ++stats_.connections_accepted;
  const bool stranger = info.peer_is_ours != 1;
  const bool full =
      stats_.open_connections >= options_.connections_max ||
      (stranger && stats_.unauthenticated_connections >= options_.unauthenticated_max);
  if (full) ++stats_.connections_refused;
  if (full && stats_.open_connections >= options_.connections_max + kRefusedMax) {
    return loop_.defer_delete(std::move(stream));
  }
  auto connection = std::make_unique<HttpConnection>(*this, std::move(stream), std::move(info));
  auto* raw = connection.get();
  connections_.emplace(raw, std::move(connection));
  raw->start();
  if (full) raw->refuse(503, "too many connections");
}

void HttpServer::drain(std::uint64_t limit_ms, std::function<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  drain_timer_.start(limit_ms);
  for (auto& [raw, connection] : connections_) raw->drain();
  check_drained();
}

void HttpServer::cut_all() {
  for (auto& [raw, connection] : connections_) {
    raw->cut({Errc::kTimeout, "drain", "still busy at the end of the drain"});
  }
}

void HttpServer::cut_traffic_of(std::string_view owner, const Error& why) {
  for (auto& [raw, connection] : connections_) {
    if (raw->carries_traffic_of(owner)) raw->cut_traffic(why);
  }
}

void HttpServer::remove(HttpConnection* connection) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  loop_.defer_delete(std::move(found->second));
  connections_.erase(found);
  check_drained();
}

void HttpServer::check_drained() {
  if (!draining_ || !connections_.empty() || !drained_) return;
  drain_timer_.stop();
  loop_.post(std::exchange(drained_, nullptr));
}

void HttpServer::note_activity() {
  uv_timeval64_t now{};
  uv_gettimeofday(&now);
  stats_.last_activity_unix_ms = now.tv_sec * 1000 + now.tv_usec / 1000;
}

}  // namespace hpc
