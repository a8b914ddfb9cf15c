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

void ServeListeners::attach(const ServeOptions& options, const Handlers& handlers) {
  if (auto owner = make_peer_owner()) peer_owner_ = std::move(*owner);
  HttpServerOptions browser_options;
  browser_options.connections_max = options.max_connections;
  // Everybody begins without a login here, and a page of a login form has no other way.
  browser_options.unauthenticated_max = options.max_connections / 2;
  if (peer_owner_) ask_about_peers(browser_options, *peer_owner_);
  browsers_ = std::make_unique<HttpServer>(loop_, handlers.browsers, std::move(browser_options));
  HttpServerOptions operator_options;
  operator_options.connections_max = kOperatorConnectionsMax;
  operators_ = std::make_unique<HttpServer>(loop_, handlers.operators, std::move(operator_options));
}

void ServeListeners::cut_traffic_of(const std::string& session, const Error& why) {
  browsers_->cut_traffic_of(session, why);
}

void ServeListeners::drain(std::uint64_t limit_ms, std::function<void()> done) {
  drained_ = std::move(done);
  listener_.reset();
  operator_socket_.reset();
  draining_ = 2;
  browsers_->drain(limit_ms, [this] { check_drained(); });
  operators_->drain(limit_ms, [this] { check_drained(); });
}

void ServeListeners::check_drained() {
  if (--draining_ == 0) drained_();
}

}  // namespace hpc
