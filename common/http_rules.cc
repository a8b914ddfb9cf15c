#include "common/http_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

namespace hpc {

constexpr std::array<std::uint8_t, 256> kHttpByteSets = [] {
  std::array<std::uint8_t, 256> table{};
  const std::string_view symbols = "!#$%&'*+-.^_`|~";
  for (unsigned i = 0; i < table.size(); ++i) {
    const bool digit = i >= '0' && i <= '9';
    const bool letter = (i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z');
    const bool hex = digit || (i >= 'a' && i <= 'f') || (i >= 'A' && i <= 'F');
    const bool visible = i > 0x20 && i < 0x7f;
    const bool symbol = i < 0x7f && symbols.find(static_cast<char>(i)) != std::string_view::npos;
    unsigned sets = 0;
    if (digit || letter || symbol) sets |= kTokenBytes;
    if (visible && i != '#') sets |= kTargetBytes;
    if (visible || i == ' ' || i == '\t' || i >= 0x80) sets |= kValueBytes;
    if (digit) sets |= kDigitBytes;
    if (hex) sets |= kHexBytes;
    table[i] = static_cast<std::uint8_t>(sets);
  }
  return table;
}();

namespace {

// The methods that every packaged version of llhttp takes in an HTTP request, but CONNECT, TRACE
// and PRI; its RTSP methods are none of ours.
constexpr std::string_view kMethods[] = {
    "GET",    "POST",      "HEAD",   "OPTIONS",    "PUT",    "DELETE", "PATCH",       "ACL",
    "BIND",   "CHECKOUT",  "COPY",   "LINK",       "LOCK",   "MERGE",  "M-SEARCH",    "MKACTIVITY",
    "MOVE",   "NOTIFY",    "PURGE",  "MKCALENDAR", "MKCOL",  "REBIND", "REPORT",      "PROPFIND",
    "SEARCH", "PROPPATCH", "UNBIND", "SUBSCRIBE",  "UNLINK", "UNLOCK", "UNSUBSCRIBE",
};

bool starts_ignoring_case(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && equals_ignoring_case(text.substr(0, start.size()), start);
}

tl::expected<std::uint64_t, HttpRefusal> parse_content_length(std::string_view value) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  std::uint64_t length = 0;
  if (value.empty() || end_of_run(value, 0, kDigitBytes) != value.size()) {
    return refuse(400, "Content-Length is not a decimal number");
  }
  const auto read = std::from_chars(value.data(), value.data() + value.size(), length);
  if (read.ec != std::errc{} || length > kMax) {
    return refuse(400, "Content-Length does not fit into 63 bits");
  }
  return length;
}

bool lists_token(std::string_view list, std::string_view token) {
  do {
    if (equals_ignoring_case(next_list_element(list), token)) return true;
  } while (list.data() != nullptr);
  return false;
}

// A transfer coding is a token with parameters; only the token matters for the status, because
// nothing but a plain `chunked` is let in.
bool is_transfer_coding(std::string_view element) {
  return is_http_token(trim_blanks(element.substr(0, element.find(';'))));
}

HttpVerdict judge_transfer_encoding(const FieldList& fields, int version_minor) {
  if (version_minor == 0) return refuse(400, "Transfer-Encoding in an HTTP/1.0 message");
  std::size_t codings = 0;
  bool only_chunked = true;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Field field = fields[i];
    if (field.id != FieldId::kTransferEncoding) continue;
    auto list = field.value;
    do {
      const auto element = next_list_element(list);
      if (!is_transfer_coding(element)) return refuse(400, "Transfer-Encoding is malformed");
      only_chunked = only_chunked && equals_ignoring_case(element, "chunked");
      ++codings;
    } while (list.data() != nullptr);
  }
  if (codings != 1 || !only_chunked) {
    return refuse(501, "Transfer-Encoding is something else than one chunked");
  }
  return {};
}

/// What the framing fields say, before the rules of requests and answers; kNone: they are absent.
tl::expected<Framing, HttpRefusal> declared_framing(const FieldList& fields, int version_minor) {
  const auto lengths = fields.count(FieldId::kContentLength);
  const bool encoded = fields.has(FieldId::kTransferEncoding);
  if (lengths != 0 && encoded) return refuse(400, "both Content-Length and Transfer-Encoding");
  if (lengths > 1) return refuse(400, "more than one Content-Length");
  if (encoded) {
    if (auto verdict = judge_transfer_encoding(fields, version_minor); !verdict) {
      return tl::unexpected(verdict.error());
    }
    return Framing{BodyKind::kChunked, 0};
  }
  if (lengths == 0) return Framing{};
  const auto length = parse_content_length(*fields.find(FieldId::kContentLength));
  if (!length) return tl::unexpected(length.error());
  return Framing{BodyKind::kLength, *length};
}

/// What is declared, as it is meant in an answer of that status.
Framing answer_framing(const Framing& declared, int status, bool to_head) {
  // What the fields say is then about the body that a GET would get.
  if (to_head || status < 200 || status == 204 || status == 304) return {};
  if (declared.kind == BodyKind::kNone) return {BodyKind::kUntilClose, 0};
  return declared;
}

bool has_body(const Framing& framing) {
  return framing.kind == BodyKind::kChunked || framing.length != 0;
}

bool is_valid_port(std::string_view port) {
  unsigned number = 0;
  if (port.empty() || port.size() > 5 || end_of_run(port, 0, kDigitBytes) != port.size()) {
    return false;
  }
  std::from_chars(port.data(), port.data() + port.size(), number);
  return number >= 1 && number <= 65535;
}

HttpVerdict complete_host(RequestHead& head) {
  const auto hosts = head.fields.count(FieldId::kHost);
  if (hosts > 1) return refuse(400, "more than one Host");
  if (hosts == 0) {
    // Health checks of load balancers speak HTTP/1.0 without a Host; they learn nothing else.
    const auto path = std::string_view(head.target).substr(0, head.target.find('?'));
    if (head.version_minor == 0 && path == "/healthz") return {};
    return refuse(400, "no Host");
  }
  const auto host = *head.fields.find(FieldId::kHost);
  if (!is_valid_host(host)) return refuse(400, "Host is malformed");
  head.host.assign(host);
  return {};
}

// RFC 9112, 3.2: origin-form, asterisk-form, or absolute-form, which must name the same host as
// the Host field, so that nobody behind us can choose between the two.
HttpVerdict complete_target(RequestHead& head) {
  std::string& target = head.target;
  if (target.starts_with('/')) return {};
  if (target == "*") {
    if (head.method == "OPTIONS") return {};
    return refuse(400, "the target * with another method than OPTIONS");
  }
  const auto scheme_size = starts_ignoring_case(target, "http://")    ? 7U
                           : starts_ignoring_case(target, "https://") ? 8U
                                                                      : 0U;
  if (scheme_size == 0) return refuse(400, "the target is neither a path nor an http URL");
  const auto path_at = std::min(target.find_first_of("/?", scheme_size), target.size());
  const auto authority = std::string_view(target).substr(scheme_size, path_at - scheme_size);
  if (!equals_ignoring_case(authority, head.host)) {
    return refuse(400, "the target names another host than Host");
  }
  target.erase(0, path_at);
  if (target.empty() && head.method == "OPTIONS") target = "*";
  if (target.empty() || target.front() == '?') target.insert(target.begin(), '/');
  return {};
}

HttpVerdict complete_expectation(RequestHead& head) {
  if (!head.fields.has(FieldId::kExpect)) return {};
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    const Field field = head.fields[i];
    if (field.id != FieldId::kExpect) continue;
    if (!equals_ignoring_case(field.value, "100-continue")) {
      return refuse(417, "Expect is something else than 100-continue");
    }
    // HTTP/1.0 knows no interim answer, and without a body there is nothing to wait for.
    head.expects_continue = head.version_minor == 1 && has_body(head.framing);
  }
  return {};
}

