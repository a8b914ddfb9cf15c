#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "common/buffer_budget.h"
#include "common/http_handler.h"
#include "common/http_parser.h"
#include "common/loop.h"
#include "common/parser_kit.h"
#include "common/tcp_stream.h"
#include "common/timer.h"

namespace hpc {

class HttpConnection;

/// Limits of contract 1.5. Milliseconds and bytes.
struct HttpServerOptions {
  HttpLimits limits;
  std::uint64_t head_timeout_ms = 10'000;  // a request head, from its first byte: 408
  std::uint64_t idle_timeout_ms = 75'000;  // between requests: close
  std::uint64_t body_timeout_ms = 60'000;  // between reads of a request body, while we read: close
  std::size_t connections_max = 1024;      // past it: 503 and close
  std::size_t unauthenticated_max = 64;    // of them, not yet let in: 503 and close
  std::uint64_t unauthenticated_ms = 10'000;  // then closed
  // How long we go on reading from a client that has our last answer, and how long from one that
  // does not stop sending. A client that is still taking the answer has more time.
  std::uint64_t linger_ms = 2'000;
  std::uint64_t linger_total_ms = 30'000;
  std::size_t buffer_bytes_max =
      std::size_t{64} * 1024 * 1024;  // over all exchanges: reading pauses
  // After the client's end of input while it waits for an answer: is somebody still there to read
  // it (a half-close), or has it closed (a browser tab)? Empty: an end is taken for a close.
  std::function<bool(const ClientInfo&)> peer_still_open;
  // While a client is not read, because its upstream is slow: has it closed for certain, so that
  // its end of input cannot but come later? Empty: that is never known.
  std::function<bool(const ClientInfo&)> peer_has_closed;
  std::uint64_t peer_look_ms = 1'000;  // how often a client that is not read is looked at
};

/// Counters since start, for /status and /metrics.
struct HttpServerStats {
  std::uint64_t requests = 0;
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;
  std::uint64_t bytes_from_clients = 0;  // bodies and upgraded bytes
  std::uint64_t bytes_to_clients = 0;
  std::size_t open_connections = 0;
  std::size_t unauthenticated_connections = 0;
  std::size_t buffered_bytes = 0;          // waiting in queues now, against --buffer-memory
  std::size_t open_exchanges = 0;          // forwarded requests being answered
  std::size_t open_websockets = 0;         // upgraded connections
  std::int64_t last_activity_unix_ms = 0;  // last forwarded byte; 0: none yet
};

/// The client side of the engine: owns every client connection, hands each request to the handler,
/// and answers or forwards it as the handler decided.
///
/// The loop and the handler must outlive the server. One server may be fed by several listeners.
class HttpServer {
 public:
  HttpServer(Loop& loop, HttpHandler& handler, HttpServerOptions options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Takes over a freshly accepted connection.
  void adopt(std::unique_ptr<Stream> stream, ClientInfo info);

  /// Finish running exchanges, close idle connections, refuse nothing new (stop the listeners
  /// first). `done` is called once when no connection is left or `limit_ms` has passed; what is
  /// left then is cut.
  void drain(std::uint64_t limit_ms, std::function<void()> done);

  /// Cuts every exchange and upgraded connection that was forwarded for `owner`: in the next turn
  /// but one nothing of ours uses its pool or its policy any more.
  void cut_traffic_of(std::string_view owner, const Error& why);

  HttpServerStats stats() const;

 private:
  friend class HttpConnection;
  void remove(HttpConnection* connection);
  std::unique_ptr<HttpConnection> take_out(HttpConnection* connection);
  void check_drained();
  void cut_all();
  void note_activity();

  Loop& loop_;
  HttpHandler& handler_;
  HttpServerOptions options_;
  HttpServerStats stats_;
  BufferBudget budget_;
  ParserPool request_kits_;
  ParserPool answer_kits_;
  HttpConnection* connections_ = nullptr;  // owned; a chain, so that each is in it at no cost
  Timer drain_timer_;
  std::function<void()> drained_;
  bool draining_ = false;
};

class PeerOwner;
/// Fills in both questions about peers; the kernel knows only those of this machine. `owner` must
/// outlive the server.
void ask_about_peers(HttpServerOptions& options, PeerOwner& owner);

/// What TcpListener's streams tell about themselves, for adopt().
ClientInfo client_info(const TcpStream& stream);

}  // namespace hpc
