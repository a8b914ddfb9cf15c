#include "common/http_server.h"

#include <utility>

#include "common/http_connection.h"
#include "common/peer_owner.h"

namespace hpc {

namespace {
// Connections past a limit that may stay for the moment it takes to read their 503.
constexpr std::size_t kRefusedMax = 64;
// Of an answer, notes on hostile upstreams: more is no head but an attack on memory.
constexpr HttpLimits kAnswerLimits{std::size_t{8} * 1024, std::size_t{64} * 1024, 200};
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
      request_kits_(HttpParser::Kind::kRequest, options_.limits),
      answer_kits_(HttpParser::Kind::kResponse, kAnswerLimits),
      drain_timer_(loop, [this] { cut_all(); }) {}

HttpServer::~HttpServer() {
  while (connections_ != nullptr) take_out(connections_).reset();
}

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
  auto* raw = connection.release();
  raw->next_ = connections_;
  if (connections_ != nullptr) connections_->previous_ = raw;
  connections_ = raw;
  raw->start();
  if (full) raw->refuse(503, "too many connections");
}

void HttpServer::drain(std::uint64_t limit_ms, std::function<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  drain_timer_.start(limit_ms);
  for (auto* each = connections_; each != nullptr; each = each->next_) each->drain();
  check_drained();
}

void HttpServer::cut_all() {
  for (auto* each = connections_; each != nullptr; each = each->next_) {
    each->cut({Errc::kTimeout, "drain", "still busy at the end of the drain"});
  }
}

void HttpServer::cut_traffic_of(std::string_view owner, const Error& why) {
  if (owner.empty()) return;
  for (auto* each = connections_; each != nullptr; each = each->next_) {
    if (each->carries_traffic_of(owner)) each->cut_traffic(why);
  }
}

std::unique_ptr<HttpConnection> HttpServer::take_out(HttpConnection* connection) {
  if (connection->next_ != nullptr) connection->next_->previous_ = connection->previous_;
  (connection->previous_ != nullptr ? connection->previous_->next_ : connections_) =
      connection->next_;
  return std::unique_ptr<HttpConnection>(connection);
}

void HttpServer::remove(HttpConnection* connection) {
  if (connection->left_server_) return;
  auto leaving = take_out(connection);
  leaving->leave_server();
  loop_.defer_delete(std::move(leaving));
  check_drained();
}

void HttpServer::check_drained() {
  if (!draining_ || connections_ != nullptr || !drained_) return;
  drain_timer_.stop();
  loop_.post(std::exchange(drained_, nullptr));
}

void HttpServer::note_activity() {
  uv_timeval64_t now{};
  uv_gettimeofday(&now);
  stats_.last_activity_unix_ms = now.tv_sec * 1000 + now.tv_usec / 1000;
}

}  // namespace hpc
