#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "common/http_head.h"

namespace hpc {

// What a message must look like to be let in, as pure functions over values: no buffer, no parser,
// no clock. HeadScan reads the bytes, these decide. The rules are RFC 9110 and 9112, made stricter
// where two implementations are known to read the same bytes differently.

/// Why a message was refused, as an HTTP status (for a response: what to log; the client gets 502).
struct HttpRefusal {
  int status;          // 400, 405, 408, 414, 417, 431, 501, 505
  std::string detail;  // the rule that was broken; contains no byte of the message
};

using HttpVerdict = tl::expected<void, HttpRefusal>;

inline tl::unexpected<HttpRefusal> refuse(int status, std::string detail) {
  return tl::unexpected<HttpRefusal>(HttpRefusal{status, std::move(detail)});
}

/// Contract 1.5; for responses notes: 64 KiB and 200 fields.
struct HttpLimits {
  std::size_t target_bytes_max = std::size_t{8} * 1024;  // past it: 414
  std::size_t head_bytes_max = std::size_t{64} * 1024;   // past it: 431
  std::size_t fields_max = 128;                          // past it: 431
};

/// Sets of bytes, as bits: one table look-up says whether a byte belongs to a set.
enum HttpBytes : std::uint8_t {
  kTokenBytes = 1,   // RFC 9110, 5.6.2: names of fields and methods
  kTargetBytes = 2,  // visible ASCII but '#': what a browser may put into a request target
  kValueBytes = 4,   // RFC 9110, 5.5: visible ASCII, space, TAB and 0x80..0xff
  kDigitBytes = 8,
  kHexBytes = 16,
};

extern const std::array<std::uint8_t, 256> kHttpByteSets;

/// Position of the first byte at or after `from` that is not in `set`; text.size() if none.
inline std::size_t end_of_run(std::string_view text, std::size_t from, HttpBytes set) {
  while (from < text.size() && (kHttpByteSets[static_cast<unsigned char>(text[from])] & set) != 0) {
    ++from;
  }
  return from;
}
/// The same for kValueBytes, eight bytes at a time: values are most of a head.
std::size_t end_of_value(std::string_view text, std::size_t from);
bool is_http_token(std::string_view text);
/// Without the spaces and TABs around it (OWS of RFC 9110, 5.6.3).
std::string_view trim_blanks(std::string_view text);

/// Takes the next element off a comma-separated list, without blanks; empty elements are returned
/// too. Call until `list` has no data.
std::string_view next_list_element(std::string_view& list);
/// True when a field of that name lists the token, in any case.
bool lists_token(const FieldList& fields, std::string_view name, std::string_view token);
bool lists_token(const FieldList& fields, FieldId id, std::string_view token);

/// Longest method name we look at; "GET_PARAMETER" is the longest there is (13).
constexpr std::size_t kMethodBytesMax = 16;
/// 405 for CONNECT and TRACE, 505 for the preface of HTTP/2, 501 for what llhttp does not know.
HttpVerdict judge_method(std::string_view method);
/// "HTTP/1.0" and "HTTP/1.1": the minor version. 505 for others, 400 for 0.x and what is no
/// version.
tl::expected<int, HttpRefusal> judge_version(std::string_view version);
/// A name or an IPv4 address or a bracketed IPv6 address, with or without a port of 1 to 65535.
bool is_valid_host(std::string_view host);

/// Decides how the body ends (RFC 9112, 6.3). 400 or 501.
tl::expected<Framing, HttpRefusal> request_framing(const FieldList& fields, int version_minor);
/// The same for an answer of that status; `to_head`: it answers a HEAD request.
tl::expected<Framing, HttpRefusal> response_framing(const FieldList& fields, int version_minor,
                                                    int status, bool to_head);
/// What version and Connection say about the connection after this message.
bool wants_keep_alive(const FieldList& fields, int version_minor);

/// Decides everything of a request that method, target, version and fields say, and fills in the
/// rest of `head`: host, framing, keep_alive, expects_continue, websocket_upgrade; an absolute-form
/// target is reduced to its origin-form.
HttpVerdict complete_request(RequestHead& head);

/// The same for an answer: framing, keep_alive, websocket_upgrade. `upgrade_asked`: its request was
/// a WebSocket handshake, so 101 may come.
HttpVerdict complete_response(ResponseHead& head, bool to_head, bool upgrade_asked);

/// Fields that may not come after a body, where a reader may have acted already: framing, routing
/// and authentication.
bool is_forbidden_trailer(std::string_view name);

}  // namespace hpc
