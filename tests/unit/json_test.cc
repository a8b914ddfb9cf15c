#include "manager/session/json.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

std::string nested(int levels) {
  const auto count = static_cast<std::size_t>(levels);
  return std::string(count, '[') + std::string(count, ']');
}

struct JsonCase {
  const char* name;
  std::string text;
  std::string wrong;  // part of the message; empty: it is taken
};

void PrintTo(const JsonCase& one, std::ostream* out) { *out << one.name; }

class JsonParseTest : public testing::TestWithParam<JsonCase> {};

TEST_P(JsonParseTest, TakesNothingThatTwoReadersReadDifferently) {
  const auto& want = GetParam();
  const auto got = parse_json(want.text);
  ASSERT_EQ(got.has_value(), want.wrong.empty()) << want.text;
  if (got) return;
  EXPECT_EQ(got.error().code, Errc::kBadRequest);
  EXPECT_NE(got.error().detail.find(want.wrong), std::string::npos) << got.error().detail;
}

INSTANTIATE_TEST_SUITE_P(
    Texts, JsonParseTest,
    testing::Values(JsonCase{"object", " {\"a\": [1, null, true]}\r\n\t", ""},
                    JsonCase{"utf8", "\"Z\xC3\xBCrich\"", ""},
                    JsonCase{"escaped_backslash_before_u0000", R"("\\u0000")", ""},
                    JsonCase{"brackets_in_text", "\"" + nested(100) + "\"", ""},
                    JsonCase{"quote_in_text", "[\"\\\"" + nested(100) + "\"]", ""},
                    JsonCase{"deepest", nested(kJsonDepthMax), ""},
                    JsonCase{"too_deep", nested(kJsonDepthMax + 1), "deeper than 16"},
                    JsonCase{"empty", "", "not JSON"}, JsonCase{"cut", "{\"a\":", "not JSON"},
                    JsonCase{"unknown_word", "nil", "not JSON"},
                    JsonCase{"two_values", "{} {}", "behind its end"},
                    JsonCase{"twice", R"({"a":1,"a":2})", "two members 'a'"},
                    JsonCase{"twice_by_escape", R"({"a":1,"\u0061":2})", "two members 'a'"},
                    JsonCase{"twice_inside", R"([{"b":{"a":1,"a":2}}])", "two members 'a'"},
                    JsonCase{"nul_escaped", R"({"a":"x\u0000y"})", "NUL"},
                    JsonCase{"nul", std::string("\"x\0y\"", 5), "printable"},
                    JsonCase{"control", "\"x\x01y\"", "printable"},
                    JsonCase{"no_utf8", "\"x\xFFy\"", "printable"},
                    JsonCase{"byte_order_mark_alone", "\xEF\xBB\xBF", "not JSON"}),
    [](const auto& i) { return std::string(i.param.name); });

TEST(JsonTest, EveryPrefixOfAValueIsRefused) {
  constexpr std::string_view kText = R"({"a":[1,"x\u00e9\n",{"b":null}],"c":-1.5e3})";
  for (std::size_t cut = 0; cut < kText.size(); ++cut) {
    EXPECT_FALSE(parse_json(kText.substr(0, cut)).has_value()) << cut;
  }
  EXPECT_TRUE(parse_json(kText).has_value());
}

TEST(JsonTest, MembersAreTakenByTheirExactNameAndKind) {
  const auto value = parse_json(R"({"a":"x","N":5,"half":0.5,"minus":-1,"much":1e300})");
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(json_text(value->get(), "a"), "x");
  EXPECT_EQ(json_text(value->get(), "A"), std::nullopt);
  EXPECT_EQ(json_text(value->get(), "N"), std::nullopt);
  EXPECT_EQ(json_number(value->get(), "N"), 5U);
  for (const char* name : {"n", "a", "half", "minus", "much"}) {
    EXPECT_EQ(json_number(value->get(), name), std::nullopt) << name;
  }
  EXPECT_EQ(json_member(nullptr, "a"), nullptr);
}

TEST(JsonTest, WhatIsWrittenIsAlwaysUtf8) {
  EXPECT_EQ(json_safe("a\xFF\x1B[2J\nb\xC3\xBC"), "a\xEF\xBF\xBD\xEF\xBF\xBD[2J\nb\xC3\xBC");
  JsonPtr object(cJSON_CreateObject());
  add_text(object.get(), "t", std::string_view("a\"\n\0b", 5));
  EXPECT_EQ(json_line(object.get()),
            "{\"t\":\"a\\\"\\n\xEF\xBF\xBD"
            "b\"}");
}

TEST(JsonTest, WhatIsNotKnownIsNull) {
  JsonPtr object(cJSON_CreateObject());
  add_text_or_null(object.get(), "t", "");
  add_number_or_null(object.get(), "n", std::nullopt);
  add_time(object.get(), "at", std::nullopt);
  EXPECT_EQ(json_line(object.get()), R"({"t":null,"n":null,"at":null})");
}

TEST(JsonTest, TimesThatHaveNoTextAreNull) {
  JsonPtr object(cJSON_CreateObject());
  add_time(object.get(), "first", 0);
  add_time(object.get(), "last", 253'402'300'799'999);
  add_time(object.get(), "before", -1);
  add_time(object.get(), "after", 253'402'300'800'000);
  EXPECT_EQ(json_line(object.get()),
            R"({"first":"1970-01-01T00:00:00.000Z","last":"9999-12-31T23:59:59.999Z",)"
            R"("before":null,"after":null})");
}

}  // namespace
}  // namespace hpc
