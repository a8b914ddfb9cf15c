#include "common/head_scan.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace hpc {
namespace {

constexpr std::string_view kRequest =
    "GET /a?b HTTP/1.0\r\nHost: n01\r\nEmpty:\r\nBlanks: \t c d \t\r\n\r\n";

Field field_of(HeadScan& scan, std::string_view text, std::size_t index) {
  const auto& span = scan.fields()[index];
  return {text.substr(span.name_begin, span.name_end - span.name_begin),
          text.substr(span.value_begin, span.value_end - span.value_begin), span.id};
}

TEST(HeadScanTest, TellsWhereTheElementsOfARequestAre) {
  HeadScan scan(HeadScan::Kind::kRequest, {});
  const auto text = std::string(kRequest) + "body";
  const auto progress = scan.scan(text);
  ASSERT_TRUE(progress.has_value()) << progress.error().detail;
  ASSERT_EQ(*progress, HeadScan::Progress::kDone);
  EXPECT_EQ(scan.size(), kRequest.size());
  EXPECT_EQ(scan.method(text), "GET");
  EXPECT_EQ(scan.target(text), "/a?b");
  EXPECT_EQ(scan.version_minor(), 0);
  ASSERT_EQ(scan.fields().size(), 3U);
  EXPECT_EQ(field_of(scan, text, 0).name, "Host");
  EXPECT_EQ(field_of(scan, text, 0).value, "n01");
  EXPECT_EQ(field_of(scan, text, 1).name, "Empty");
  EXPECT_EQ(field_of(scan, text, 1).value, "");
  EXPECT_EQ(field_of(scan, text, 2).name, "Blanks");
  EXPECT_EQ(field_of(scan, text, 2).value, "c d");
}

TEST(HeadScanTest, TellsWhereTheElementsOfAnAnswerAre) {
  HeadScan scan(HeadScan::Kind::kResponse, {});
  const std::string_view text = "HTTP/1.1 404 Not Here\r\nA: b\r\n\r\n";
  ASSERT_EQ(scan.scan(text).value(), HeadScan::Progress::kDone);
  EXPECT_EQ(scan.status(), 404);
  EXPECT_EQ(scan.reason(text), "Not Here");
  EXPECT_EQ(scan.version_minor(), 1);
  EXPECT_EQ(field_of(scan, text, 0).value, "b");
}

TEST(HeadScanTest, GoesOnWhereItStoppedEvenIfTheTextMoved) {
  for (std::size_t cut = 0; cut < kRequest.size(); ++cut) {
    HeadScan scan(HeadScan::Kind::kRequest, {});
    const std::string first(kRequest.substr(0, cut));
    ASSERT_EQ(scan.scan(first).value(), HeadScan::Progress::kMore) << cut;
    const std::string all(kRequest);
    ASSERT_EQ(scan.scan(all).value(), HeadScan::Progress::kDone) << cut;
    EXPECT_EQ(scan.target(all), "/a?b");
    EXPECT_EQ(field_of(scan, all, 2).value, "c d");
  }
}

std::string summary(HeadScan& scan, std::string_view text,
                    const tl::expected<HeadScan::Progress, HttpRefusal>& progress) {
  if (!progress) return std::to_string(progress.error().status) + progress.error().detail;
  std::string out = *progress == HeadScan::Progress::kDone ? "done " : "more ";
  for (std::size_t i = 0; i < scan.fields().size(); ++i) {
    const Field field = field_of(scan, text, i);
    out.append(field.name).append("=").append(field.value).append(";");
  }
  return out;
}

// A line that is all there is taken at once, one that is not byte by byte.
TEST(HeadScanTest, WholeLinesAndTheirBytesOneByOneAreReadAlike) {
  const HttpLimits limits{.fields_max = 3};
  for (const std::string lines :
       {"A: b\r\n", "A:b\r\nCookie:\t c \r\n", ":\r\n", "A\r\n", "A : b\r\n", "A: b\n",
        "A: b\r\r\n", " A: b\r\n", "A: b\r\n c\r\n", "A: \x01\r\n",
        "A: a-long-value-with-a-\x7f\r\n", "A(: b\r\n", "A: \xff\r\n", "A: 1\r\nB: 2\r\nC: 3\r\n",
        "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n", "\n"}) {
    const std::string text = "GET / HTTP/1.1\r\n" + lines + "\r\n";
    HeadScan at_once(HeadScan::Kind::kRequest, limits);
    const auto whole = summary(at_once, text, at_once.scan(text));
    HeadScan bytewise(HeadScan::Kind::kRequest, limits);
    tl::expected<HeadScan::Progress, HttpRefusal> progress = HeadScan::Progress::kMore;
    for (std::size_t size = 1; size <= text.size() && progress; ++size) {
      if (*progress == HeadScan::Progress::kDone) break;
      progress = bytewise.scan(std::string_view(text).substr(0, size));
    }
    EXPECT_EQ(summary(bytewise, text, progress), whole) << lines;
  }
}

TEST(HeadScanTest, RestartForgetsEverything) {
  HeadScan scan(HeadScan::Kind::kResponse, {});
  ASSERT_TRUE(scan.scan("HTTP/1.0 200 First\r\nA: b\r\n\r\n").has_value());
  scan.restart();
  const std::string_view text = "HTTP/1.1 204\r\n\r\n";
  ASSERT_EQ(scan.scan(text).value(), HeadScan::Progress::kDone);
  EXPECT_EQ(scan.status(), 204);
  EXPECT_EQ(scan.reason(text), "");
  EXPECT_EQ(scan.version_minor(), 1);
  EXPECT_EQ(scan.fields().size(), 0U);
}

TEST(HeadScanTest, NothingIsLookedAtBehindTheEnd) {
  HeadScan scan(HeadScan::Kind::kRequest, {.head_bytes_max = 1024});
  const auto text = std::string(kRequest) + std::string(5000, '\0');
  EXPECT_EQ(scan.scan(text).value(), HeadScan::Progress::kDone);
}

// The scan alone, without llhttp behind it: what its versions disagree about is refused here.
TEST(HeadScanTest, RefusesWhatOtherReadersLetIn) {
  for (const auto* text :
       {"GET\t/ HTTP/1.1\r\n", "GET  / HTTP/1.1\r\n", " GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\nHost: n\n\n", "GET / HTTP/1.1\r\nA: b\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n",
        "GET / HTTP/1.1\r\n A: b\r\n\r\n", "GET / HTTP/1.1\r\nA : b\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n\n", "GET / HTTP/1.1\r\nA: b\r\n\rX",
        "GET / HTTP/1.1\r\nA: b\rB: c\r\n\r\n", "GET / HTTP/1.1\r\nA\r\n\r\n"}) {
    HeadScan scan(HeadScan::Kind::kRequest, {});
    const auto progress = scan.scan(text);
    ASSERT_FALSE(progress.has_value()) << text;
    EXPECT_EQ(progress.error().status, 400) << text;
  }
}

// Which limit speaks when several are passed: the one that is passed first, in bytes.
TEST(HeadScanTest, TheFirstByteThatIsWrongDecides) {
  const HttpLimits limits{.target_bytes_max = 10, .head_bytes_max = 40, .fields_max = 1};
  const struct {
    const char* text;
    int refusal;
  } cases[] = {
      {"GET /123456789a HTTP/9.9\r\n", 414},
      {"GET /123456789\x01", 400},
      {"GET /1234567890\x01", 414},
      {"GET / HTTP/9.9\r\nbad line\r\n", 505},
      {"GET / HTTP/1.1\r\nA: b\r\nB: c\r\n", 431},
      {"GET / HTTP/1.1\r\nA: b\r\n(: c\r\n", 400},
      {"GET / HTTP/1.1\r\nA: 0123456789012345678901\x01", 431},
      {"GET / HTTP/1.1\r\nA: 01234567890123456789\x01", 400},
      {"BREW /123456789012345", 501},
  };
  for (const auto& want : cases) {
    HeadScan scan(HeadScan::Kind::kRequest, limits);
    const auto progress = scan.scan(want.text);
    ASSERT_FALSE(progress.has_value()) << want.text;
    EXPECT_EQ(progress.error().status, want.refusal) << want.text;
  }
}

TEST(HeadScanTest, DetailsHoldNoByteOfTheMessage) {
  for (const auto* text : {"GET /secret\x01", "secret(", "GET / HTTP/1.1\r\nsecret\r\n",
                           "GET / HTTP/1.1\r\nA: secret\x02", "secretsecretsecretsecret"}) {
    HeadScan scan(HeadScan::Kind::kRequest, {});
    const auto progress = scan.scan(text);
    ASSERT_FALSE(progress.has_value());
    EXPECT_FALSE(progress.error().detail.empty());
    EXPECT_EQ(progress.error().detail.find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace hpc
