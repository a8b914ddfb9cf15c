#include "manager/session/hello_check.h"

#include <rapidjson/document.h>

#include <utility>

#include "common/hello.h"

namespace hpc {

namespace {

constexpr const char* kWhere = "hello";

// The "hmac" of {"hmac":"..."}; empty if the text is not that.
std::string hmac_of(const std::string& body) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(body.data(), body.size());
  if (document.HasParseError() || !document.IsObject()) return "";
  if (!document.HasMember("hmac") || !document["hmac"].IsString()) return "";
  const auto& hmac = document["hmac"];
  return {hmac.GetString(), hmac.GetStringLength()};
}

Status not_ours(const std::string& why) {
  return fail(Errc::kForbidden, kWhere,
              "what answers there is not the hpc-proxy of the record: " + why);
}

Status too_busy() { return fail(Errc::kUnavailable, kWhere, "hpc-proxy is too busy to answer"); }

}  // namespace

HelloCheck::HelloCheck(Scheduler& scheduler, std::unique_ptr<Stream> stream, std::string token,
                       ConnectDone done)
    : scheduler_(scheduler),
      stream_(std::move(stream)),
      token_(std::move(token)),
      done_(std::move(done)),
      parser_(HttpParser::Kind::kResponse, {}, *this),
      alarm_(scheduler.make_alarm([this] {
        finish(fail(Errc::kTimeout, kWhere,
                    "no answer within " + std::to_string(kHelloTimeoutMs / 1000) + " s"));
      })) {
  stream_->start(*this);
  alarm_->start(kHelloTimeoutMs);
  ask_for_proof();
}

HelloCheck::~HelloCheck() { *alive_ = false; }

void HelloCheck::ask_for_proof() {
  const std::string nonce = random_hex64();
  auto hmac = hello_hmac(token_, nonce);
  if (!hmac) return finish(tl::unexpected(hmac.error()));
  expected_ = std::move(*hmac);
  stream_->write(
      as_bytes("GET /.hpc-proxy/hello?nonce=" + nonce + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
}

void HelloCheck::on_data(Bytes bytes) noexcept {
  if (finished_) {
    died_late_ = true;  // nobody has asked for anything
    return;
  }
  while (!bytes.empty() && !complete_) {
    const auto used = parser_.feed(bytes);
    if (!used) return finish(not_ours("its answer is not HTTP (" + used.error().detail + ")"));
    bytes = bytes.subspan(*used);
  }
  if (!complete_) return;
  if (!bytes.empty()) return finish(not_ours("it sent more than was asked for"));
  judge_answer();
}

void HelloCheck::on_body(Bytes bytes) noexcept {
  body_.append(as_text(bytes).substr(0, kHelloBodyBytesMax + 1));
  if (body_.size() > kHelloBodyBytesMax) finish(not_ours("its answer is too long"));
}

void HelloCheck::judge_answer() {
  if (finished_) return;
  if (parser_.response_head().status == 503) return finish(too_busy());
  if (!proved_) {
    if (auto verdict = judge_proof(); !verdict) return finish(verdict);
    return sign_in();
  }
  const auto& head = parser_.response_head();
  if (head.status != 200) {
    return finish(not_ours("it refused its own token with " + std::to_string(head.status)));
  }
  if (!head.keep_alive) return finish(too_busy());  // it drains
  finish({});
}

Status HelloCheck::judge_proof() const {
  const auto& head = parser_.response_head();
  if (head.status != 200) return not_ours("it answered " + std::to_string(head.status));
  if (!equal_in_constant_time(hmac_of(body_), expected_)) {
    return not_ours("it could not prove that it holds the token");
  }
  if (!head.keep_alive) return too_busy();
  return {};
}

void HelloCheck::sign_in() {
  proved_ = true;
  complete_ = false;
  body_.clear();
  parser_.next_message();
  stream_->write(as_bytes(
      "GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-HPC-Proxy-Token: " + token_ + "\r\n\r\n"));
}

void HelloCheck::on_end() noexcept {
  died_late_ = finished_;
  if (!finished_) finish(not_ours("it closed the connection before it proved itself"));
}

void HelloCheck::on_close(const Status& why) noexcept {
  died_late_ = finished_;
  if (finished_) return;
  finish(why ? not_ours("it closed the connection before it proved itself") : why);
}

// Everything ends in a later turn: the stream may not be destroyed inside its own callback.
void HelloCheck::finish(Status verdict) {
  if (finished_) return;
  finished_ = true;
  alarm_->stop();
  scheduler_.post([this, alive = alive_, verdict = std::move(verdict)] {
    if (!*alive) return;
    Result<std::unique_ptr<Stream>> result = std::move(stream_);
    if (!verdict) {
      result = tl::unexpected(verdict.error());
    } else if (died_late_) {
      result = fail(Errc::kNetwork, kWhere, "the channel died right after the proof");
    }
    const ConnectDone done = std::move(done_);
    done(std::move(result));  // may destroy us
  });
}

}  // namespace hpc
