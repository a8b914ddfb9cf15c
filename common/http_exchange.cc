#include "common/http_exchange.h"

#include <utility>

#include "common/discard_stream.h"
#include "common/hop_headers.h"

namespace hpc {

namespace {

bool is_retryable(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

}  // namespace

HttpExchange::HttpExchange(Loop& loop, Client& client, BufferBudget& budget, ParserPool& kits,
                           const RequestHead& request, Forward forward, bool may_keep_client)
    : loop_(loop),
      client_(client),
      request_(request),
      forward_(std::move(forward)),
      may_keep_client_(may_keep_client),
      kits_(kits),
      kit_(kits.lend(*this)),
      share_(budget, [this] { on_budget(); }),
      to_client_(client.client_stream()) {
  to_client_.text().swap(kit_->texts[0]);
}

HttpExchange::~HttpExchange() { abandon(); }

void HttpExchange::abandon() {
  over_ = true;
  pending_.reset();
  share_.release();
  discard_stream(loop_, std::move(upstream_));
}

// Not from inside the parser. The texts' memory is for the next exchange.
void HttpExchange::give_back_kit() {
  to_client_.text().swap(kit_->texts[0]);
  if (to_upstream_) to_upstream_->text().swap(kit_->texts[1]);
  kits_.give_back(std::move(kit_));
}

void HttpExchange::start() { take_upstream(false); }

void HttpExchange::take_upstream(bool fresh_only) {
  UpstreamLease lease;
  pending_ = forward_.pool->take(forward_.key, fresh_only, lease,
                                 [this](auto taken) { on_taken(std::move(taken)); });
  if (lease.stream) attach(std::move(lease));
}

void HttpExchange::on_taken(Result<UpstreamLease> lease) noexcept {
  pending_.reset();
  if (!lease) return upstream_failed(lease.error());
  attach(std::move(*lease));
  flush_request();
}

void HttpExchange::attach(UpstreamLease lease) {
  upstream_ = std::move(lease.stream);
  reused_ = lease.reused;
  to_upstream_.emplace(*upstream_);
  to_upstream_->text().swap(kit_->texts[1]);
  upstream_->start(*this);
  parser().expect_head_answer(request_.method == "HEAD");
  parser().expect_upgrade(request_.websocket_upgrade);
  write_request_head();
  while (!early_body_.empty()) {
    const auto front = early_body_.front();
    request_body(front);
    early_body_.consume(front.size());
  }
  if (request_done_) write_body_end(*to_upstream_, request_.framing.kind);
  resume_client(PauseReason::kNoUpstream);
}

void HttpExchange::write_request_head() {
  auto& out = to_upstream_->text();
  forward_.policy->choose_target(forward_.target);
  out.append(request_.method).append(" ").append(forward_.target).append(" HTTP/1.1\r\n");
  HeadWriter writer(out);
  forward_.policy->write_request_fields(request_, HopFields(request_.fields), writer);
  write_framing(out, request_.framing);
  if (request_.websocket_upgrade) out.append("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  out.append("\r\n");
}

void HttpExchange::request_body(Bytes bytes) {
  if (over_) return;
  if (!upstream_) {
    early_body_.append(bytes);
    return pause_client(PauseReason::kNoUpstream);
  }
  body_sent_ = true;
  client_.count_body(bytes.size(), 0);
  write_body(*to_upstream_, request_.framing.kind, bytes);
}

void HttpExchange::request_end() {
  request_done_ = true;
  if (upstream_ && !over_) write_body_end(*to_upstream_, request_.framing.kind);
}

void HttpExchange::flush_request() {
  if (!upstream_ || over_) return;
  to_upstream_->flush();
  check_pressure();
}

void HttpExchange::on_data(Bytes bytes) noexcept {
  if (over_) return;
  answer_started_ = true;
  const auto used = parser().feed(bytes);
  if (!used)
    return upstream_failed({Errc::kNetwork, "upstream", "bad answer: " + used.error().detail});
  if (upgrading_) return upgrade(bytes.subspan(*used));
  if (answer_done_) return finish(*used == bytes.size());
  to_client_.flush();
  check_pressure();
}

void HttpExchange::on_end() noexcept {
  if (over_) return;
  const bool nothing_yet = parser().at_message_start();
  const auto ended = parser().finish();
  if (ended && answer_done_) return finish(false);
  upstream_failed({Errc::kNetwork, "upstream",
                   nothing_yet ? "closed the connection without an answer"
                               : "closed the connection inside its answer"});
}

void HttpExchange::on_drain() noexcept {
  if (over_) return;
  resume_client(PauseReason::kPeerQueueFull);
  check_pressure();
}

void HttpExchange::on_client_drain() {
  if (over_ || !upstream_) return;
  upstream_->resume_read(PauseReason::kPeerQueueFull);
  check_pressure();
}

bool HttpExchange::client_is_paused() const { return !upstream_ || client_pauses_ != 0; }

void HttpExchange::on_budget() {
  if (over_ || !upstream_) return;
  upstream_->resume_read(PauseReason::kMemoryBound);
  resume_client(PauseReason::kMemoryBound);
}

void HttpExchange::on_close(const Status& why) noexcept {
  if (over_) return;
  upstream_failed({Errc::kNetwork, "upstream", why ? "closed" : why.error().detail});
}

void HttpExchange::on_head() noexcept {
  const auto& head = parser().response_head();
  client_.count_body(0, 0);  // an answer without a body, and an upgrade, is use of the app as well
  if (head.websocket_upgrade) {
    upgrading_ = true;
    return;
  }
  if (head.interim()) {
    // A 1.0 client has no word for interim answers.
    if (request_.version_minor == 1) write_response_head(head, {}, false);
    return;
  }
  filter_ = forward_.policy->filter_body(head);
  answer_framing_ = client_framing(head);
  const bool closes = !may_keep_client_ || answer_framing_.kind == BodyKind::kUntilClose;
  write_response_head(head, answer_framing_, closes);
  head_sent_ = true;
}

Framing HttpExchange::client_framing(const ResponseHead& head) const {
  const bool known = head.framing.kind == BodyKind::kLength && !filter_;
  if (head.framing.kind == BodyKind::kNone || known) return head.framing;
  return {request_.version_minor == 1 ? BodyKind::kChunked : BodyKind::kUntilClose, 0};
}

void HttpExchange::write_response_head(const ResponseHead& head, const Framing& framing,
                                       bool closes) {
  auto& out = to_client_.text();
  out.append("HTTP/1.1 ").append(std::to_string(head.status)).append(" ");
  out.append(head.reason).append("\r\n");
  HeadWriter writer(out);
  forward_.policy->write_response_fields(head, HopFields(head.fields), writer);
  write_framing(out, framing);
  // Without a body the length is no framing but what a GET would have had; 1xx and 204 never have
  // one (RFC 9110, 8.6).
  const bool may_tell_length =
      head.status >= 200 && head.status != 204 && (request_.method == "HEAD" || head.status == 304);
  if (may_tell_length && framing.kind == BodyKind::kNone && !filter_) {
    if (const auto length = head.fields.find("Content-Length")) {
      writer.field("Content-Length", *length);
    }
  }
  if (head.status == 101) {
    out.append("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  } else if (closes) {
    out.append("Connection: close\r\n");
  } else if (request_.version_minor == 0) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

void HttpExchange::on_body(Bytes bytes) noexcept {
  if (!filter_) return send_body(as_text(bytes));
  std::string filtered;
  filter_->feed(as_text(bytes), filtered);
  send_body(filtered);
}

void HttpExchange::send_body(std::string_view bytes) {
  if (bytes.empty()) return;  // an empty chunk would be the last one
  client_.count_body(0, bytes.size());
  write_body(to_client_, answer_framing_.kind, as_bytes(bytes));
}

void HttpExchange::on_message_end() noexcept {
  if (filter_ && answer_framing_.kind != BodyKind::kNone) {
    std::string filtered;
    filter_->finish(filtered);
    send_body(filtered);
  }
  write_body_end(to_client_, answer_framing_.kind);
  answer_done_ = true;
}

void HttpExchange::finish(bool upstream_clean) {
  over_ = true;
  to_client_.flush();
  const auto& head = parser().response_head();
  const bool reusable = upstream_clean && request_done_ && head.keep_alive &&
                        head.framing.kind != BodyKind::kUntilClose &&
                        upstream_->queued_bytes() == 0;
  if (reusable) {
    forward_.pool->give_back(forward_.key, std::move(upstream_));
  } else {
    discard_stream(loop_, std::move(upstream_));
  }
  share_.release();
  give_back_kit();
  client_.on_exchange_done(answer_framing_.kind != BodyKind::kUntilClose);
}

void HttpExchange::upgrade(Bytes early) {
  over_ = true;
  write_response_head(parser().response_head(), {}, false);
  to_client_.flush();
  give_back_kit();
  client_.on_exchange_upgraded(std::move(upstream_), early);
}

void HttpExchange::upstream_failed(const Error& why) {
  discard_stream(loop_, std::move(upstream_));
  if (may_retry()) {
    retried_ = true;
    parser().next_message();
    return take_upstream(true);
  }
  over_ = true;
  share_.release();
  if (head_sent_) return client_.on_exchange_broken(why);
  client_.on_exchange_answer(forward_.policy->on_upstream_failed(why));
}

// Only what the upstream cannot have acted on twice, and only where an idle connection that died
// under us is the likely cause.
bool HttpExchange::may_retry() const {
  return reused_ && !retried_ && !answer_started_ && !body_sent_ && is_retryable(request_.method);
}

void HttpExchange::check_pressure() {
  const std::size_t down = client_.client_stream().queued_bytes();
  const std::size_t up = upstream_->queued_bytes();
  if (down >= kQueueBytesMax) upstream_->pause_read(PauseReason::kPeerQueueFull);
  if (up >= kQueueBytesMax) pause_client(PauseReason::kPeerQueueFull);
  share_.hold(down + up);
  if (!share_.budget_full() || down + up == 0) return;
  if (down > 0) upstream_->pause_read(PauseReason::kMemoryBound);
  if (up > 0) pause_client(PauseReason::kMemoryBound);
  share_.wait();
}

// A client that has sent its whole request adds nothing to the queue, and only who is read can be
// seen to leave. What it sends ahead has a bound of its own.
void HttpExchange::pause_client(PauseReason why) {
  if (request_done_) return;
  client_pauses_ |= static_cast<unsigned>(why);
  client_.client_stream().pause_read(why);
}

void HttpExchange::resume_client(PauseReason why) {
  client_pauses_ &= ~static_cast<unsigned>(why);
  client_.client_stream().resume_read(why);
}

}  // namespace hpc
