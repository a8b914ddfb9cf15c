#pragma once
#include <llhttp.h>

#include <cstddef>
#include <string_view>

#include "common/http_head.h"
#include "common/http_parser.h"

namespace hpc {

/// llhttp as the second reader: it decodes bodies, and reads each head again, element by element
/// against what our own scan found. Where the two differ, nobody knows what the peer meant.
///
/// One per parser, in the heap for good: llhttp points into it. Body bytes go to `listener`, which
/// outlives it. It never sees a byte behind the end of a message.
class HttpDecoder {
 public:
  HttpDecoder(HttpParser::Kind kind, HttpParser::Listener& listener);
  HttpDecoder(const HttpDecoder&) = delete;
  HttpDecoder& operator=(const HttpDecoder&) = delete;

  void restart();
  /// True when llhttp reads the complete head as we did. `target` is as sent, empty for an answer.
  bool agrees_on_head(std::string_view head, std::string_view target, const FieldList& fields,
                      const Framing& framing);
  /// Decodes the next bytes of the body; false when llhttp refuses them.
  bool decode(std::string_view bytes);
  /// No more bytes will come; false when the message is not complete with that.
  bool finish() { return llhttp_finish(&parser_) == HPE_OK && complete_; }
  /// llhttp takes the message for complete.
  bool complete() const { return complete_; }

 private:
  static HttpDecoder& of(llhttp_t* parser) { return *static_cast<HttpDecoder*>(parser->data); }
  static int check(bool same) { return same ? 0 : -1; }
  int check_name(std::string_view name);
  int check_value(std::string_view value);
  int check_framing();

  HttpParser::Listener& listener_;
  llhttp_settings_t settings_;
  llhttp_t parser_;
  std::string_view target_;  // valid in agrees_on_head() only, as are the next two
  const FieldList* fields_ = nullptr;
  Framing framing_;
  std::size_t fields_seen_ = 0;
  bool head_complete_ = false;
  bool complete_ = false;
};

}  // namespace hpc
