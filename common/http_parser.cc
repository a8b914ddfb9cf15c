#include "common/http_parser.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/chunk_guard.h"
#include "common/head_scan.h"
#include "common/http_decoder.h"

namespace hpc {

namespace {

// Old clients send a line end too many behind a body (RFC 9112, 2.2); nobody sends more of them.
constexpr int kEmptyLinesMax = 4;
// Enough for the interim answers that real servers send (103 once or twice).
constexpr int kInterimAnswersMax = 5;
// A browser's usual head fits; a larger buffer is not kept for an idle connection.
constexpr std::size_t kKeptBufferBytes = std::size_t{16} * 1024;

}  // namespace

class HttpParser::Impl {
 public:
  Impl(Kind kind, const HttpLimits& limits, Listener& listener)
      : kind_(kind),
        limits_(limits),
        listener_(listener),
        scan_(kind == Kind::kRequest ? HeadScan::Kind::kRequest : HeadScan::Kind::kResponse,
              limits),
        guard_(limits) {}

  tl::expected<std::size_t, HttpRefusal> feed(std::string_view bytes);
  tl::expected<void, HttpRefusal> finish();
  void next_message();

  bool to_head = false;
  bool upgrade_asked = false;
  RequestHead request;
  ResponseHead response;

  bool at_message_start() const {
    return phase_ == Phase::kEmptyLines || (phase_ == Phase::kHead && !seen_);
  }
  bool in_body() const { return phase_ == Phase::kBody; }
  bool complete() const { return phase_ == Phase::kComplete; }

 private:
  enum class Phase : std::uint8_t { kEmptyLines, kHead, kBody, kComplete, kRefused };

  // Each returns how many bytes it took.
  std::size_t feed_empty_lines(std::string_view bytes);
  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  std::size_t feed_chunks(std::string_view bytes);

  void on_head(std::string_view text);
  HttpVerdict read_request(std::string_view text);
  HttpVerdict read_response(std::string_view text);
  bool decodes_like_us(std::string_view head);
  void begin_head();
  void complete_message();
  void give_up(HttpRefusal refusal) {
    phase_ = Phase::kRefused;
    refusal_ = std::move(refusal);
  }

  Kind kind_;
  HttpLimits limits_;
  Listener& listener_;
  HeadScan scan_;
  ChunkGuard guard_;
  std::unique_ptr<HttpDecoder> decoder_;  // from the first chunked message on
  Phase phase_ = kind_ == Kind::kRequest ? Phase::kEmptyLines : Phase::kHead;
  bool seen_ = false;  // a byte of the message's head, or of an interim one before it
  bool return_seen_ = false;
  int empty_lines_ = 0;
  int interim_answers_ = 0;
  std::string gathered_;  // the head so far, when it did not come in one piece
  Framing framing_;
  std::uint64_t body_left_ = 0;  // bytes, with BodyKind::kLength
  std::optional<HttpRefusal> refusal_;
};

tl::expected<std::size_t, HttpRefusal> HttpParser::Impl::feed(std::string_view bytes) {
  auto rest = bytes;
  while (!rest.empty() && phase_ != Phase::kComplete && phase_ != Phase::kRefused) {
    if (phase_ == Phase::kEmptyLines) {
      rest.remove_prefix(feed_empty_lines(rest));
    } else if (phase_ == Phase::kHead) {
      rest.remove_prefix(feed_head(rest));
    } else {
      rest.remove_prefix(feed_body(rest));
    }
  }
  if (refusal_) return tl::unexpected(*refusal_);
  return bytes.size() - rest.size();
}

std::size_t HttpParser::Impl::feed_empty_lines(std::string_view bytes) {
  if (return_seen_) {
    if (bytes.front() != '\n') {
      give_up({400, "a carriage return without a line feed"});
      return 0;
    }
    return_seen_ = false;
    ++empty_lines_;
    return 1;
  }
  if (bytes.front() != '\r') {
    phase_ = Phase::kHead;
    return 0;
  }
  if (empty_lines_ == kEmptyLinesMax) {
    give_up({400, "too many empty lines before the request"});
    return 0;
  }
  return_seen_ = true;
  return 1;
}

std::size_t HttpParser::Impl::feed_head(std::string_view bytes) {
  seen_ = true;
  const auto before = gathered_.size();
  // One byte more than is allowed lets the scan see that the head is too long.
  const auto piece = bytes.substr(0, limits_.head_bytes_max + 1 - before);
  if (before != 0) gathered_.append(piece);
  const std::string_view text = before != 0 ? std::string_view(gathered_) : piece;
  const auto progress = scan_.scan(text);
  if (!progress) {
    give_up(progress.error());
    return 0;
  }
  if (*progress == HeadScan::Progress::kMore) {
    if (before == 0) gathered_.assign(piece);
    return piece.size();
  }
  const auto used = scan_.size() - before;
  on_head(text.substr(0, scan_.size()));
  return used;
}

void HttpParser::Impl::on_head(std::string_view text) {
  const auto verdict = kind_ == Kind::kRequest ? read_request(text) : read_response(text);
  if (!verdict) return give_up(verdict.error());
  if (framing_.kind == BodyKind::kChunked && !decodes_like_us(text)) {
    return give_up({400, "two readers of the head do not agree"});
  }
  const bool interim = kind_ == Kind::kResponse && response.interim();
  if (!interim) phase_ = Phase::kBody;
  listener_.on_head();
  if (interim) return begin_head();
  guard_.restart();
  body_left_ = framing_.length;
  const bool counted = framing_.kind == BodyKind::kNone || framing_.kind == BodyKind::kLength;
  if (counted && body_left_ == 0) complete_message();
}

// Only chunks need a decoder: what has a length, or ends with its connection, is as it is.
bool HttpParser::Impl::decodes_like_us(std::string_view head) {
  if (!decoder_) decoder_ = std::make_unique<HttpDecoder>(kind_, listener_);
  decoder_->restart();
  const bool request_kind = kind_ == Kind::kRequest;
  return decoder_->agrees_on_head(head, request_kind ? scan_.target(head) : std::string_view{},
                                  request_kind ? request.fields : response.fields, framing_);
}

HttpVerdict HttpParser::Impl::read_request(std::string_view text) {
  request.clear();
  request.method.assign(scan_.method(text));
  request.target.assign(scan_.target(text));
  request.version_minor = scan_.version_minor();
  request.fields.assign(text, scan_.fields());
  auto verdict = complete_request(request);
  framing_ = request.framing;
  return verdict;
}

HttpVerdict HttpParser::Impl::read_response(std::string_view text) {
  response.clear();
  response.status = scan_.status();
  response.reason.assign(scan_.reason(text));
  response.version_minor = scan_.version_minor();
  response.fields.assign(text, scan_.fields());
  auto verdict = complete_response(response, to_head, upgrade_asked);
  framing_ = response.framing;
  const bool counted = response.interim() && response.status != 100 && response.status != 102;
  if (verdict && counted && ++interim_answers_ > kInterimAnswersMax) {
    return refuse(400, "too many interim answers");
  }
  return verdict;
}

std::size_t HttpParser::Impl::feed_body(std::string_view bytes) {
  if (framing_.kind == BodyKind::kChunked) return feed_chunks(bytes);
  auto piece = bytes;
  if (framing_.kind == BodyKind::kLength) {
    piece = bytes.substr(
        0, static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, bytes.size())));
    body_left_ -= piece.size();
  }
  listener_.on_body(as_bytes(piece));
  if (framing_.kind == BodyKind::kLength && body_left_ == 0) complete_message();
  return piece.size();
}

