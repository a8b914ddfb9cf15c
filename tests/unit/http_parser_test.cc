#include "common/http_parser.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <ostream>
#include <string>
#include <vector>

#include "tests/support/parse_every_way.h"

namespace hpc {
namespace {

std::string request(std::string_view start_line, std::string_view fields,
                    std::string_view body = "") {
  return std::string(start_line) + "\r\nHost: n01:9000\r\n" + std::string(fields) + "\r\n" +
         std::string(body);
}
std::string post(std::string_view fields, std::string_view body = "") {
  return request("POST / HTTP/1.1", fields, body);
}
std::string chunked(std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); }
// Requests: refused with this status, or (0) let in with that body.
struct RequestCase {
  const char* name;
  std::string bytes;
  int refusal = 0;
  std::string body = {};
};
void PrintTo(const RequestCase& c, std::ostream* out) { *out << c.name; }

class HttpRequestTest : public testing::TestWithParam<RequestCase> {};

TEST_P(HttpRequestTest, ReadsTheSameHoweverCut) {
  const auto& want = GetParam();
  const auto got = parse_every_way({}, want.bytes);
  ASSERT_EQ(got.refusal, want.refusal) << got.detail;
  if (want.refusal != 0) {
    for (const auto& message : got.messages) EXPECT_FALSE(message.ended);
    return;
  }
  ASSERT_EQ(got.messages.size(), 1U);
  EXPECT_TRUE(got.messages[0].ended);
  EXPECT_EQ(got.messages[0].body, want.body);
}

const RequestCase kRequestCases[] = {
    {"get", request("GET /port/5500/ HTTP/1.1", "")},
    {"http_1_0", request("GET / HTTP/1.0", "")},
    {"empty_value", request("GET / HTTP/1.1", "A:\r\nB: \r\nC: \t \r\n")},
    {"blanks_around_value", request("GET / HTTP/1.1", "A: \t b c \t\r\n")},
    {"value_beyond_ascii", request("GET / HTTP/1.1", "A: \xc3\xa4\r\n")},
    {"content_length", post("Content-Length: 3\r\n", "abc"), 0, "abc"},
    {"content_length_zero", post("Content-Length: 0\r\n")},
    {"content_length_with_blanks", post("Content-Length: \t 3 \r\n", "abc"), 0, "abc"},
    {"chunks", chunked("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"), 0, "abc0123456789"},
    {"chunked_in_any_case", post("transfer-encoding: CHUNKED\r\n", "1\r\na\r\n0\r\n\r\n"), 0, "a"},
    {"chunk_size_with_zeros", chunked("0000000000000001\r\na\r\n00\r\n\r\n"), 0, "a"},
    {"empty_chunked", chunked("0\r\n\r\n")},
    {"encoded_line_end_in_target", request("GET /a%0d%0ab HTTP/1.1", "")},
    {"h2c_with_body", post("Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n", "a"), 0,
     "a"},

    {"both_lengths", post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
    {"both_lengths_swapped", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"), 400},
    {"two_content_lengths", post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), 400},
    {"same_content_length_twice", post("Content-Length: 1\r\nContent-Length: 1\r\n", "a"), 400},
    {"content_length_list", post("Content-Length: 1,1\r\n", "a"), 400},
    {"content_length_empty", post("Content-Length:\r\n"), 400},
    {"content_length_plus", post("Content-Length: +1\r\n", "a"), 400},
    {"content_length_minus", post("Content-Length: -1\r\n", "a"), 400},
    {"content_length_hex", post("Content-Length: 0x1\r\n", "a"), 400},
    {"content_length_underscore", post("Content-Length: 1_0\r\n"), 400},
    {"content_length_with_space", post("Content-Length: 1 0\r\n"), 400},
    {"content_length_64_bits", post("Content-Length: 9223372036854775808\r\n"), 400},
    {"content_length_huge", post("Content-Length: 99999999999999999999999\r\n"), 400},

    {"space_before_colon", request("GET / HTTP/1.1", "A : b\r\n"), 400},
    {"tab_before_colon", request("GET / HTTP/1.1", "A\t: b\r\n"), 400},
    {"empty_name", request("GET / HTTP/1.1", ": b\r\n"), 400},
    {"name_beyond_ascii", request("GET / HTTP/1.1", "\xc3\xa4: b\r\n"), 400},
    {"name_with_brackets", request("GET / HTTP/1.1", "A[0]: b\r\n"), 400},
    {"name_with_parentheses", request("GET / HTTP/1.1", "A(b): c\r\n"), 400},
    {"line_without_colon", request("GET / HTTP/1.1", "abc\r\n"), 400},
    {"folded_line", request("GET / HTTP/1.1", "A: b\r\n c\r\n"), 400},
    {"folded_line_tab", request("GET / HTTP/1.1", "A: b\r\n\tc\r\n"), 400},
    {"folded_first_line", "GET / HTTP/1.1\r\n Host: n01\r\n\r\n", 400},

    {"encoding_gzip", post("Transfer-Encoding: gzip\r\n"), 501},
    {"encoding_list", post("Transfer-Encoding: gzip, chunked\r\n"), 501},
    {"encoding_chunked_first", post("Transfer-Encoding: chunked, gzip\r\n"), 501},
    {"encoding_twice", post("Transfer-Encoding: chunked, chunked\r\n"), 501},
    {"encoding_two_lines", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"), 501},
    {"encoding_xchunked", post("Transfer-Encoding: xchunked\r\n"), 501},
    {"encoding_identity", post("Transfer-Encoding: identity\r\n"), 501},
    {"encoding_parameter", post("Transfer-Encoding: chunked;a=b\r\n"), 501},
    {"encoding_empty", post("Transfer-Encoding:\r\n"), 400},
    {"encoding_comma", post("Transfer-Encoding: chunked,\r\n"), 400},
    {"encoding_two_words", post("Transfer-Encoding: chunked gzip\r\n"), 400},
    {"encoding_quoted", post("Transfer-Encoding: \"chunked\"\r\n"), 400},
    {"encoding_vertical_tab", post("Transfer-Encoding: \x0b chunked\r\n"), 400},
    {"encoding_on_1_0", request("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n"), 400},

    {"chunk_size_plus", chunked("+1\r\na\r\n0\r\n\r\n"), 400},
    {"chunk_size_minus", chunked("-1\r\na\r\n0\r\n\r\n"), 400},
    {"chunk_size_0x", chunked("0x1\r\na\r\n0\r\n\r\n"), 400},
    {"chunk_size_space_behind", chunked("1 \r\na\r\n0\r\n\r\n"), 400},
    {"chunk_size_space_before", chunked(" 1\r\na\r\n0\r\n\r\n"), 400},
    {"chunk_size_empty", chunked("\r\na\r\n0\r\n\r\n"), 400},
    {"chunk_size_17_digits", chunked("00000000000000001\r\na\r\n0\r\n\r\n"), 400},
    {"chunk_size_64_bits", chunked("8000000000000000\r\na"), 400},
    {"chunk_size_line_feed", chunked("1\na\r\n0\r\n\r\n"), 400},
    {"chunk_size_return", chunked("1\ra\r\n0\r\n\r\n"), 400},
    {"chunk_data_line_feed", chunked("1\r\na\n0\r\n\r\n"), 400},
    {"chunk_data_too_long", chunked("1\r\nab\r\n0\r\n\r\n"), 400},
    {"chunk_last_line_feed", chunked("0\n\r\n"), 400},
    {"chunk_end_line_feed", chunked("0\r\n\n"), 400},
    {"chunk_extension_line_feed", chunked("1;a\nb\r\na\r\n0\r\n\r\n"), 400},
    {"chunk_extension_dropped", chunked("1;a=b; c=\"d\"\r\nx\r\n0;e\r\n\r\n"), 0, "x"},
    {"chunk_extension_256", chunked("1;" + repeat("e", 255) + "\r\nx\r\n0\r\n\r\n"), 0, "x"},
    {"chunk_extension_257", chunked("1;" + repeat("e", 256) + "\r\nx\r\n0\r\n\r\n"), 400},
    {"trailers_dropped", chunked("1\r\nx\r\n0\r\nExpires: never\r\nX-Sum: 1\r\n\r\n"), 0, "x"},
    {"trailer_content_length", chunked("0\r\nContent-Length: 5\r\n\r\n"), 400},
    {"trailer_encoding", chunked("0\r\ntransfer-encoding: chunked\r\n\r\n"), 400},
    {"trailer_host", chunked("0\r\nHost: n02\r\n\r\n"), 400},
    {"trailer_authorization", chunked("0\r\nAuthorization: Basic eA==\r\n\r\n"), 400},
    {"trailer_token", chunked("0\r\nX-HPC-Proxy-Token: 0\r\n\r\n"), 400},
    {"trailer_forwarded", chunked("0\r\nX-Forwarded-For: 1\r\n\r\n"), 400},
    {"trailer_line_feed", chunked("0\r\nA: b\n\r\n"), 400},
    {"trailer_folded", chunked("0\r\nA: b\r\n c\r\n\r\n"), 400},

    {"line_feeds_only", "GET / HTTP/1.1\nHost: n01\n\n", 400},
    {"line_feed_in_fields", "GET / HTTP/1.1\r\nHost: n01\nA: b\r\n\r\n", 400},
    {"line_feed_at_end", "GET / HTTP/1.1\r\nHost: n01\r\n\n", 400},
    {"return_in_value", request("GET / HTTP/1.1", "A: b\rc: d\r\n"), 400},
    {"return_return_line_feed", request("GET / HTTP/1.1", "A: b\r\r\n"), 400},
    {"return_for_end", "GET / HTTP/1.1\r\nHost: n01\r\n\rX", 400},
    {"return_behind_empty_value", request("GET / HTTP/1.1", "A:\rB: c\r\n"), 400},
    {"nul_in_value", request("GET / HTTP/1.1", std::string("A: b\0c\r\n", 8)), 400},
    {"control_byte_in_value", request("GET / HTTP/1.1", "A: \x01\r\n"), 400},
    {"delete_in_value", request("GET / HTTP/1.1", "A: \x7f\r\n"), 400},

    {"target_beyond_ascii", request("GET /\xc3\xa4 HTTP/1.1", ""), 400},
    {"target_control_byte", request("GET /\x01 HTTP/1.1", ""), 400},
    {"target_delete", request("GET /\x7f HTTP/1.1", ""), 400},
    {"target_fragment", request("GET /a#b HTTP/1.1", ""), 400},
    {"target_space", request("GET /a b HTTP/1.1", ""), 400},
    {"two_spaces", request("GET  / HTTP/1.1", ""), 400},
    {"two_spaces_behind", request("GET /  HTTP/1.1", ""), 400},
    {"tab_as_separator", request("GET\t/ HTTP/1.1", ""), 400},
    {"tab_behind_target", request("GET /\tHTTP/1.1", ""), 400},
    {"space_behind_version", request("GET / HTTP/1.1 ", ""), 400},
    {"space_before_method", request(" GET / HTTP/1.1", ""), 400},
    {"target_without_slash", request("GET index.html HTTP/1.1", ""), 400},
    {"target_other_scheme", request("GET ftp://n01:9000/ HTTP/1.1", ""), 400},
    {"target_star_get", request("GET * HTTP/1.1", ""), 400},
    {"target_star_options", request("OPTIONS * HTTP/1.1", "")},

    {"no_host", "GET / HTTP/1.1\r\n\r\n", 400},
    {"no_host_1_0", "GET / HTTP/1.0\r\n\r\n", 400},
    {"no_host_healthz", "GET /healthz HTTP/1.0\r\n\r\n"},
    {"no_host_healthz_1_1", "GET /healthz HTTP/1.1\r\n\r\n", 400},
    {"two_hosts", request("GET / HTTP/1.1", "Host: n02\r\n"), 400},
    {"same_host_twice", request("GET / HTTP/1.1", "Host: n01:9000\r\n"), 400},
    {"host_empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"host_space", "GET / HTTP/1.1\r\nHost: n01 n02\r\n\r\n", 400},
    {"host_at", "GET / HTTP/1.1\r\nHost: a@n01\r\n\r\n", 400},
    {"host_path", "GET / HTTP/1.1\r\nHost: n01/a\r\n\r\n", 400},
    {"absolute_form", request("GET http://n01:9000/a HTTP/1.1", "")},
    {"absolute_form_other_host", request("GET http://n02:9000/ HTTP/1.1", ""), 400},
    {"absolute_form_other_port", request("GET http://n01:9001/ HTTP/1.1", ""), 400},
    {"absolute_form_user", request("GET http://a@n01:9000/ HTTP/1.1", ""), 400},

    {"http_0_9", "GET /\r\n", 400},
    {"http_0_9_named", request("GET / HTTP/0.9", ""), 400},
    {"http_1_2", request("GET / HTTP/1.2", ""), 505},
    {"http_2_0", request("GET / HTTP/2.0", ""), 505},
    {"http_2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"version_lower_case", request("GET / http/1.1", ""), 400},
    {"version_two_digits", request("GET / HTTP/1.10", ""), 400},
    {"version_other_protocol", request("GET / RTSP/1.0", ""), 400},

    {"connect", "CONNECT n01:22 HTTP/1.1\r\nHost: n01:22\r\n\r\n", 405},
    {"trace", request("TRACE / HTTP/1.1", ""), 405},
    {"method_unknown", request("BREW / HTTP/1.1", ""), 501},
    {"method_lower_case", request("get / HTTP/1.1", ""), 501},
    {"method_long", repeat("A", 17), 501},
    {"method_webdav", request("PROPFIND / HTTP/1.1", "")},
    {"method_m_search", request("M-SEARCH / HTTP/1.1", "")},
    {"tls_hello", std::string("\x16\x03\x01\x02\x00\x01", 6), 400},

    {"expect_continue", post("Expect: 100-Continue\r\nContent-Length: 1\r\n", "a"), 0, "a"},
    {"expect_other", post("Expect: 200-ok\r\n"), 417},
    {"expect_list", post("Expect: 100-continue, x\r\n"), 417},
    {"expect_twice", post("Expect: 100-continue\r\nExpect: x\r\n"), 417},

    {"four_empty_lines", repeat("\r\n", 4) + request("GET / HTTP/1.1", "")},
    {"five_empty_lines", repeat("\r\n", 5) + request("GET / HTTP/1.1", ""), 400},
    {"empty_line_feed", "\n" + request("GET / HTTP/1.1", ""), 400},
    {"empty_line_return", "\r" + request("GET / HTTP/1.1", ""), 400},
    {"cut_short_in_head", "GET / HTTP/1.1\r\nHost: n01\r\n", 400},
    {"cut_short_in_body", post("Content-Length: 3\r\n", "ab"), 400},
    {"cut_short_in_chunks", chunked("3\r\nabc\r\n"), 400},
    {"cut_short_before_end", chunked("0\r\n\r"), 400},
};
INSTANTIATE_TEST_SUITE_P(Table, HttpRequestTest, testing::ValuesIn(kRequestCases),
                         [](const auto& made) { return std::string(made.param.name); });

TEST(HttpParserTest, RefusesAsEarlyAsTheBytesAllow) {
  const struct {
    std::string bytes;
    int refusal;
  } cases[] = {
      {"GET / HTTP/1.1\n", 400},
      {"GET  ", 400},
      {"\x16", 400},
      {"BREW ", 501},
      {"TRACE ", 405},
      {"PRI ", 505},
      {"GET / HTTP/1.1x", 400},
      {"GET / HTTP/3.0\r", 505},
      {"GET / HTTP/1.1\r\n ", 400},
      {"GET / HTTP/1.1\r\nA ", 400},
      {"GET / HTTP/1.1\r\nA: b\n", 400},
      {"GET / HTTP/1.1\r\nA: b\r\r", 400},
      {"GET /" + repeat("a", 8 * 1024), 414},
  };
  for (const auto& want : cases) {
    const auto before = std::string_view(want.bytes).substr(0, want.bytes.size() - 1);
    EXPECT_EQ(parse_whole({.finish = false}, before).refusal, 0) << want.bytes;
    EXPECT_EQ(parse_whole({.finish = false}, want.bytes).refusal, want.refusal) << want.bytes;
  }
}

TEST(HttpParserTest, TargetOfLimitPassesAndOneMoreIs414) {
  const auto with_target = [](std::size_t size) {
    return request("GET /" + repeat("a", size - 1) + " HTTP/1.1", "");
  };
  const HttpLimits limits{.target_bytes_max = 100};
  EXPECT_EQ(parse_every_way({.limits = limits}, with_target(100)).refusal, 0);
  EXPECT_EQ(parse_every_way({.limits = limits}, with_target(101)).refusal, 414);
  EXPECT_EQ(parse_whole({}, with_target(8 * 1024)).refusal, 0);
  EXPECT_EQ(parse_whole({}, with_target(8 * 1024 + 1)).refusal, 414);
}

TEST(HttpParserTest, HeadOfLimitPassesAndOneMoreIs431) {
  const auto with_head = [](std::size_t size) {
    const auto rest = request("GET / HTTP/1.1", "A: \r\n").size();
    return request("GET / HTTP/1.1", "A: " + repeat("a", size - rest) + "\r\n");
  };
  const HttpLimits limits{.head_bytes_max = 300};
  EXPECT_EQ(parse_every_way({.limits = limits}, with_head(300)).refusal, 0);
  EXPECT_EQ(parse_every_way({.limits = limits}, with_head(301)).refusal, 431);
  EXPECT_EQ(parse_whole({}, with_head(64 * 1024)).refusal, 0);
  EXPECT_EQ(parse_whole({}, with_head(64 * 1024 + 1)).refusal, 431);
}

TEST(HttpParserTest, HeadWithoutAnEndIs431AtTheLimit) {
  const auto start = std::string("GET / HTTP/1.1\r\nA: ");
  ParseProbe probe({.finish = false});
  probe.feed(start + repeat("a", 64 * 1024 - start.size()));
  EXPECT_FALSE(probe.parser().at_message_start());
  probe.feed("a");
  EXPECT_EQ(probe.end().refusal, 431);
}

TEST(HttpParserTest, FieldsOfLimitPassAndOneMoreIs431) {
  const auto with_fields = [](std::size_t count) {
    return request("GET / HTTP/1.1", repeat("A: b\r\n", count - 1));
  };
  const HttpLimits limits{.fields_max = 5};
  EXPECT_EQ(parse_every_way({.limits = limits}, with_fields(5)).refusal, 0);
  EXPECT_EQ(parse_every_way({.limits = limits}, with_fields(6)).refusal, 431);
  EXPECT_EQ(parse_whole({}, with_fields(128)).refusal, 0);
  EXPECT_EQ(parse_whole({}, with_fields(129)).refusal, 431);
}

TEST(HttpParserTest, TellsWhatTheHeadSays) {
  const auto got = parse_every_way(
      {},
      "PUT http://N01:9000/a?b=c HTTP/1.1\r\nhost:n01:9000\r\nX: y \r\nExpect: 100-continue"
      "\r\nContent-Length: 2\r\nConnection: keep-alive, close\r\n\r\nhi");
  ASSERT_EQ(got.refusal, 0) << got.detail;
  const auto& head = got.messages.at(0).request;
  EXPECT_EQ(head.method, "PUT");
  EXPECT_EQ(head.target, "/a?b=c");
  EXPECT_EQ(head.host, "n01:9000");
  EXPECT_EQ(head.version_minor, 1);
  ASSERT_EQ(head.fields.size(), 5U);
  EXPECT_EQ(head.fields[1].name, "X");
  EXPECT_EQ(head.fields[1].value, "y");
  EXPECT_EQ(head.framing.kind, BodyKind::kLength);
  EXPECT_EQ(head.framing.length, 2U);
  EXPECT_FALSE(head.keep_alive);
  EXPECT_TRUE(head.expects_continue);
  EXPECT_FALSE(head.websocket_upgrade);
}

TEST(HttpParserTest, PipelinedRequestsComeOneAfterTheOther) {
  const auto bytes = request("GET /1 HTTP/1.1", "") + post("Content-Length: 3\r\n", "abc") +
                     "\r\n" + chunked("2\r\nde\r\n0\r\nT: u\r\n\r\n") +
                     request("GET /4 HTTP/1.1", "Connection: close\r\n");
  const auto got = parse_every_way({}, bytes);
  ASSERT_EQ(got.refusal, 0) << got.detail;
  ASSERT_EQ(got.messages.size(), 4U);
  EXPECT_EQ(got.messages[0].request.target, "/1");
  EXPECT_EQ(got.messages[1].body, "abc");
  EXPECT_EQ(got.messages[2].body, "de");
  EXPECT_EQ(got.messages[3].request.target, "/4");
}

TEST(HttpParserTest, NextRequestWaitsUntilItIsWanted) {
  const auto first = request("GET /1 HTTP/1.1", "");
  const auto both = first + request("GET /2 HTTP/1.1", "");
  ParseProbe probe({.finish = false});
  auto& parser = probe.parser();
  EXPECT_EQ(parser.feed(as_bytes(both)).value(), first.size());
  EXPECT_TRUE(parser.message_complete());
  EXPECT_EQ(parser.feed(as_bytes(both).subspan(first.size())).value(), 0U);
  EXPECT_EQ(parser.request_head().target, "/1");
  parser.next_message();
  EXPECT_TRUE(parser.at_message_start());
  EXPECT_TRUE(parser.feed(as_bytes(both).subspan(first.size())).has_value());
  EXPECT_EQ(parser.request_head().target, "/2");
}

TEST(HttpParserTest, BodiesAreHandedOnWithoutACopy) {
  struct Watch final : HttpParser::Listener {
    const std::byte* body = nullptr;
    void on_head() noexcept override {}
    void on_body(Bytes bytes) noexcept override { body = bytes.data(); }
    void on_message_end() noexcept override {}
  } watch;
  HttpParser parser(HttpParser::Kind::kRequest, {}, watch);
  const auto head = post("Content-Length: 3\r\n");
  const auto bytes = head + "abc";
  ASSERT_TRUE(parser.feed(as_bytes(bytes)).has_value());
  EXPECT_EQ(watch.body, as_bytes(bytes).data() + head.size());
}

TEST(HttpParserTest, EmptyLinesAreNotAMessage) {
  ParseProbe probe({.finish = false});
  probe.feed("\r\n\r");
  EXPECT_TRUE(probe.parser().at_message_start());
  EXPECT_TRUE(probe.parser().finish().has_value());
  probe.feed("\nG");
  EXPECT_FALSE(probe.parser().at_message_start());
}

TEST(HttpParserTest, StaysRefused) {
  ParseProbe probe({.finish = false});
  auto& parser = probe.parser();
  ASSERT_FALSE(parser.feed(as_bytes("GET  ")).has_value());
  parser.next_message();
  const auto later = parser.feed(as_bytes(request("GET / HTTP/1.1", "")));
  ASSERT_FALSE(later.has_value());
  EXPECT_EQ(later.error().status, 400);
  EXPECT_FALSE(parser.finish().has_value());
}

TEST(HttpParserTest, InBodyFromHeadToEnd) {
  ParseProbe probe({.finish = false});
  auto& parser = probe.parser();
  probe.feed(post("Content-Length: 2\r\n"));
  EXPECT_TRUE(parser.in_body());
  probe.feed("a");
  EXPECT_TRUE(parser.in_body());
  probe.feed("b");
  EXPECT_FALSE(parser.in_body());
  EXPECT_TRUE(parser.message_complete());
}

TEST(HttpParserTest, BytesBehindAHandshakeAreTheNextRequestOrNotOurs) {
  const auto handshake = request("GET /ws HTTP/1.1",
                                 "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
                                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n");
  ParseProbe probe({.finish = false});
  auto& parser = probe.parser();
  EXPECT_EQ(parser.feed(as_bytes(handshake + "\x81\x01x")).value(), handshake.size());
  EXPECT_TRUE(parser.message_complete());
  EXPECT_TRUE(parser.request_head().websocket_upgrade);

  const auto got = parse_every_way({}, handshake + request("GET /next HTTP/1.1", ""));
  ASSERT_EQ(got.messages.size(), 2U) << got.detail;
  EXPECT_EQ(got.messages[1].request.target, "/next");
}

// A head of 60 KiB in two pieces is held twice: as it was gathered, and as its fields.
TEST(HttpParserTest, NoMemoryOfALargeHeadIsKept) {
  struct Nobody final : HttpParser::Listener {
    void on_head() noexcept override {}
    void on_body(Bytes) noexcept override {}
    void on_message_end() noexcept override {}
  } nobody;
  const std::string large = std::string(6000, 'v');
  std::string fields;
  for (int i = 0; i < 10; ++i) fields += "X-Large: " + large + "\r\n";
  const auto head = request("GET / HTTP/1.1", fields);
  HttpParser parser(HttpParser::Kind::kRequest, {}, nobody);
  const auto used = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
  const auto before = used();
  ASSERT_TRUE(parser.feed(as_bytes(head).first(50'000)));
  ASSERT_TRUE(parser.feed(as_bytes(head).subspan(50'000)));
  ASSERT_TRUE(parser.message_complete());
  parser.next_message();
  EXPECT_LT(used(), before + 32 * 1024);
}

}  // namespace
}  // namespace hpc
