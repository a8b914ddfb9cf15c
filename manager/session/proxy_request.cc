#include "manager/session/proxy_request.h"

#include <utility>

namespace hpc {

namespace {

constexpr const char* kWhere = "hpc-proxy";

std::string text_of(const ProxyQuestion& question) {
  return "GET " + question.target +
         " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nX-HPC-Proxy-Token: " +
         question.token + "\r\nConnection: close\r\n\r\n";
}

}  // namespace

ProxyRequest::ProxyRequest(Scheduler& scheduler, UpstreamPool& pool, const std::string& key,
                           const ProxyQuestion& question, Done done)
    : scheduler_(scheduler),
      text_(text_of(question)),
      done_(std::move(done)),
      parser_(HttpParser::Kind::kResponse, {}, *this),
      alarm_(scheduler.make_alarm([this] {
        finish(fail(Errc::kTimeout, kWhere,
                    "no answer within " + std::to_string(kProxyRequestMs / 1000) + " s"));
      })) {
  alarm_->start(kProxyRequestMs);
  UpstreamLease unused;  // a new connection never comes at once
  connecting_ = pool.take(key, true, unused,
                          [this](Result<UpstreamLease> lease) { on_connected(std::move(lease)); });
}

ProxyRequest::~ProxyRequest() { *alive_ = false; }

void ProxyRequest::on_connected(Result<UpstreamLease> lease) {
  if (finished_) return;
  if (!lease) return finish(tl::unexpected(lease.error()));
  stream_ = std::move(lease->stream);
  stream_->start(*this);
  stream_->write(as_bytes(text_));
}

void ProxyRequest::on_data(Bytes bytes) noexcept {
  while (!bytes.empty() && !finished_) {
    const auto used = parser_.feed(bytes);
    if (!used) {
      return finish(
          fail(Errc::kNetwork, kWhere, "its answer is not HTTP (" + used.error().detail + ")"));
    }
    bytes = bytes.subspan(*used);
  }
}

void ProxyRequest::on_body(Bytes bytes) noexcept {
  if (finished_) return;
  if (body_.size() + bytes.size() > kProxyAnswerBytesMax) {
    return finish(fail(Errc::kTooLarge, kWhere, "its answer is too long"));
  }
  body_.append(as_text(bytes));
}

void ProxyRequest::on_message_end() noexcept {
  finish(ProxyReply{parser_.response_head().status, std::move(body_)});
}

void ProxyRequest::on_end() noexcept {
  if (finished_) return;
  if (parser_.finish() && finished_) return;  // its body ended with the connection
  finish(fail(Errc::kNetwork, kWhere, "it closed the connection before its answer was complete"));
}

void ProxyRequest::on_close(const Status& why) noexcept {
  const Error closed{Errc::kNetwork, kWhere, "it closed the connection"};
  finish(tl::unexpected(why ? closed : why.error()));
}

// Everything ends in a later turn: neither the stream nor we may go inside the stream's own call.
void ProxyRequest::finish(Result<ProxyReply> result) {
  if (finished_) return;
  finished_ = true;
  alarm_->stop();
  scheduler_.post([this, alive = alive_, result = std::move(result)]() mutable {
    if (!*alive) return;
    connecting_.reset();
    stream_.reset();
    const Done done = std::move(done_);
    done(std::move(result));  // may destroy us
  });
}

}  // namespace hpc