std::size_t HttpParser::Impl::feed_chunks(std::string_view bytes) {
  const auto run = guard_.next(bytes);
  const auto piece = bytes.substr(0, run.size);
  const bool decoded = !run.for_decoder || piece.empty() || decoder_->decode(piece);
  if (!run.verdict) {
    give_up(run.verdict.error());
  } else if (!decoded || decoder_->complete() != guard_.done()) {
    give_up({400, "two readers of the chunks do not agree"});
  } else if (guard_.done()) {
    complete_message();
  }
  return piece.size();
}

void HttpParser::Impl::begin_head() {
  gathered_.clear();
  // Assigning an empty text would keep the memory.
  if (gathered_.capacity() > kKeptBufferBytes) std::string().swap(gathered_);
  scan_.restart();
}

void HttpParser::Impl::complete_message() {
  phase_ = Phase::kComplete;
  listener_.on_message_end();
}

void HttpParser::Impl::next_message() {
  if (phase_ == Phase::kRefused) return;
  begin_head();
  phase_ = kind_ == Kind::kRequest ? Phase::kEmptyLines : Phase::kHead;
  seen_ = false;
  return_seen_ = false;
  empty_lines_ = 0;
  interim_answers_ = 0;
  to_head = false;
  upgrade_asked = false;
  request.clear();
  response.clear();
}

tl::expected<void, HttpRefusal> HttpParser::Impl::finish() {
  if (refusal_) return tl::unexpected(*refusal_);
  if (at_message_start() || phase_ == Phase::kComplete) return {};
  if (phase_ == Phase::kBody && framing_.kind == BodyKind::kUntilClose) {
    complete_message();
    return {};
  }
  give_up({400, "the message was cut short"});
  return tl::unexpected(*refusal_);
}

HttpParser::HttpParser(Kind kind, const HttpLimits& limits, Listener& listener)
    : impl_(std::make_unique<Impl>(kind, limits, listener)) {}
HttpParser::~HttpParser() = default;
tl::expected<std::size_t, HttpRefusal> HttpParser::feed(Bytes bytes) {
  return impl_->feed(as_text(bytes));
}
tl::expected<void, HttpRefusal> HttpParser::finish() { return impl_->finish(); }
void HttpParser::next_message() { impl_->next_message(); }
void HttpParser::expect_head_answer(bool yes) { impl_->to_head = yes; }
void HttpParser::expect_upgrade(bool yes) { impl_->upgrade_asked = yes; }
bool HttpParser::at_message_start() const { return impl_->at_message_start(); }
bool HttpParser::in_body() const { return impl_->in_body(); }
bool HttpParser::message_complete() const { return impl_->complete(); }
const RequestHead& HttpParser::request_head() const { return impl_->request; }
const ResponseHead& HttpParser::response_head() const { return impl_->response; }

}  // namespace hpc
