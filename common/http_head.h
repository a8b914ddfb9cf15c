#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/field_id.h"

namespace hpc {

/// One field of a head. The views die with the FieldList they came from, or at its next change.
struct Field {
  std::string_view name;
  std::string_view value;  // without surrounding white space
  FieldId id = FieldId::kOther;
};

/// Where the fields of a head are in its text, and which they are. Positions only, below 4 GiB.
class FieldIndex {
 public:
  struct Span {
    std::uint32_t name_begin;
    std::uint32_t name_end;
    std::uint32_t value_begin;
    std::uint32_t value_end;
    FieldId id = FieldId::kOther;  // set by add()
    bool plain = true;             // written "name: value", CR LF, as we write fields ourselves
  };

  void clear();
  /// The line from `begin` to its line end at `end`, with its colon at `colon`.
  void add(std::string_view text, std::size_t begin, std::size_t colon, std::size_t end);
  /// The same where the value's own bounds are known.
  void add(std::string_view text, const Span& span);
  std::size_t size() const { return spans_.size(); }
  const Span& operator[](std::size_t index) const { return spans_[index]; }
  bool has(FieldId id) const { return present_.has(id); }
  bool repeats(FieldId id) const { return repeated_.has(id); }

 private:
  std::vector<Span> spans_;
  FieldSet present_;
  FieldSet repeated_;  // there more than once
};

/// The fields of a head in their order, all in one buffer, so that a reused list allocates nothing.
/// A value: copies. At most as many fields and bytes as the parser's limits let in.
///
/// What is asked for often is asked for by its FieldId: one that is not there costs a look at a
/// bit, whatever the head.
class FieldList {
 public:
  void clear();
  void add(std::string_view name, std::string_view value);
  /// Takes over what was found in `head`, the text of a whole head, which it copies in one piece.
  /// `index` gets what was here before, to be used again.
  void assign(std::string_view head, FieldIndex& index);

  std::size_t size() const { return index_.size(); }
  bool empty() const { return index_.size() == 0; }
  Field operator[](std::size_t index) const {
    const auto& span = index_[index];
    return {cut(span.name_begin, span.name_end), cut(span.value_begin, span.value_end), span.id};
  }
  bool has(FieldId id) const { return index_.has(id); }
  /// The first field of that name, in any case.
  std::optional<std::string_view> find(std::string_view name) const;
  std::optional<std::string_view> find(FieldId id) const;
  std::size_t count(std::string_view name) const;
  std::size_t count(FieldId id) const;

  /// Is the field written as we would write it? Then line() may be sent as it is.
  bool is_plain(std::size_t index) const { return index_[index].plain; }
  /// Name to line end of the fields from `first` to `last`, which are all plain.
  std::string_view lines(std::size_t first, std::size_t last) const {
    return cut(index_[first].name_begin, index_[last].value_end + 2);
  }
  /// The text they are in: of a head that was read, all of it.
  std::string_view text() const { return text_; }

 private:
  std::string_view cut(std::size_t begin, std::size_t end) const {
    return std::string_view(text_.data() + begin, end - begin);
  }
  std::string text_;
  FieldIndex index_;
};

/// How the end of a body is found (RFC 9112, 6.3).
enum class BodyKind : std::uint8_t { kNone, kLength, kChunked, kUntilClose };

struct Framing {
  BodyKind kind = BodyKind::kNone;
  std::uint64_t length = 0;  // bytes, with kLength only; 0 .. 2^63-1
};

/// A request head that passed every rule of http_rules.
struct RequestHead {
  std::string method;  // upper case, one that llhttp knows
  std::string target;  // byte for byte as sent, origin-form (absolute-form is reduced to it)
  std::string host;    // the one Host field (or the authority of an absolute-form, which is equal)
  int version_minor = 1;  // 0 or 1
  FieldList fields;
  Framing framing;
  bool keep_alive = true;          // as the client asked, by version and Connection
  bool expects_continue = false;   // Expect: 100-continue
  bool websocket_upgrade = false;  // a complete WebSocket handshake; other upgrades are just HTTP

  void clear();
};

/// A response head that passed every rule of http_rules.
struct ResponseHead {
  int status = 0;  // 100 .. 599
  std::string reason;
  int version_minor = 1;
  FieldList fields;
  Framing framing;
  bool keep_alive = true;
  bool websocket_upgrade = false;  // 101 with Upgrade: websocket

  bool interim() const { return status >= 100 && status < 200 && status != 101; }
  void clear();
};

}  // namespace hpc
