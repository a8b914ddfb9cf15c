#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/http_rules.h"

namespace hpc {

/// Walks the raw bytes of a head once, from its first byte to the empty line that ends it, and
/// refuses every byte that is not where the grammar has it: line ends, control bytes, names,
/// lengths and counts. It decides byte by byte, so the answer does not depend on where the bytes
/// were cut, and a refusal comes with the first byte that deserves it.
///
/// Pure: it keeps positions, never bytes. The positions are valid until restart().
class HeadScan {
 public:
  enum class Kind : std::uint8_t { kRequest, kResponse };
  enum class Progress : std::uint8_t { kMore, kDone };

  HeadScan(Kind kind, const HttpLimits& limits) : kind_(kind), limits_(limits) { restart(); }

  void restart();
  /// `text` is the head as far as it has come: what the last call had, and more. Looks only at
  /// what is new. 400, 405, 414, 431, 501, 505.
  tl::expected<Progress, HttpRefusal> scan(std::string_view text);

  /// Bytes of the head with its empty line; when done.
  std::size_t size() const { return at_; }
  int version_minor() const { return version_minor_; }
  int status() const { return status_; }
  std::string_view method(std::string_view text) const { return cut(text, method_); }
  std::string_view target(std::string_view text) const { return cut(text, target_); }
  std::string_view reason(std::string_view text) const { return cut(text, reason_); }
  /// Where the fields are and which they are. May be swapped for another, to keep it.
  FieldIndex& fields() { return fields_; }

 private:
  enum class State : std::uint8_t {
    kMethod,
    kTarget,
    kRequestVersion,
    kResponseVersion,
    kStatus,
    kReason,
    kStartLineFeed,
    kFieldStart,
    kName,
    kValue,
    kValueLineFeed,
    kEndLineFeed,
    kDone,
  };
  struct Slice {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };
  static std::string_view cut(std::string_view text, Slice slice) {
    return text.substr(slice.begin, slice.end - slice.begin);
  }
  /// Moves on while bytes are in `set`; true when a byte that is not stands at at_.
  bool run(std::string_view text, HttpBytes set);
  /// The element from element_begin_ to at_; steps over the byte behind it.
  Slice take_element();
  HttpVerdict expect_line_feed(std::string_view text, State next);
  /// Takes a whole field line, or leaves everything as it is: it is not all there, or not as it
  /// has to be. Then step() says which, byte by byte.
  bool take_line(std::string_view text);
  HttpVerdict step(std::string_view text);
  HttpVerdict on_method(std::string_view text);
  HttpVerdict on_target(std::string_view text);
  HttpVerdict on_request_version(std::string_view text);
  HttpVerdict on_response_version(std::string_view text);
  HttpVerdict on_status(std::string_view text);
  HttpVerdict on_reason(std::string_view text);
  HttpVerdict on_field_start(std::string_view text);
  HttpVerdict on_name(std::string_view text);
  HttpVerdict on_value(std::string_view text);

  Kind kind_;
  HttpLimits limits_;
  State state_ = State::kMethod;
  std::size_t at_ = 0;             // the next byte to look at
  std::size_t element_begin_ = 0;  // where the element that at_ is in began
  int version_minor_ = 1;
  int status_ = 0;
  Slice method_;
  Slice target_;
  Slice reason_;
  Slice name_;  // of the field that at_ is in
  FieldIndex fields_;
};

}  // namespace hpc
