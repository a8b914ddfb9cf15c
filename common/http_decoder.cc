#include "common/http_decoder.h"

#include "common/http_rules.h"

namespace hpc {

HttpDecoder::HttpDecoder(HttpParser::Kind kind, HttpParser::Listener& listener)
    : listener_(listener) {
  llhttp_settings_init(&settings_);
  settings_.on_url = [](llhttp_t* parser, const char* at, std::size_t size) noexcept {
    return check(of(parser).target_ == std::string_view(at, size));
  };
  settings_.on_header_field = [](llhttp_t* parser, const char* at, std::size_t size) noexcept {
    return of(parser).check_name({at, size});
  };
  settings_.on_header_value = [](llhttp_t* parser, const char* at, std::size_t size) noexcept {
    return of(parser).check_value({at, size});
  };
  settings_.on_headers_complete = [](llhttp_t* parser) noexcept {
    return of(parser).check_framing();
  };
  settings_.on_body = [](llhttp_t* parser, const char* at, std::size_t size) noexcept {
    if (size != 0) of(parser).listener_.on_body(as_bytes({at, size}));
    return 0;
  };
  settings_.on_message_complete = [](llhttp_t* parser) noexcept {
    of(parser).complete_ = true;
    return 0;
  };
  llhttp_init(&parser_, kind == HttpParser::Kind::kRequest ? HTTP_REQUEST : HTTP_RESPONSE,
              &settings_);
  parser_.data = this;
}

void HttpDecoder::restart() {
  llhttp_reset(&parser_);
  complete_ = false;
}

bool HttpDecoder::agrees_on_head(std::string_view head, std::string_view target,
                                 const FieldList& fields, const Framing& framing) {
  target_ = target;
  fields_ = &fields;
  framing_ = framing;
  fields_seen_ = 0;
  head_complete_ = false;
  const bool ends_here =
      framing.kind == BodyKind::kNone || (framing.kind == BodyKind::kLength && framing.length == 0);
  return decode(head) && head_complete_ && complete_ == ends_here;
}

bool HttpDecoder::decode(std::string_view bytes) {
  const auto error = llhttp_execute(&parser_, bytes.data(), bytes.size());
  if (error != HPE_PAUSED_UPGRADE) return error == HPE_OK;
  // Whether it is an upgrade is not llhttp's to decide; it has read up to the end of the message.
  llhttp_resume_after_upgrade(&parser_);
  return llhttp_get_error_pos(&parser_) == bytes.data() + bytes.size();
}

int HttpDecoder::check_name(std::string_view name) {
  return check(fields_seen_ < fields_->size() && (*fields_)[fields_seen_++].name == name);
}

int HttpDecoder::check_value(std::string_view value) {
  return check(fields_seen_ != 0 && (*fields_)[fields_seen_ - 1].value == trim_blanks(value));
}

int HttpDecoder::check_framing() {
  head_complete_ = fields_seen_ == fields_->size();
  if (!head_complete_) return -1;
  const bool chunked = (parser_.flags & F_CHUNKED) != 0;
  switch (framing_.kind) {
    case BodyKind::kNone:
      return 1;  // no body, whatever the fields say
    case BodyKind::kLength:
      return check(!chunked && parser_.content_length == framing_.length);
    case BodyKind::kChunked:
      return check(chunked);
    case BodyKind::kUntilClose:
      return check(llhttp_message_needs_eof(&parser_) != 0);
  }
  return -1;
}

}  // namespace hpc
