#include "common/head_scan.h"

namespace hpc {

namespace {

constexpr std::size_t kVersionBytes = 8;  // "HTTP/1.1"
constexpr std::size_t kStatusDigits = 3;

// The byte that ends an element decides what is wrong: a line feed alone is the usual one.
HttpVerdict misplaced(char byte, const char* detail) {
  return refuse(400, byte == '\n' ? "a line feed without a carriage return" : detail);
}

}  // namespace

void HeadScan::restart() {
  state_ = kind_ == Kind::kRequest ? State::kMethod : State::kResponseVersion;
  at_ = 0;
  element_begin_ = 0;
  version_minor_ = 1;
  status_ = 0;
  method_ = {};
  target_ = {};
  reason_ = {};
  fields_.clear();
}

tl::expected<HeadScan::Progress, HttpRefusal> HeadScan::scan(std::string_view text) {
  const auto inside = text.substr(0, limits_.head_bytes_max);
  while (state_ != State::kDone && at_ < inside.size()) {
    if (state_ == State::kFieldStart && take_line(inside)) continue;
    if (auto verdict = step(inside); !verdict) return tl::unexpected(verdict.error());
  }
  if (state_ == State::kDone) return Progress::kDone;
  if (text.size() > inside.size()) return refuse(431, "the head is too long");
  return Progress::kMore;
}

bool HeadScan::take_line(std::string_view text) {
  const std::size_t colon = end_of_run(text, at_, kTokenBytes);
  if (colon == at_ || colon == text.size() || text[colon] != ':') return false;
  const std::size_t end = end_of_value(text, colon + 1);
  if (text.size() - end < 2 || text[end] != '\r' || text[end + 1] != '\n') return false;
  if (fields_.size() == limits_.fields_max) return false;
  fields_.add(text, at_, colon, end);
  element_begin_ = at_ = end + 2;
  return true;
}

bool HeadScan::run(std::string_view text, HttpBytes set) {
  at_ = end_of_run(text, at_, set);
  return at_ < text.size();
}

HeadScan::Slice HeadScan::take_element() {
  const Slice slice{static_cast<std::uint32_t>(element_begin_), static_cast<std::uint32_t>(at_)};
  element_begin_ = ++at_;
  return slice;
}

HttpVerdict HeadScan::expect_line_feed(std::string_view text, State next) {
  if (text[at_] != '\n') return refuse(400, "a carriage return without a line feed");
  element_begin_ = ++at_;
  state_ = next;
  return {};
}

HttpVerdict HeadScan::step(std::string_view text) {
  switch (state_) {
    case State::kMethod:
      return on_method(text);
    case State::kTarget:
      return on_target(text);
    case State::kRequestVersion:
      return on_request_version(text);
    case State::kResponseVersion:
      return on_response_version(text);
    case State::kStatus:
      return on_status(text);
    case State::kReason:
      return on_reason(text);
    case State::kStartLineFeed:
    case State::kValueLineFeed:
      return expect_line_feed(text, State::kFieldStart);
    case State::kFieldStart:
      return on_field_start(text);
    case State::kName:
      return on_name(text);
    case State::kValue:
      return on_value(text);
    case State::kEndLineFeed:
      return expect_line_feed(text, State::kDone);
    case State::kDone:
      break;
  }
  return {};
}

HttpVerdict HeadScan::on_method(std::string_view text) {
  const bool ended = run(text, kTokenBytes);
  if (at_ - element_begin_ > kMethodBytesMax) return refuse(501, "an unknown method");
  if (!ended) return {};
  if (text[at_] != ' ' || at_ == element_begin_) {
    return misplaced(text[at_], "the method is not followed by one space");
  }
  method_ = take_element();
  state_ = State::kTarget;
  return judge_method(cut(text, method_));
}

HttpVerdict HeadScan::on_target(std::string_view text) {
  const bool ended = run(text, kTargetBytes);
  if (at_ - element_begin_ > limits_.target_bytes_max) return refuse(414, "the target is too long");
  if (!ended) return {};
  if (text[at_] != ' ' || at_ == element_begin_) {
    return misplaced(text[at_], "the target is empty, holds a forbidden byte or ends the line");
  }
  target_ = take_element();
  state_ = State::kRequestVersion;
  return {};
}

HttpVerdict HeadScan::on_request_version(std::string_view text) {
  const bool ended = run(text, kTargetBytes);
  if (at_ - element_begin_ > kVersionBytes) return refuse(400, "the HTTP version is malformed");
  if (!ended) return {};
  if (text[at_] != '\r') return misplaced(text[at_], "the HTTP version is malformed");
  const auto minor = judge_version(cut(text, take_element()));
  if (!minor) return tl::unexpected(minor.error());
  version_minor_ = *minor;
  state_ = State::kStartLineFeed;
  return {};
}

HttpVerdict HeadScan::on_response_version(std::string_view text) {
  const bool ended = run(text, kTargetBytes);
  if (at_ - element_begin_ > kVersionBytes) return refuse(400, "the HTTP version is malformed");
  if (!ended) return {};
  if (text[at_] != ' ') return misplaced(text[at_], "the HTTP version is malformed");
  const auto minor = judge_version(cut(text, take_element()));
  if (!minor) return tl::unexpected(minor.error());
  version_minor_ = *minor;
  state_ = State::kStatus;
  return {};
}

HttpVerdict HeadScan::on_status(std::string_view text) {
  const bool ended = run(text, kDigitBytes);
  const auto digits = at_ - element_begin_;
  if (digits > kStatusDigits) return refuse(400, "the status is not 100 to 599");
  if (!ended) return {};
  const char byte = text[at_];
  // Many servers leave out the space before an empty reason; nobody reads that in two ways.
  if (byte != ' ' && byte != '\r') return misplaced(byte, "the status line is malformed");
  status_ = 0;
  for (const char digit : cut(text, take_element())) status_ = status_ * 10 + (digit - '0');
  if (digits != kStatusDigits || status_ < 100 || status_ > 599) {
    return refuse(400, "the status is not 100 to 599");
  }
  state_ = byte == ' ' ? State::kReason : State::kStartLineFeed;
  return {};
}

HttpVerdict HeadScan::on_reason(std::string_view text) {
  if (!run(text, kValueBytes)) return {};
  if (text[at_] != '\r') return misplaced(text[at_], "a control byte in the reason");
  reason_ = take_element();
  state_ = State::kStartLineFeed;
  return {};
}

HttpVerdict HeadScan::on_field_start(std::string_view text) {
  const char byte = text[at_];
  if (byte == '\r') {
    ++at_;
    state_ = State::kEndLineFeed;
    return {};
  }
  if (byte == ' ' || byte == '\t') return refuse(400, "a folded field line");
  if (end_of_run(text.substr(at_, 1), 0, kTokenBytes) != 1) {
    return misplaced(byte, "a forbidden byte in a field name");
  }
  if (fields_.size() == limits_.fields_max) return refuse(431, "too many fields");
  state_ = State::kName;
  return {};
}

HttpVerdict HeadScan::on_name(std::string_view text) {
  if (!run(text, kTokenBytes)) return {};
  if (text[at_] != ':') return misplaced(text[at_], "a field name is not followed by a colon");
  name_ = take_element();
  state_ = State::kValue;
  return {};
}

HttpVerdict HeadScan::on_value(std::string_view text) {
  if (!run(text, kValueBytes)) return {};
  if (text[at_] != '\r') return misplaced(text[at_], "a control byte in a field value");
  fields_.add(text, name_.begin, name_.end, at_);
  ++at_;
  state_ = State::kValueLineFeed;
  return {};
}

}  // namespace hpc
