#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/body_filter.h"
#include "common/hop_headers.h"
#include "common/http_head.h"
#include "common/responder.h"
#include "common/result.h"
#include "common/upstream_pool.h"

namespace hpc {

class PeerOwner;

/// Writes the fields of a head as text, straight into the buffer that is sent. Names and values
/// come from parsed fields or from us, so they hold no line ends; `field` asserts that.
class HeadWriter {
 public:
  /// What becomes of a field that came from the other side.
  enum class Fate : std::uint8_t { kPasses, kEndsHere, kChanges };

  explicit HeadWriter(std::string& out) : out_(out) {}
  /// Room for a head of about so many bytes, so that it is not moved while it grows.
  void reserve(std::size_t bytes) { out_.reserve(out_.size() + bytes); }
  void field(std::string_view name, std::string_view value) {
    begin_field(name);
    piece(value);
    end_field();
  }
  // The same with a value in pieces.
  void begin_field(std::string_view name);
  void piece(std::string_view part);
  void end_field() { out_.append("\r\n", 2); }

  /// All fields of a head in their order: `fate(field)` says what becomes of each, `change(field)`
  /// writes those that change. Neighbours that pass are copied in one piece.
  template <class FateOf, class Change>
  void fields(const FieldList& list, FateOf fate, Change change) {
    std::size_t run_begin = 0;  // the fields from here on pass and are not written yet
    for (std::size_t i = 0; i < list.size(); ++i) {
      const Field field = list[i];
      const Fate found = fate(field);
      if (found == Fate::kPasses && list.is_plain(i)) continue;
      run(list, run_begin, i);
      run_begin = i + 1;
      if (found == Fate::kPasses) this->field(field.name, field.value);
      if (found == Fate::kChanges) change(field);
    }
    run(list, run_begin, list.size());
  }

 private:
  void run(const FieldList& list, std::size_t begin, std::size_t end) {
    if (begin != end) out_.append(list.lines(begin, end - 1));
  }

  std::string& out_;
};

/// How one forwarded request is changed on its way; made per request by the handler and owned by
/// the exchange. Hop-by-hop and framing fields are the engine's: it strips them before these calls
/// and writes its own.
class ForwardPolicy {
 public:
  virtual ~ForwardPolicy() = default;
  /// May put another request target in place of the forward's, byte for byte: asked once there is
  /// a connection, before write_request_fields(), because only then it is known where it leads.
  virtual void choose_target(std::string& target) { static_cast<void>(target); }
  /// Writes every end-to-end field of the request as it goes to the upstream, Host included.
  virtual void write_request_fields(const RequestHead& head, const HopFields& hop,
                                    HeadWriter& out) = 0;
  /// Writes every end-to-end field of the answer as it goes to the client. Also called for interim
  /// answers (1xx) and for a 101.
  virtual void write_response_fields(const ResponseHead& head, const HopFields& hop,
                                     HeadWriter& out) = 0;
  /// What changes the body of this final answer on its way; nothing: it passes byte for byte. Asked
  /// before write_response_fields(), also where there will be no body (HEAD, 304): an answer whose
  /// body would be changed goes out without a length.
  virtual std::unique_ptr<BodyFilter> filter_body(const ResponseHead& head) {
    static_cast<void>(head);
    return nullptr;
  }
  /// The upstream could not be reached or died before its head. Errc says which: kRefused,
  /// kTimeout, kForbidden, kUnavailable, kNetwork (502).
  virtual LocalAnswer on_upstream_failed(const Error& error) = 0;
};

/// Send the request on: over a connection of `pool` to `key`, asking for `target`.
struct Forward {
  UpstreamPool* pool;  // outlives the exchange
  std::string key;     // what the pool's connector understands: "127.0.0.1:5500", "proxy"
  std::string target;  // request target for the upstream, byte for byte
  std::unique_ptr<ForwardPolicy> policy;
  std::string owner = {};  // whose traffic it is, for HttpServer::cut_traffic_of(); may be empty
};

/// Let `responder` answer: after the request's body was read, later, or piece by piece.
struct Serve {
  std::unique_ptr<Responder> responder;
};

using Decision = std::variant<LocalAnswer, Forward, Serve>;

/// What is known of the connection a request came over. Lives as long as the connection.
struct ClientInfo {
  std::string peer_address;  // without port: "127.0.0.1", "::1", "10.77.0.5"; "" for a Unix socket
  std::uint16_t peer_port = 0;
  std::string local_address;
  std::uint16_t local_port = 0;
  bool loopback = false;  // both ends are loopback addresses
  // Set by the handler once a request was let in; see unauthenticated_max.
  bool authenticated = false;
  // The last answer was our hello: the client, now sure of us, may send its first request over the
  // same connection, still within unauthenticated_ms. Set and cleared by the handler.
  bool greeted = false;
  // Cached answer of the kernel: does the peer's end of this connection belong to our uid? A
  // connection does not change its owner, so one question is enough. -1 not asked, 0 no, 1 yes.
  // Known to be 1 at adopt(): the connection never counts as unauthenticated, so that a burst of
  // the user's own does not meet the limit that is there for strangers.
  int peer_is_ours = -1;
  // Who can tell about the other end of a connection that was accepted in another network
  // namespace; null: whoever tells about all others. The same four numbers can be a connection in
  // both, so only one of them is ever asked. Outlives the connection.
  PeerOwner* peer_owner = nullptr;
  // Of a listener that is there for one purpose: whom it is lent to, as the handler's own name for
  // that. The engine does not look at it.
  std::string lent_to;
};

/// The program's side of the engine: decides, once per request, what happens to it.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  /// `head` passed every rule of http_rules. Called before any body byte is read. `client` may be
  /// changed (authenticated, peer_is_ours).
  virtual Decision on_request(const RequestHead& head, ClientInfo& client) = 0;
  /// The engine refuses a message or a connection itself (400, 408, 414, 431, 503 ...): the page
  /// for it. The connection is closed after it.
  virtual LocalAnswer on_refusal(int status, std::string_view detail) = 0;
};

}  // namespace hpc
