#include "common/http_decoder.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace hpc {
namespace {

constexpr auto kRequest = HttpParser::Kind::kRequest;
constexpr auto kResponse = HttpParser::Kind::kResponse;

struct Body final : HttpParser::Listener {
  std::string text;
  void on_head() noexcept override {}
  void on_body(Bytes bytes) noexcept override { text.append(as_text(bytes)); }
  void on_message_end() noexcept override {}
};

/// What our own scan would have found in a head.
struct Reading {
  std::string target = "/a";
  std::vector<std::pair<std::string, std::string>> fields = {{"Host", "n01"}};
  Framing framing = {};

  FieldList list() const {
    FieldList out;
    for (const auto& [name, value] : fields) out.add(name, value);
    return out;
  }
};

bool agrees(std::string_view head, const Reading& reading, HttpParser::Kind kind = kRequest) {
  Body body;
  HttpDecoder decoder(kind, body);
  return decoder.agrees_on_head(head, reading.target, reading.list(), reading.framing);
}

TEST(HttpDecoderTest, AgreesWithTheSameReading) {
  EXPECT_TRUE(agrees("GET /a HTTP/1.1\r\nHost: n01\r\n\r\n", {}));
  EXPECT_TRUE(agrees("GET /a HTTP/1.1\r\nHost: \t n01 \t\r\n\r\n", {}));
  EXPECT_TRUE(agrees("GET /a HTTP/1.1\r\nHost:\r\n\r\n", {.fields = {{"Host", ""}}}));
}

TEST(HttpDecoderTest, AnotherTargetIsADisagreement) {
  EXPECT_FALSE(agrees("GET /ab HTTP/1.1\r\nHost: n01\r\n\r\n", {}));
  EXPECT_FALSE(agrees("GET /b HTTP/1.1\r\nHost: n01\r\n\r\n", {}));
}

TEST(HttpDecoderTest, OtherFieldsAreADisagreement) {
  EXPECT_FALSE(agrees("GET /a HTTP/1.1\r\nHost: n02\r\n\r\n", {}));
  EXPECT_FALSE(agrees("GET /a HTTP/1.1\r\nhost: n01\r\n\r\n", {}));
  EXPECT_FALSE(agrees("GET /a HTTP/1.1\r\nHost: n01\r\nA: b\r\n\r\n", {}));
  EXPECT_FALSE(agrees("GET /a HTTP/1.1\r\n\r\n", {}));
  const Reading swapped{.fields = {{"A", "b"}, {"Host", "n01"}}};
  EXPECT_FALSE(agrees("GET /a HTTP/1.1\r\nHost: n01\r\nA: b\r\n\r\n", swapped));
}

TEST(HttpDecoderTest, AnotherFramingIsADisagreement) {
  const std::string length = "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
  Reading reading{.fields = {{"Content-Length", "5"}}, .framing = {BodyKind::kLength, 5}};
  EXPECT_TRUE(agrees(length, reading));
  reading.framing.length = 6;
  EXPECT_FALSE(agrees(length, reading));
  reading.framing = {BodyKind::kChunked, 0};
  EXPECT_FALSE(agrees(length, reading));
  reading.framing = {BodyKind::kUntilClose, 0};
  EXPECT_FALSE(agrees(length, reading));
}

TEST(HttpDecoderTest, ChunkedIsAgreedUpon) {
  const std::string chunked = "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  Reading reading{.fields = {{"Transfer-Encoding", "chunked"}}, .framing = {BodyKind::kChunked, 0}};
  EXPECT_TRUE(agrees(chunked, reading));
  reading.framing = {BodyKind::kLength, 0};
  EXPECT_FALSE(agrees(chunked, reading));
}

TEST(HttpDecoderTest, UntilCloseIsForAnswersOnly) {
  const Reading reading{.target = "", .fields = {}, .framing = {BodyKind::kUntilClose, 0}};
  EXPECT_TRUE(agrees("HTTP/1.1 200 OK\r\n\r\n", reading, kResponse));
  EXPECT_FALSE(agrees("HTTP/1.1 204 N\r\n\r\n", reading, kResponse));
}

TEST(HttpDecoderTest, IncompleteOrLongerHeadIsADisagreement) {
  EXPECT_FALSE(agrees("GET /a HTTP/1.1\r\nHost: n01\r\n", {}));
  Body body;
  HttpDecoder decoder(kRequest, body);
  const Reading reading{.fields = {{"Content-Length", "1"}}, .framing = {BodyKind::kLength, 1}};
  // The body is already in the head: what was to be one message's bytes are two.
  EXPECT_FALSE(decoder.agrees_on_head("POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
                                      reading.target, reading.list(), reading.framing));
}

TEST(HttpDecoderTest, BodyOfAHeadAnswerIsNone) {
  const Reading reading{.target = "", .fields = {{"Content-Length", "5"}}, .framing = {}};
  EXPECT_TRUE(agrees("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", reading, kResponse));
}

TEST(HttpDecoderTest, UpgradesEndWithTheirHead) {
  const Reading reading{.fields = {{"Connection", "Upgrade"}, {"Upgrade", "websocket"}}};
  EXPECT_TRUE(
      agrees("GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", reading));
  Reading answer = reading;
  answer.target = "";
  EXPECT_TRUE(agrees("HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", answer,
                     kResponse));
}

TEST(HttpDecoderTest, DecodesBodiesMessageAfterMessage) {
  Body body;
  HttpDecoder decoder(kRequest, body);
  const Reading reading{.fields = {{"Transfer-Encoding", "chunked"}},
                        .framing = {BodyKind::kChunked, 0}};
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(decoder.agrees_on_head("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                                       reading.target, reading.list(), reading.framing));
    EXPECT_FALSE(decoder.complete());
    EXPECT_TRUE(decoder.decode("2\r\nhi\r\n0\r\n"));
    EXPECT_FALSE(decoder.complete());
    EXPECT_TRUE(decoder.decode("\r\n"));
    EXPECT_TRUE(decoder.complete());
    decoder.restart();
    EXPECT_FALSE(decoder.complete());
  }
  EXPECT_EQ(body.text, "hihihi");
}

TEST(HttpDecoderTest, UpgradeWithABodyIsDecodedAsHttp) {
  Body body;
  HttpDecoder decoder(kRequest, body);
  const Reading reading{
      .fields = {{"Connection", "Upgrade"}, {"Upgrade", "h2c"}, {"Content-Length", "2"}},
      .framing = {BodyKind::kLength, 2}};
  ASSERT_TRUE(decoder.agrees_on_head(
      "POST /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n",
      reading.target, reading.list(), reading.framing));
  EXPECT_TRUE(decoder.decode("hi"));
  EXPECT_TRUE(decoder.complete());
  EXPECT_EQ(body.text, "hi");
}

TEST(HttpDecoderTest, FinishEndsACloseDelimitedBodyOnly) {
  Body body;
  HttpDecoder decoder(kResponse, body);
  ASSERT_TRUE(decoder.agrees_on_head("HTTP/1.1 200 OK\r\n\r\n", "", FieldList{},
                                     {BodyKind::kUntilClose, 0}));
  EXPECT_TRUE(decoder.decode("all"));
  EXPECT_TRUE(decoder.finish());
  EXPECT_EQ(body.text, "all");

  HttpDecoder cut(kResponse, body);
  const Reading reading{
      .target = "", .fields = {{"Content-Length", "5"}}, .framing = {BodyKind::kLength, 5}};
  ASSERT_TRUE(cut.agrees_on_head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "", reading.list(),
                                 reading.framing));
  EXPECT_FALSE(cut.finish());
}

TEST(HttpDecoderTest, RefusesWhatIsNoChunk) {
  Body body;
  HttpDecoder decoder(kRequest, body);
  const Reading reading{.fields = {{"Transfer-Encoding", "chunked"}},
                        .framing = {BodyKind::kChunked, 0}};
  ASSERT_TRUE(decoder.agrees_on_head("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                                     reading.target, reading.list(), reading.framing));
  EXPECT_FALSE(decoder.decode("xyz\r\n"));
}

}  // namespace
}  // namespace hpc
