#include "manager/serve_listeners.h"

#include <utility>

#include "manager/gateway/tls_stream.h"

namespace hpc {

Status ServeListeners::open(const ServeOptions& options) {
  if (options.tls_cert && options.tls_key) {
    if (auto loaded = load_tls(options); !loaded) return loaded;
  }
  auto listener = TcpListener::listen(loop_, options.listen.address, options.listen.port,
                                      [this](auto stream) { accept(std::move(stream)); });
  if (!listener) return tl::unexpected(listener.error());
  listener_ = std::move(*listener);
  if (options.metrics_listen) {
    auto metrics = TcpListener::listen(loop_, options.metrics_listen->address,
                                       options.metrics_listen->port, [this](auto stream) {
                                         auto info = client_info(*stream);
                                         metrics_->adopt(std::move(stream), std::move(info));
                                       });
    if (!metrics) return tl::unexpected(metrics.error());
    metrics_listener_ = std::move(*metrics);
  }
  auto socket = OperatorSocket::listen(loop_, options.socket, [this](auto stream) {
    ClientInfo info;
    info.peer_is_ours = 1;
    operators_->adopt(std::move(stream), std::move(info));
  });
  if (!socket) return tl::unexpected(socket.error());
  operator_socket_ = std::move(*socket);
  return {};
}

void ServeListeners::accept(std::unique_ptr<TcpStream> stream) {
  auto info = client_info(*stream);
  if (tls_ == nullptr) return browsers_->adopt(std::move(stream), std::move(info));
  auto session = tls_->new_session();
  if (!session) return loop_.defer_delete(std::move(stream));
  browsers_->adopt(std::make_unique<TlsStream>(loop_, std::move(stream), std::move(*session),
                                               HttpServerOptions{}.head_timeout_ms),
                   std::move(info));
}

Status ServeListeners::load_tls(const ServeOptions& options) {
  auto tls = TlsContext::load(*options.tls_cert, *options.tls_key, log_);
  if (!tls) return tl::unexpected(tls.error());
  tls_ = std::move(*tls);
  tls_files_ = {*options.tls_cert, *options.tls_key};
  return {};
}

void ServeListeners::reload_tls(const ServeOptions& options) {
  if (tls_ == nullptr || !options.tls_cert || !options.tls_key) return;
  if (std::pair(*options.tls_cert, *options.tls_key) == tls_files_) {
    static_cast<void>(tls_->reload());  // says itself what is wrong
  } else if (auto loaded = load_tls(options); !loaded) {
    log_.error("the certificate stays as it was", {{"cause", loaded.error().detail}});
  }
}

HttpServerOptions ServeListeners::browser_options(std::size_t connections_max) {
  HttpServerOptions out;
  out.connections_max = connections_max;
  // Everybody begins without a login here, and whoever has none yet needs the page to log in.
  out.unauthenticated_max = connections_max / 2;
  if (peer_owner_) ask_about_peers(out, *peer_owner_);
  return out;
}

void ServeListeners::attach(const ServeOptions& options, const Handlers& handlers) {
  if (auto owner = make_peer_owner()) peer_owner_ = std::move(*owner);
  browsers_ = std::make_unique<HttpServer>(loop_, handlers.browsers,
                                           browser_options(options.max_connections));
  lent_ = std::make_unique<HttpServer>(loop_, handlers.lent_ports,
                                       browser_options(options.max_connections));
  HttpServerOptions few;
  few.connections_max = kOperatorConnectionsMax;
  operators_ = std::make_unique<HttpServer>(loop_, handlers.operators, few);
  if (!metrics_listener_) return;
  few.connections_max = few.unauthenticated_max = kMetricsConnectionsMax;
  metrics_ = std::make_unique<HttpServer>(loop_, handlers.metrics, few);
}

void ServeListeners::cut_traffic_of(const std::string& session, const Error& why) {
  browsers_->cut_traffic_of(session, why);
  lent_->cut_traffic_of(session, why);
}

HttpServerStats ServeListeners::traffic() const {
  HttpServerStats sum = browsers_->stats();
  const HttpServerStats more = lent_->stats();
  sum.requests += more.requests;
  sum.connections_accepted += more.connections_accepted;
  sum.connections_refused += more.connections_refused;
  sum.bytes_from_clients += more.bytes_from_clients;
  sum.bytes_to_clients += more.bytes_to_clients;
  sum.open_connections += more.open_connections;
  sum.unauthenticated_connections += more.unauthenticated_connections;
  sum.buffered_bytes += more.buffered_bytes;
  sum.open_exchanges += more.open_exchanges;
  sum.open_websockets += more.open_websockets;
  return sum;
}

// Lent ports stay bound, so that nobody else has them before the next start.
void ServeListeners::drain(std::uint64_t limit_ms, std::function<void()> done) {
  drained_ = std::move(done);
  listener_.reset();
  metrics_listener_.reset();
  operator_socket_.reset();
  std::vector<HttpServer*> all = {browsers_.get(), lent_.get(), operators_.get()};
  if (metrics_) all.push_back(metrics_.get());
  draining_ = all.size();
  for (auto* server : all) server->drain(limit_ms, [this] { check_drained(); });
}

void ServeListeners::check_drained() {
  if (--draining_ == 0) drained_();
}

}  // namespace hpc
