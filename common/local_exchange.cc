#include "common/local_exchange.h"

#include <utility>

namespace hpc {

LocalExchange::LocalExchange(Loop& loop, Client& client, const RequestHead& request,
                             std::unique_ptr<Responder> responder, bool may_keep_client)
    : loop_(loop),
      client_(client),
      request_(request),
      responder_(std::move(responder)),
      may_keep_client_(may_keep_client),
      head_only_(request.method == "HEAD"),
      out_(client.client_stream()) {}

LocalExchange::~LocalExchange() { abandon(); }

void LocalExchange::abandon() {
  over_ = true;
  *alive_ = false;
  responder_.reset();
}

void LocalExchange::request_body(Bytes bytes) {
  if (!over_) responder_->on_body(bytes);
}

void LocalExchange::request_end() {
  if (!over_) responder_->on_request_end();
}

void LocalExchange::answer(LocalAnswer answer) {
  if (over_ || begun_) return;
  finish([answer = std::move(answer)](Client& client) { client.on_exchange_answer(answer); });
}

void LocalExchange::begin(int status,
                          const std::vector<std::pair<std::string, std::string>>& fields) {
  if (over_ || begun_) return;
  begun_ = true;
  kind_ = request_.version_minor == 1 ? BodyKind::kChunked : BodyKind::kUntilClose;
  const bool closes = !may_keep_client_ || kind_ == BodyKind::kUntilClose;
  write_begun_answer(out_.text(), status, fields, {kind_, 0}, closes);
  out_.flush();
}

void LocalExchange::write(std::string_view text) {
  if (over_ || !begun_ || head_only_ || text.empty()) return;
  write_body(out_, kind_, as_bytes(text));
  out_.flush();
}

void LocalExchange::end() {
  if (over_ || !begun_) return;
  if (!head_only_) write_body_end(out_, kind_);
  out_.flush();
  finish(
      [intact = kind_ == BodyKind::kChunked](Client& client) { client.on_exchange_done(intact); });
}

void LocalExchange::cut(const Error& why) {
  if (over_) return;
  finish([why](Client& client) { client.on_exchange_broken(why); });
}

std::size_t LocalExchange::queued_bytes() const { return client_.client_stream().queued_bytes(); }

// Never from inside the responder's or the parser's own call: the client goes on to its next
// request, or ends.
void LocalExchange::finish(std::function<void(Client&)> last_call) {
  over_ = true;
  loop_.post([this, alive = alive_, last_call = std::move(last_call)] {
    if (*alive) last_call(client_);
  });
}

}  // namespace hpc
