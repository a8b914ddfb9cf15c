#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_server.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/peer_owner.h"
#include "common/tcp_stream.h"
#include "manager/gateway/operator_socket.h"
#include "manager/gateway/tls_context.h"
#include "manager/serve_options.h"

namespace hpc {

// Operators and their scripts; each call is short.
constexpr std::size_t kOperatorConnectionsMax = 64;
// A few scrapers, which need no login.
constexpr std::size_t kMetricsConnectionsMax = 16;

/// The sockets of `serve` and the servers behind them: browsers, operators, metrics, lent ports.
///
/// First open(), which finds out the port; then attach(), once there is something behind them.
/// Nothing is accepted before the loop runs. Loop and log must outlive it; the handlers must
/// outlive the servers, that is, this.
class ServeListeners {
 public:
  /// What answers on which socket.
  struct Handlers {
    HttpHandler& browsers;
    HttpHandler& operators;
    HttpHandler& metrics;
    HttpHandler& lent_ports;
  };

  ServeListeners(Loop& loop, Log& log) : loop_(loop), log_(log) {}
  ServeListeners(const ServeListeners&) = delete;
  ServeListeners& operator=(const ServeListeners&) = delete;

  /// Binds what `options` name. kSystem and kConfig with what to do.
  Status open(const ServeOptions& options);
  std::uint16_t port() const { return listener_->port(); }
  /// A connection to a port that is lent to a session.
  void adopt_lent(std::unique_ptr<Stream> stream, ClientInfo client) {
    lent_->adopt(std::move(stream), std::move(client));
  }
  void attach(const ServeOptions& options, const Handlers& handlers);
  /// Reads the certificate again, or another one; open connections go on. Nothing where there is
  /// no TLS. On failure, which is logged, the old one stays.
  void reload_tls(const ServeOptions& options);

  /// Cuts what runs for a session that has ended.
  void cut_traffic_of(const std::string& session, const Error& why);
  /// Accepts nothing more and finishes what runs; `done` once, within `limit_ms`.
  void drain(std::uint64_t limit_ms, std::function<void()> done);
  /// Of browsers and lent ports together.
  HttpServerStats traffic() const;

 private:
  HttpServerOptions browser_options(std::size_t connections_max);
  Status load_tls(const ServeOptions& options);
  void accept(std::unique_ptr<TcpStream> stream);
  void check_drained();

  Loop& loop_;
  Log& log_;
  std::unique_ptr<TlsContext> tls_;  // nullptr: plain HTTP
  std::pair<std::string, std::string> tls_files_;
  std::unique_ptr<PeerOwner> peer_owner_;  // nullptr where the kernel does not tell
  std::unique_ptr<TcpListener> listener_;
  std::unique_ptr<TcpListener> metrics_listener_;
  std::unique_ptr<OperatorSocket> operator_socket_;
  std::unique_ptr<HttpServer> browsers_;
  std::unique_ptr<HttpServer> operators_;
  std::unique_ptr<HttpServer> metrics_;  // nullptr: no --metrics-listen
  std::unique_ptr<HttpServer> lent_;
  std::size_t draining_ = 0;
  std::function<void()> drained_;
};

}  // namespace hpc
