#include "manager/toml_reader.h"

#include <gtest/gtest.h>

#include <ostream>

namespace hpc {
namespace {

using Texts = std::vector<std::string>;

struct GoodCase {
  const char* name;
  std::string_view text;
  std::vector<TomlEntry> want;
};
void PrintTo(const GoodCase& c, std::ostream* os) { *os << c.name; }

TomlEntry text(const char* key, const char* value, int line = 1) {
  return {key, line, TomlType::kText, {value}};
}

const GoodCase kGood[] = {
    {"empty", "", {}},
    {"blank_lines", "\n \t\n\r\n", {}},
    {"comment_only", "# listen = \"x\"", {}},
    {"text", "listen = \"127.0.0.1:8000\"", {text("listen", "127.0.0.1:8000")}},
    {"no_blanks", "a='b'\n", {text("a", "b")}},
    {"comment_behind", "a = \"b\" # why\n", {text("a", "b")}},
    {"hash_in_text", "a = \"b#c\"", {text("a", "b#c")}},
    {"crlf", "a = \"b\"\r\nc = 'd'\r\n", {text("a", "b"), text("c", "d", 2)}},
    {"empty_text", "a = \"\"", {text("a", "")}},
    {"single_quotes_keep_backslash", R"(m = '(.+)@x\.org=$1')", {text("m", R"((.+)@x\.org=$1)")}},
    {"escapes", R"(a = "\"\\\t\n")", {text("a", "\"\\\t\n")}},
    {"unicode", R"(a = "\u00e4\U0001F600")", {text("a", "\xc3\xa4\xf0\x9f\x98\x80")}},
    {"unicode_1_and_3_bytes", R"(a = "\u0041\u20AC")", {text("a", "A\xe2\x82\xac")}},
    {"number", "a = 50", {{"a", 1, TomlType::kNumber, {"50"}}}},
    {"number_signs",
     "a = -5\nb = +6",
     {{"a", 1, TomlType::kNumber, {"-5"}}, {"b", 2, TomlType::kNumber, {"6"}}}},
    {"number_underscore", "a = 1_000", {{"a", 1, TomlType::kNumber, {"1000"}}}},
    {"boolean",
     "a = true\nb = false",
     {{"a", 1, TomlType::kBoolean, {"true"}}, {"b", 2, TomlType::kBoolean, {"false"}}}},
    {"empty_list", "a = []", {{"a", 1, TomlType::kTexts, {}}}},
    {"list", "a = [\"b\", 'c']", {{"a", 1, TomlType::kTexts, {"b", "c"}}}},
    {"long_list",
     "a = [ # first\n  \"b\",\n\n  \"c\", # last\n]\nd = 1",
     {{"a", 1, TomlType::kTexts, {"b", "c"}}, {"d", 6, TomlType::kNumber, {"1"}}}},
};

class TomlGoodTest : public ::testing::TestWithParam<GoodCase> {};

TEST_P(TomlGoodTest, Reads) {
  const auto got = read_toml(GetParam().text);
  ASSERT_TRUE(got.has_value()) << got.error().detail;
  EXPECT_EQ(*got, GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(All, TomlGoodTest, ::testing::ValuesIn(kGood),
                         [](const auto& test) { return test.param.name; });

struct BadCase {
  const char* name;
  std::string_view text;
  const char* says;
};
void PrintTo(const BadCase& c, std::ostream* os) { *os << c.name; }

using namespace std::string_view_literals;
const BadCase kBad[] = {
    {"section", "\n[clusters]\n", "line 2: there are no [sections]"},
    {"no_key", "= 1", "line 1: a line begins with a key"},
    {"quoted_key", "\"a\" = 1", "line 1: a line begins with a key"},
    {"no_equals", "verbose\n", "line 1: '=' is missing behind 'verbose'"},
    {"dotted_key", "a.b = 1", "'=' is missing behind 'a'"},
    {"no_value", "a =\nb = 1", "line 1: the value of 'a'"},
    {"bare_word", "auth = token", "line 1: the value of 'auth' is a text in quotes"},
    {"trueish", "a = truely", "line 1: there is more behind the value"},
    {"address", "listen = 127.0.0.1:8000", "line 1: the value of 'listen' is no whole number"},
    {"fraction", "a = 1.5", "is no whole number"},
    {"date", "a = 2026-01-01", "is no whole number"},
    {"long_number", "a = 12345678901234567890", "is no whole number"},
    {"sign_only", "a = -", "is no whole number"},
    {"underscore_only", "a = -_1", "is no whole number"},
    {"two_values", "a = 1 2", "line 1: there is more behind the value"},
    {"open_text", "a = \"b\nc = 1", "line 1: a text does not end"},
    {"open_at_end", "a = 'b", "line 1: a text does not end"},
    {"ends_in_escape", "a = \"b\\", "no such escape"},
    {"unknown_escape", "a = \"\\.\"", "line 1: no such escape: \\."},
    {"short_unicode", "a = \"\\u12\"", "needs 4 hex digits"},
    {"surrogate", "a = \"\\ud800\"", "no such character"},
    {"beyond_unicode", "a = \"\\U00110000\"", "no such character"},
    {"triple", "a = \"\"\"b\"\"\"", "over several lines"},
    {"nul", "a = \"\0\""sv, "control byte"},
    {"nul_in_comment", "#\0"sv, "control byte"},
    {"nul_outside", "\0"sv, "line 1: a line begins with a key"},
    {"nul_for_value", "a = \0"sv, "the value of 'a'"},
    {"twice", "a = 1\nb = 2\na = 3", "line 3: 'a' stands in line 1 already"},
    {"open_list", "a = [\n\"b\",\n", "line 3: the list of line 1 does not end"},
    {"number_in_list", "a = [1]", "a list holds texts in quotes"},
    {"list_in_list", "a = [[\"b\"]]", "a list holds texts in quotes"},
    {"no_comma", "a = [\"b\" \"c\"]", "',' is missing"},
    {"table_value", "a = { b = 1 }", "the value of 'a'"},
};

class TomlBadTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(TomlBadTest, SaysWhere) {
  const auto got = read_toml(GetParam().text);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Errc::kConfig);
  EXPECT_NE(got.error().detail.find(GetParam().says), std::string::npos) << got.error().detail;
}
INSTANTIATE_TEST_SUITE_P(All, TomlBadTest, ::testing::ValuesIn(kBad),
                         [](const auto& test) { return test.param.name; });

TEST(TomlReaderTest, SizeAtTheLimitAndOnePast) {
  const std::string at_limit(kTomlBytesMax, '\n');
  EXPECT_TRUE(read_toml(at_limit).has_value());
  EXPECT_FALSE(read_toml(at_limit + "\n").has_value());
}

// Cut anywhere it is an error or a shorter file, never a crash.
TEST(TomlReaderTest, EveryFrontOfAFileIsReadOrRefused) {
  constexpr std::string_view kFile = "a = [ 'b', \"\\u00e4\" ] # c\nd = true\ne = -12\r\n";
  for (std::size_t cut = 0; cut <= kFile.size(); ++cut) {
    const auto got = read_toml(kFile.substr(0, cut));
    if (!got) {
      EXPECT_EQ(got.error().detail.rfind("line ", 0), 0U) << cut;
    }
  }
}

}  // namespace
}  // namespace hpc
