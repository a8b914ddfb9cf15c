#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hpc {

/// Compares ASCII without case, as field names and tokens are compared (RFC 9110, 5.1).
bool equals_ignoring_case(std::string_view a, std::string_view b);

/// One field of a head. The views die with the FieldList they came from, or at its next change.
struct Field {
  std::string_view name;
  std::string_view value;  // without surrounding white space
};

/// The fields of a head in their order, all in one buffer, so that a reused list allocates nothing.
/// A value: copies. At most as many fields and bytes as the parser's limits let in.
class FieldList {
 public:
  void clear();
  void add(std::string_view name, std::string_view value);
  std::size_t size() const { return spans_.size(); }
  bool empty() const { return spans_.empty(); }
  Field operator[](std::size_t index) const;
  /// The first field of that name, in any case.
  std::optional<std::string_view> find(std::string_view name) const;
  std::size_t count(std::string_view name) const;

 private:
  struct Span {
    std::uint32_t begin;
    std::uint32_t name_size;
    std::uint32_t value_size;  // the value follows the name directly
  };
  std::string text_;
  std::vector<Span> spans_;
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