bool is_only_value(const FieldList& fields, FieldId id, std::string_view value) {
  return fields.count(id) == 1 && equals_ignoring_case(*fields.find(id), value);
}

HttpVerdict complete_upgrade(RequestHead& head) {
  const auto& fields = head.fields;
  if (!is_only_value(fields, FieldId::kUpgrade, "websocket")) return {};
  if (!lists_token(fields, FieldId::kConnection, "upgrade")) return {};
  if (has_body(head.framing)) return refuse(400, "a WebSocket handshake with a body");
  head.websocket_upgrade = head.method == "GET" && head.version_minor == 1 &&
                           is_only_value(fields, FieldId::kSecWebSocketVersion, "13") &&
                           fields.count(FieldId::kSecWebSocketKey) == 1 &&
                           !fields.find(FieldId::kSecWebSocketKey)->empty();
  if (head.websocket_upgrade) head.framing = {};
  return {};
}

}  // namespace

std::size_t end_of_value(std::string_view text, std::size_t from) {
  // A byte is less than 0x20 where taking 0x20 from it borrows, and 0x7f where it has no bit that
  // 0x7f has not and taking 1 from what they differ by borrows (Bit Twiddling Hacks, "haszero").
  // The borrow may go on into the next byte, and a TAB is less than 0x20, too: then each byte is
  // looked at by itself, so a wrong alarm costs time and nothing else.
  constexpr std::uint64_t kEach = 0x0101010101010101;
  for (std::uint64_t word = 0; text.size() - from >= sizeof(word); from += sizeof(word)) {
    std::memcpy(&word, text.data() + from, sizeof(word));
    const std::uint64_t no_delete = word ^ (kEach * 0x7f);
    const std::uint64_t alarm =
        ((word - kEach * 0x20) & ~word) | ((no_delete - kEach) & ~no_delete);
    if ((alarm & (kEach * 0x80)) == 0) continue;
    const std::size_t end = end_of_run(text.substr(0, from + sizeof(word)), from, kValueBytes);
    if (end != from + sizeof(word)) return end;
  }
  return end_of_run(text, from, kValueBytes);
}

