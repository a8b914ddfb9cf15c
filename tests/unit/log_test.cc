#include "common/log.h"

#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <string>
#include <vector>

namespace hpc {
namespace {

struct Lines {
  std::vector<std::string> lines;
  Log::Sink sink() {
    return [this](std::string_view line) { lines.emplace_back(line); };
  }
  /// The one line without the time in front of it.
  std::string text() const { return lines.at(0).substr(lines.at(0).find(' ') + 1); }
};

TEST(LogTest, WritesOneTextLine) {
  Lines out;
  Log(LogLevel::kInfo, LogFormat::kText, out.sink()).info("listening", {{"port", "41234"}});
  EXPECT_EQ(out.text(), "info listening port=41234");
}

TEST(LogTest, QuotesWhatIsNotPlain) {
  Lines out;
  Log(LogLevel::kInfo, LogFormat::kText, out.sink())
      .info("m", {{"a", ""}, {"b", "x y"}, {"c", "q\"\\"}, {"d", "k=v"}});
  EXPECT_EQ(out.text(), "info m a=\"\" b=\"x y\" c=\"q\\\"\\\\\" d=\"k=v\"");
}

TEST(LogTest, HostileValueCannotForgeALineOrMoveACursor) {
  Lines out;
  Log(LogLevel::kInfo, LogFormat::kText, out.sink())
      .info("m", {{"v", "a\nerror b\r\x1b[2J\x7f\xC2\x9B\xE2\x80\xAE\xFF"}});
  EXPECT_EQ(out.text(), "info m v=\"a\\nerror b\\x0d\\x1b[2J\\x7f\\xc2\\x9b\\xe2\\x80\\xae\\xff\"");
}

TEST(LogTest, KeepsWellFormedUtf8) {
  Lines out;
  Log(LogLevel::kInfo, LogFormat::kText, out.sink()).info("gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(out.text(), "info gr\xC3\xBC\xC3\x9F");
}

TEST(LogTest, EveryByteGivesValidJson) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  Lines out;
  Log(LogLevel::kInfo, LogFormat::kJson, out.sink()).warning("m\n", {{"v", all}});
  rapidjson::Document json;
  json.Parse<rapidjson::kParseValidateEncodingFlag>(out.lines.at(0).data(), out.lines.at(0).size());
  ASSERT_FALSE(json.HasParseError());
  EXPECT_STREQ(json["level"].GetString(), "warning");
  EXPECT_STREQ(json["message"].GetString(), "m\n");
  EXPECT_EQ(out.lines.at(0).find('\n'), std::string::npos);
}

TEST(LogTest, LevelsBelowAreLeftOut) {
  Lines out;
  const Log quiet(LogLevel::kWarning, LogFormat::kText, out.sink());
  EXPECT_FALSE(quiet.enabled(LogLevel::kInfo));
  Log log(LogLevel::kWarning, LogFormat::kText, out.sink());
  log.info("no");
  log.debug("no");
  log.error("yes");
  EXPECT_EQ(out.lines.size(), 1U);
}

}  // namespace
}  // namespace hpc
