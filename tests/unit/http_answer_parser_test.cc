#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "common/http_parser.h"
#include "tests/support/parse_every_way.h"

namespace hpc {
namespace {

constexpr auto kResponse = HttpParser::Kind::kResponse;

std::string ok(std::string_view fields, std::string_view body = "") {
  return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

// Answers to a GET: refused, or let in with this body, so many bytes behind it left over.
struct AnswerCase {
  const char* name;
  std::string bytes;
  bool refused = false;
  std::string body = {};
  std::size_t unused = 0;
  bool keep_alive = true;
};
void PrintTo(const AnswerCase& c, std::ostream* out) { *out << c.name; }

class HttpAnswerTest : public testing::TestWithParam<AnswerCase> {};

TEST_P(HttpAnswerTest, ReadsTheSameHoweverCut) {
  const auto& want = GetParam();
  const auto got = parse_every_way({.kind = kResponse}, want.bytes);
  ASSERT_EQ(got.refusal != 0, want.refused) << got.detail;
  if (want.refused) return;
  ASSERT_FALSE(got.messages.empty());
  const auto& last = got.messages.back();
  EXPECT_TRUE(last.ended);
  EXPECT_EQ(last.body, want.body);
  EXPECT_EQ(got.unused, want.unused);
  EXPECT_EQ(last.response.keep_alive, want.keep_alive);
}

const AnswerCase kAnswerCases[] = {
    {"content_length", ok("Content-Length: 2\r\n", "hi"), false, "hi"},
    {"content_length_zero", ok("Content-Length: 0\r\n"), false, ""},
    {"chunked", ok("Transfer-Encoding: chunked\r\n", "2;x\r\nhi\r\n0\r\nA: b\r\n\r\n"), false,
     "hi"},
    {"until_close", ok("", "all there is"), false, "all there is", 0, false},
    {"until_close_empty", ok(""), false, "", 0, false},
    {"http_1_0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", false, "hi", 0, false},
    {"http_1_0_keep_alive",
     "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n\r\nhi", false, "hi"},
    {"connection_close", ok("Content-Length: 1\r\nConnection: x, Close\r\n", "a"), false, "a", 0,
     false},
    {"no_reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"},
    {"no_space_no_reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"},
    {"reason_beyond_ascii", "HTTP/1.1 200 D\xe9j\xe0 vu\r\nContent-Length: 0\r\n\r\n"},
    {"status_599", "HTTP/1.1 599 X\r\nContent-Length: 0\r\n\r\n"},
    {"no_content", "HTTP/1.1 204 No Content\r\n\r\n"},
    {"no_content_with_length", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"},
    {"no_content_with_body", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", false, "", 2,
     false},
    {"no_content_chunked", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", false,
     "", 0, false},
    {"not_modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"},
    {"not_modified_chunked", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"bytes_behind", ok("Content-Length: 1\r\n", "ab"), false, "a", 1},
    {"answer_behind", ok("Content-Length: 1\r\n", "a" + ok("")), false, "a", 19},
    {"bytes_behind_chunks", ok("Transfer-Encoding: chunked\r\n", "0\r\n\r\nx"), false, "", 1},
    {"continue_first", "HTTP/1.1 100 Continue\r\n\r\n" + ok("Content-Length: 1\r\n", "a"), false,
     "a"},
    {"early_hints", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok("Content-Length: 0\r\n")},
    {"five_interim", repeat("HTTP/1.1 103 E\r\n\r\n", 5) + ok("Content-Length: 0\r\n")},
    {"interim_with_many_continue", repeat("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 102 P\r\n\r\n", 10) +
                                       repeat("HTTP/1.1 199 E\r\n\r\n", 5) +
                                       ok("Content-Length: 0\r\n")},

    {"six_interim", repeat("HTTP/1.1 103 E\r\n\r\n", 6) + ok("Content-Length: 0\r\n"), true},
    {"interim_with_length",
     "HTTP/1.1 103 E\r\nContent-Length: 1\r\n\r\n" + ok("Content-Length: 0\r\n"), true},
    {"interim_chunked",
     "HTTP/1.1 100 C\r\nTransfer-Encoding: chunked\r\n\r\n" + ok("Content-Length: 0\r\n"), true},
    {"interim_with_no_length",
     "HTTP/1.1 100 C\r\nContent-Length: 0\r\n\r\n" + ok("Content-Length: 0\r\n")},
    {"switching_unasked", "HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n", true},
    {"both_lengths", ok("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), true},
    {"both_lengths_no_content",
     "HTTP/1.1 204 N\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", true},
    {"two_lengths", ok("Content-Length: 1\r\nContent-Length: 1\r\n", "a"), true},
    {"length_list", ok("Content-Length: 1, 1\r\n", "a"), true},
    {"length_negative", ok("Content-Length: -1\r\n", "a"), true},
    {"encoding_gzip", ok("Transfer-Encoding: gzip\r\n"), true},
    {"encoding_list", ok("Transfer-Encoding: gzip, chunked\r\n"), true},
    {"encoding_http_1_0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
    {"bad_chunk", ok("Transfer-Encoding: chunked\r\n", "x\r\n"), true},
    {"http_0_9", "hello", true},
    {"html_only", "<html>", true},
    {"version_0_9", "HTTP/0.9 200 OK\r\n\r\n", true},
    {"version_2_0", "HTTP/2.0 200 OK\r\n\r\n", true},
    {"version_1_2", "HTTP/1.2 200 OK\r\n\r\n", true},
    {"version_rtsp", "RTSP/1.0 200 OK\r\n\r\n", true},
    {"status_99", "HTTP/1.1 99 X\r\n\r\n", true},
    {"status_099", "HTTP/1.1 099 X\r\n\r\n", true},
    {"status_600", "HTTP/1.1 600 X\r\n\r\n", true},
    {"status_1000", "HTTP/1.1 1000 X\r\n\r\n", true},
    {"status_word", "HTTP/1.1 OK\r\n\r\n", true},
    {"status_empty", "HTTP/1.1 \r\n\r\n", true},
    {"two_spaces", "HTTP/1.1  200 OK\r\n\r\n", true},
    {"line_feeds", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", true},
    {"reason_with_nul", std::string("HTTP/1.1 200 O\0K\r\n\r\n", 20), true},
    {"reason_with_return", "HTTP/1.1 200 O\rK\r\n\r\n", true},
    {"folded", ok("A: b\r\n c\r\n"), true},
    {"nul_in_value", ok(std::string("A: \0\r\n", 6)), true},
    {"space_before_colon", ok("A : b\r\n"), true},
    {"empty_line_first", "\r\n" + ok("Content-Length: 0\r\n"), true},
    {"cut_in_head", "HTTP/1.1 200 OK\r\nContent-Le", true},
    {"cut_in_body", ok("Content-Length: 3\r\n", "ab"), true},
    {"cut_in_chunks", ok("Transfer-Encoding: chunked\r\n", "3\r\nab"), true},
    {"cut_behind_interim", "HTTP/1.1 100 Continue\r\n\r\n", true},
};
INSTANTIATE_TEST_SUITE_P(Table, HttpAnswerTest, testing::ValuesIn(kAnswerCases),
                         [](const auto& made) { return std::string(made.param.name); });

TEST(HttpAnswerParserTest, TellsWhatTheHeadSays) {
  const auto got = parse_every_way({.kind = kResponse},
                                   "HTTP/1.0 404 Not Here\r\nA: b\r\nContent-Length: 0\r\n\r\n");
  ASSERT_EQ(got.refusal, 0) << got.detail;
  const auto& head = got.messages.at(0).response;
  EXPECT_EQ(head.status, 404);
  EXPECT_EQ(head.reason, "Not Here");
  EXPECT_EQ(head.version_minor, 0);
  EXPECT_EQ(head.fields.find("a"), "b");
  EXPECT_EQ(head.framing.kind, BodyKind::kLength);
}

TEST(HttpAnswerParserTest, AnswerToHeadHasNoBodyWhateverItSays) {
  for (const auto* fields : {"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", ""}) {
    const auto got = parse_every_way({.kind = kResponse, .to_head = true}, ok(fields, "extra"));
    ASSERT_EQ(got.refusal, 0) << got.detail;
    EXPECT_EQ(got.messages.at(0).body, "");
    EXPECT_TRUE(got.messages.at(0).ended);
    EXPECT_TRUE(got.messages.at(0).response.keep_alive);
    EXPECT_EQ(got.unused, 5U);
  }
}

TEST(HttpAnswerParserTest, AnswerToHeadKeepsItsContentLengthField) {
  const auto got = parse_whole({.kind = kResponse, .to_head = true}, ok("Content-Length: 5\r\n"));
  EXPECT_EQ(got.messages.at(0).response.framing.kind, BodyKind::kNone);
  EXPECT_EQ(got.messages.at(0).response.fields.find("Content-Length"), "5");
}

TEST(HttpAnswerParserTest, ExpectationsEndWithTheMessage) {
  ParseProbe probe({.kind = kResponse, .to_head = true, .upgrade_asked = true, .finish = false});
  auto& parser = probe.parser();
  probe.feed(ok("Content-Length: 2\r\n"));
  ASSERT_TRUE(parser.message_complete());
  parser.next_message();
  EXPECT_TRUE(parser.at_message_start());
  probe.feed(ok("Content-Length: 2\r\n", "h"));
  EXPECT_TRUE(parser.in_body());
  probe.feed("i");
  parser.next_message();
  probe.feed("HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_EQ(probe.end().refusal, 400);
}

TEST(HttpAnswerParserTest, ExpectationsOutliveInterimAnswers) {
  const auto got = parse_every_way({.kind = kResponse, .to_head = true},
                                   "HTTP/1.1 100 C\r\n\r\n" + ok("Content-Length: 5\r\n"));
  ASSERT_EQ(got.refusal, 0) << got.detail;
  ASSERT_EQ(got.messages.size(), 2U);
  EXPECT_TRUE(got.messages[0].response.interim());
  EXPECT_FALSE(got.messages[0].ended);
  EXPECT_TRUE(got.messages[1].ended);
}

TEST(HttpAnswerParserTest, AskedUpgradeEndsWithItsHead) {
  const std::string head =
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
  const auto got = parse_every_way({.kind = kResponse, .upgrade_asked = true}, head + "\x81\x01x");
  ASSERT_EQ(got.refusal, 0) << got.detail;
  EXPECT_TRUE(got.messages.at(0).response.websocket_upgrade);
  EXPECT_TRUE(got.messages.at(0).ended);
  EXPECT_EQ(got.unused, 3U);
}

TEST(HttpAnswerParserTest, AskedUpgradeToSomethingElseIsRefused) {
  for (const auto* fields : {"", "Upgrade: h2c\r\n", "Upgrade: websocket, h2c\r\n"}) {
    const auto bytes = "HTTP/1.1 101 S\r\nConnection: Upgrade\r\n" + std::string(fields) + "\r\n";
    EXPECT_EQ(parse_every_way({.kind = kResponse, .upgrade_asked = true}, bytes).refusal, 400);
  }
}

TEST(HttpAnswerParserTest, AskedUpgradeMayBeAnsweredWithoutIt) {
  const auto got = parse_every_way({.kind = kResponse, .upgrade_asked = true},
                                   "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
  ASSERT_EQ(got.refusal, 0) << got.detail;
  EXPECT_EQ(got.messages.at(0).body, "no");
  EXPECT_FALSE(got.messages.at(0).response.websocket_upgrade);
}

TEST(HttpAnswerParserTest, FieldsOfLimitPassAndOneMoreIsRefused) {
  const HttpLimits limits{.fields_max = 200};
  const Parsed fits =
      parse_whole({.kind = kResponse, .limits = limits}, ok(repeat("A: b\r\n", 200)));
  EXPECT_EQ(fits.refusal, 0);
  const Parsed over =
      parse_whole({.kind = kResponse, .limits = limits}, ok(repeat("A: b\r\n", 201)));
  EXPECT_EQ(over.refusal, 431);
}

TEST(HttpAnswerParserTest, InterimHeadIsNotTheStartOfAMessage) {
  ParseProbe probe({.kind = kResponse, .finish = false});
  EXPECT_TRUE(probe.parser().at_message_start());
  probe.feed("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_FALSE(probe.parser().at_message_start());
  EXPECT_FALSE(probe.parser().in_body());
}

}  // namespace
}  // namespace hpc