bool is_http_token(std::string_view text) {
  return !text.empty() && end_of_run(text, 0, kTokenBytes) == text.size();
}

std::string_view trim_blanks(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return text.substr(text.size());
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string_view next_list_element(std::string_view& list) {
  const auto comma = list.find(',');
  const auto element = list.substr(0, comma);
  list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  return trim_blanks(element);
}

bool lists_token(const FieldList& fields, FieldId id, std::string_view token) {
  if (!fields.has(id)) return false;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Field field = fields[i];
    if (field.id == id && lists_token(field.value, token)) return true;
  }
  return false;
}

bool lists_token(const FieldList& fields, std::string_view name, std::string_view token) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Field field = fields[i];
    if (equals_ignoring_case(field.name, name) && lists_token(field.value, token)) return true;
  }
  return false;
}

HttpVerdict judge_method(std::string_view method) {
  if (std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods)) return {};
  if (method == "CONNECT" || method == "TRACE") return refuse(405, "CONNECT and TRACE");
  if (method == "PRI") return refuse(505, "the preface of HTTP/2");
  return refuse(501, "an unknown method");
}

tl::expected<int, HttpRefusal> judge_version(std::string_view version) {
  if (version == "HTTP/1.1") return 1;
  if (version == "HTTP/1.0") return 0;
  const bool well_formed = version.size() == 8 && version.starts_with("HTTP/") &&
                           end_of_run(version, 5, kDigitBytes) == 6 && version[6] == '.' &&
                           end_of_run(version, 7, kDigitBytes) == 8;
  if (!well_formed || version[5] == '0') return refuse(400, "the HTTP version is malformed");
  return refuse(505, "another HTTP version than 1.0 and 1.1");
}

