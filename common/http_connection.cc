#include "common/http_connection.h"

#include <algorithm>
#include <utility>

#include "common/http_exchange.h"
#include "common/local_exchange.h"

namespace hpc {

namespace {
// Enough for a burst of pipelined requests; more only once the answers before them are done.
constexpr std::size_t kReadAheadMax = std::size_t{64} * 1024;
}  // namespace

HttpConnection::HttpConnection(HttpServer& server, std::unique_ptr<Stream> stream, ClientInfo info)
    : server_(server), stream_(std::move(stream)), info_(std::move(info)) {
  ++server_.stats_.open_connections;
  counted_unauthenticated_ = info_.peer_is_ours != 1;
  if (counted_unauthenticated_) ++server_.stats_.unauthenticated_connections;
}

HttpConnection::~HttpConnection() { leave_server(); }

void HttpConnection::leave_server() {
  if (std::exchange(left_server_, true)) return;
  server_.loop_.stop_timer(*this);
  --server_.stats_.open_connections;
  if (counted_unauthenticated_) --server_.stats_.unauthenticated_connections;
  if (exchange_) --server_.stats_.open_exchanges;
  if (relay_) --server_.stats_.open_websockets;
  // Without a message's end it is not given back but destroyed with this object.
  if (message_complete()) server_.request_kits_.give_back(std::move(kit_));
}

void HttpConnection::start() {
  set_deadline(Deadline::kFirstAnswer, server_.options_.unauthenticated_ms);
  set_deadline_after_read();
  stream_->start(*this);
}

void HttpConnection::refuse(int status, std::string_view detail) {
  keep_ = false;
  if (exchange_ && exchange_->answer_begun()) {
    retire_exchange();
    return stream_->abort({Errc::kBadRequest, "client", std::string(detail)});
  }
  retire_exchange();
  answer(server_.handler_.on_refusal(status, detail));
  close_gently();
}

void HttpConnection::drain() {
  keep_ = false;
  if (exchange_) exchange_->drain();
  if (!exchange_ && !relay_ && !closing_ && at_message_start()) close_gently();
}

void HttpConnection::cut(const Error& why) {
  if (relay_) return relay_->abort(why);
  if (linger_ && stream_->queued_bytes() == 0) {
    linger_->until_ms = 0;
    return set_deadline(Deadline::kLinger, 0);
  }
  stream_->abort(why);
}

void HttpConnection::cut_traffic(const Error& why) {
  if (relay_) return relay_->abort(why);
  closing_ = true;
  retire_exchange();
  stream_->abort(why);
}

// A request is complete and its exchange still runs: the next one waits in held_.
bool HttpConnection::waits_for_answer() const { return exchange_ && message_complete(); }

void HttpConnection::on_data(Bytes bytes) noexcept {
  if (closing_) {
    if (linger_) linger_->still_sends = true;
    return;
  }
  if (waits_for_answer()) {
    hold(bytes);
    return set_deadline_after_read();
  }
  if (!holds_nothing()) return hold(bytes);
  consume(bytes);
}

void HttpConnection::consume(Bytes bytes) {
  while (!bytes.empty() && !closing_ && !waits_for_answer()) {
    if (!kit_) kit_ = server_.request_kits_.lend(*this);
    const auto used = kit_->parser.feed(bytes);
    if (!used) return refuse(used.error().status, used.error().detail);
    bytes = bytes.subspan(*used);
    if (exchange_) {
      exchange_->flush_request();
    } else if (answered_ && message_complete()) {
      after_answer();
    }
  }
  if (closing_) return;
  if (!bytes.empty()) hold(bytes);
  set_deadline_after_read();
}

void HttpConnection::hold(Bytes bytes) {
  held().append(as_text(bytes));
  if (held().size() >= kReadAheadMax) stream_->pause_read(PauseReason::kMessageDone);
}

void HttpConnection::continue_reading() {
  std::string held;
  if (kit_) held.swap(this->held());
  stream_->resume_read(PauseReason::kMessageDone);
  consume(as_bytes(held));
  if (client_ended_ && !exchange_ && !closing_) close_gently();
}

void HttpConnection::on_head() noexcept {
  ++server_.stats_.requests;
  const auto& head = request_head();
  auto decision = server_.handler_.on_request(head, info_);
  note_authenticated();
  // Whoever has not been let in gets one answer (and one more after our hello).
  keep_ = head.keep_alive && (info_.authenticated || info_.greeted) && !server_.draining_;
  if (auto* local = std::get_if<LocalAnswer>(&decision)) {
    answered_ = true;
    if (head.framing.kind != BodyKind::kNone || local->close) keep_ = false;
    return answer(*local);
  }
  ++server_.stats_.open_exchanges;
  exchange_ = make_exchange(std::move(decision));
  exchange_->start();
}

std::unique_ptr<Exchange> HttpConnection::make_exchange(Decision decision) {
  const auto& head = request_head();
  Exchange::Client& client = *this;
  traffic_owner_.reset();
  if (auto* forward = std::get_if<Forward>(&decision)) {
    if (!forward->owner.empty()) {
      traffic_owner_ = std::make_unique<std::string>(std::move(forward->owner));
    }
    return std::make_unique<HttpExchange>(server_.loop_, client, server_.budget_,
                                          server_.answer_kits_, head, std::move(*forward), keep_);
  }
  return std::make_unique<LocalExchange>(server_.loop_, client, head,
                                         std::move(std::get<Serve>(decision).responder), keep_);
}

void HttpConnection::on_body(Bytes bytes) noexcept {
  if (exchange_) exchange_->request_body(bytes);
}

void HttpConnection::on_message_end() noexcept {
  if (exchange_) exchange_->request_end();
}

void HttpConnection::note_authenticated() {
  if (!info_.authenticated || !counted_unauthenticated_) return;
  counted_unauthenticated_ = false;
  --server_.stats_.unauthenticated_connections;
}

void HttpConnection::answer(const LocalAnswer& answer) {
  // A connection may be refused before it has said anything.
  const bool head_only = kit_ && request_head().method == "HEAD";
  const int version_minor = kit_ ? request_head().version_minor : 1;
  const auto text = write_answer(answer, head_only, keep_, version_minor);
  stream_->write(as_bytes(text));
  if (!keep_) close_gently();
}

// The current request and its answer are both complete. Never from inside the parser.
void HttpConnection::after_answer() {
  if (!keep_ || server_.draining_) return close_gently();
  answered_ = false;
  if (!holds_nothing()) return kit_->parser.next_message();
  server_.request_kits_.give_back(std::move(kit_));
}

void HttpConnection::on_exchange_done(bool intact) noexcept {
  retire_exchange();
  // An answer that came before the request was read to its end: the rest is not worth reading.
  if (!intact || !message_complete()) return close_gently();
  after_answer();
  if (closing_) return;
  if (holds_nothing() && !client_ended_) return set_deadline_after_read();
  set_deadline(Deadline::kContinue, 0);
}

void HttpConnection::on_exchange_answer(LocalAnswer local) noexcept {
  retire_exchange();
  if (!message_complete() || local.close) keep_ = false;
  answer(local);
  if (closing_) return;
  after_answer();
  if (!closing_) set_deadline(Deadline::kContinue, 0);
}

void HttpConnection::on_exchange_broken(const Error& why) noexcept {
  retire_exchange();
  closing_ = true;
  stream_->abort(why);
}

void HttpConnection::on_exchange_upgraded(std::unique_ptr<Stream> upstream, Bytes early) noexcept {
  retire_exchange();
  set_deadline(Deadline::kNone, 0);
  stream_->resume_read(PauseReason::kMessageDone);
  ++server_.stats_.open_websockets;
  Relay::Owner& owner = *this;
  relay_ =
      std::make_unique<Relay>(std::move(stream_), std::move(upstream), &server_.budget_, &owner);
  relay_->start(as_bytes(held()), early);
  server_.request_kits_.give_back(std::move(kit_));
}

void HttpConnection::on_relay_done(const Status&) noexcept { server_.remove(this); }

void HttpConnection::on_relay_bytes(std::size_t from_client, std::size_t from_target) noexcept {
  count_body(from_client, from_target);
}

void HttpConnection::count_body(std::size_t from_client, std::size_t to_client) noexcept {
  server_.stats_.bytes_from_clients += from_client;
  server_.stats_.bytes_to_clients += to_client;
  server_.note_activity();
}

void HttpConnection::retire_exchange() {
  if (!exchange_) return;
  // Whatever the exchange waited for, it is over; the next request must be read.
  for (const auto why :
       {PauseReason::kPeerQueueFull, PauseReason::kNoUpstream, PauseReason::kMemoryBound}) {
    stream_->resume_read(why);
  }
  --server_.stats_.open_exchanges;
  exchange_->abandon();
  server_.loop_.defer_delete(std::move(exchange_));
}

void HttpConnection::on_end() noexcept {
  client_ended_ = true;
  if (closing_) return;
  // A closed browser tab looks the same as a half-close: the kernel may know the difference.
  if (exchange_ && server_.options_.peer_still_open && message_complete() &&
      server_.options_.peer_still_open(info_)) {
    return;
  }
  const bool cut_short = exchange_ && exchange_->answer_begun();
  retire_exchange();
  // Whoever does read on must not take a part of the answer for the whole.
  if (cut_short) return stream_->abort({Errc::kNetwork, "client", "closed the connection"});
  close_gently();
}

void HttpConnection::on_drain() noexcept {
  if (exchange_) exchange_->on_client_drain();
}

void HttpConnection::on_close(const Status&) noexcept {
  closing_ = true;
  retire_exchange();
  server_.remove(this);
}

void HttpConnection::close_gently() {
  if (closing_) return;
  closing_ = true;
  if (kit_) held().clear();
  for (const auto why : {PauseReason::kPeerQueueFull, PauseReason::kMessageDone,
                         PauseReason::kNoUpstream, PauseReason::kMemoryBound}) {
    stream_->resume_read(why);
  }
  stream_->shutdown_write();
  const auto now_ms = server_.loop_.now_ms();
  linger_ = std::make_unique<Linger>(
      Linger{now_ms + server_.options_.linger_total_ms, stream_->queued_bytes(), now_ms});
  set_deadline(Deadline::kLinger, server_.options_.linger_ms);
}

void HttpConnection::set_deadline(Deadline what, std::uint64_t delay_ms) {
  deadline_ = what;
  if (what == Deadline::kNone) {
    server_.loop_.stop_timer(*this);
  } else {
    server_.loop_.start_timer(*this, delay_ms);
  }
}

void HttpConnection::set_deadline_after_read() {
  if (counted_unauthenticated_) return;  // its one deadline runs since it was accepted
  const auto& options = server_.options_;
  if (waits_for_answer()) {
    const bool full = held().size() >= kReadAheadMax;
    set_deadline(full ? Deadline::kReadAhead : Deadline::kNone, options.peer_look_ms);
  } else if (kit_ && kit_->parser.in_body()) {
    silent_since_ms_ = server_.loop_.now_ms();
    set_deadline(Deadline::kBody, std::min(options.body_timeout_ms, options.peer_look_ms));
  } else if (at_message_start()) {
    set_deadline(Deadline::kIdle, options.idle_timeout_ms);
  } else if (deadline_ != Deadline::kHead) {  // in total, from the head's first byte
    set_deadline(Deadline::kHead, options.head_timeout_ms);
  }
}

void HttpConnection::on_deadline() {
  const auto what = std::exchange(deadline_, Deadline::kNone);
  switch (what) {
    case Deadline::kNone:
      return;
    case Deadline::kContinue:
      return continue_reading();
    case Deadline::kIdle:
      return close_gently();
    case Deadline::kFirstAnswer:
    case Deadline::kHead:
      if (at_message_start()) return close_gently();
      return refuse(408, "the request head took too long");
    case Deadline::kBody:
      return on_body_deadline();
    case Deadline::kReadAhead:
      if (client_is_gone()) return leave_client();
      return set_deadline(Deadline::kReadAhead, server_.options_.peer_look_ms);
    case Deadline::kLinger:
      return on_linger();
  }
}

void HttpConnection::on_body_deadline() {
  const auto& options = server_.options_;
  const std::uint64_t now_ms = server_.loop_.now_ms();
  if (exchange_ && exchange_->client_is_paused()) {
    if (client_is_gone()) return leave_client();
    silent_since_ms_ = now_ms;  // not reading is our own doing: the upstream is slow
  }
  const std::uint64_t silent_ms = now_ms - silent_since_ms_;
  if (silent_ms >= options.body_timeout_ms) {
    return stream_->abort({Errc::kTimeout, "client", "too slow"});
  }
  set_deadline(Deadline::kBody,
               std::min(options.body_timeout_ms - silent_ms, options.peer_look_ms));
}

// Of a client that we do not read, so that neither its end nor its reset is called back.
bool HttpConnection::client_is_gone() const {
  const auto& options = server_.options_;
  switch (stream_->far_end()) {
    case FarEnd::kOpen:
      return options.peer_has_closed && options.peer_has_closed(info_);
    case FarEnd::kEnded:
      return !(options.peer_still_open && options.peer_still_open(info_));
    case FarEnd::kCut:
      break;
  }
  return true;
}

void HttpConnection::leave_client() {
  closing_ = true;
  retire_exchange();
  stream_->abort({Errc::kNetwork, "client", "closed the connection"});
}

// A whole answer that a slow client is still reading is not cut: not while it takes bytes, and not
// once the kernel has them all, which delivers them after a plain close. Unless the client still
// sends: bytes that nobody reads make the kernel reset the connection, and the answer to a large
// upload would be lost on its way (RFC 9112, 9.6).
void HttpConnection::on_linger() {
  const std::size_t left = stream_->queued_bytes();
  const std::uint64_t now_ms = server_.loop_.now_ms();
  const bool still_sends = std::exchange(linger_->still_sends, false) && info_.authenticated;
  if (left == 0 && still_sends && now_ms < linger_->until_ms) {
    return set_deadline(Deadline::kLinger, server_.options_.linger_ms);
  }
  if (left == 0) return server_.remove(this);
  if (std::exchange(linger_->bytes, left) != left) linger_->since_ms = now_ms;
  if (now_ms - linger_->since_ms >= server_.options_.idle_timeout_ms) {
    return stream_->abort({Errc::kTimeout, "client", "too slow"});
  }
  set_deadline(Deadline::kLinger, server_.options_.linger_ms);
}

}  // namespace hpc