bool is_valid_host(std::string_view host) {
  std::size_t name_end = 0;
  if (host.starts_with('[')) {
    const auto close = host.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    const auto inside = host.substr(1, close - 1);
    const bool address = std::all_of(inside.begin(), inside.end(), [](char c) {
      return c == ':' || c == '.' || end_of_run({&c, 1}, 0, kHexBytes) == 1;
    });
    if (!address || inside.find(':') == std::string_view::npos) return false;
    name_end = close + 1;
  } else {
    const auto is_name_byte = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '.' || c == '_';
    };
    while (name_end < host.size() && is_name_byte(host[name_end])) ++name_end;
    if (name_end == 0) return false;
  }
  if (name_end == host.size()) return true;
  return host[name_end] == ':' && is_valid_port(host.substr(name_end + 1));
}

tl::expected<Framing, HttpRefusal> request_framing(const FieldList& fields, int version_minor) {
  return declared_framing(fields, version_minor);
}

tl::expected<Framing, HttpRefusal> response_framing(const FieldList& fields, int version_minor,
                                                    int status, bool to_head) {
  auto framing = declared_framing(fields, version_minor);
  if (framing) *framing = answer_framing(*framing, status, to_head);
  return framing;
}

bool wants_keep_alive(const FieldList& fields, int version_minor) {
  if (lists_token(fields, FieldId::kConnection, "close")) return false;
  return version_minor == 1 || lists_token(fields, FieldId::kConnection, "keep-alive");
}

HttpVerdict complete_request(RequestHead& head) {
  if (auto verdict = complete_host(head); !verdict) return verdict;
  if (auto verdict = complete_target(head); !verdict) return verdict;
  const auto framing = request_framing(head.fields, head.version_minor);
  if (!framing) return tl::unexpected(framing.error());
  head.framing = *framing;
  head.keep_alive = wants_keep_alive(head.fields, head.version_minor);
  if (auto verdict = complete_expectation(head); !verdict) return verdict;
  return complete_upgrade(head);
}

HttpVerdict complete_response(ResponseHead& head, bool to_head, bool upgrade_asked) {
  const auto declared = declared_framing(head.fields, head.version_minor);
  if (!declared) return tl::unexpected(declared.error());
  head.framing = answer_framing(*declared, head.status, to_head);
  // Neither 1xx nor 204 has a body (RFC 9110, 6.4.1). What one declares would be read as the next
  // answer, or not, depending on who reads.
  const bool declares_body = has_body(*declared);
  if (head.status < 200 && declares_body) return refuse(400, "an interim answer with a body");
  const bool body_behind = head.status == 204 && declares_body;
  head.keep_alive = head.framing.kind != BodyKind::kUntilClose && !body_behind &&
                    wants_keep_alive(head.fields, head.version_minor);
  if (head.status != 101) return {};
  if (!upgrade_asked) return refuse(400, "a 101 that nobody asked for");
  if (!is_only_value(head.fields, FieldId::kUpgrade, "websocket")) {
    return refuse(400, "a 101 that does not switch to websocket");
  }
  head.websocket_upgrade = true;
  return {};
}

bool is_forbidden_trailer(std::string_view name) {
  constexpr std::string_view kNames[] = {
      "Content-Length",
      "Transfer-Encoding",
      "Host",
      "Connection",
      "Upgrade",
      "TE",
      "Trailer",
      "Expect",
      "Forwarded",
      "Authorization",
      "WWW-Authenticate",
      "Proxy-Authorization",
      "Cookie",
      "Set-Cookie",
      "Proxy-Authenticate",
      "Location",
  };
  return starts_ignoring_case(name, "X-Forwarded-") || starts_ignoring_case(name, "X-HPC-") ||
         std::any_of(std::begin(kNames), std::end(kNames),
                     [&](auto forbidden) { return equals_ignoring_case(name, forbidden); });
}

}  // namespace hpc
