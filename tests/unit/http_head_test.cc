#include "common/http_head.h"

#include <gtest/gtest.h>

#include <string>

namespace hpc {
namespace {

TEST(EqualsIgnoringCaseTest, LettersOnly) {
  EXPECT_TRUE(equals_ignoring_case("Content-Length", "cONTENT-lENGTH"));
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
  // 32 apart like a letter and its upper case, but no letters.
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
  EXPECT_FALSE(equals_ignoring_case("[", "{"));
  EXPECT_FALSE(equals_ignoring_case("\xc4", "\xe4"));
}

TEST(FieldListTest, KeepsFieldsInOrder) {
  FieldList fields;
  fields.add("A", "1");
  fields.add("B", "");
  fields.add("a", "2");
  ASSERT_EQ(fields.size(), 3U);
  EXPECT_EQ(fields[0].name, "A");
  EXPECT_EQ(fields[0].value, "1");
  EXPECT_EQ(fields[1].name, "B");
  EXPECT_EQ(fields[1].value, "");
  EXPECT_EQ(fields[2].name, "a");
  EXPECT_EQ(fields[2].value, "2");
}

TEST(FieldListTest, FindsTheFirstAndCountsAllInAnyCase) {
  FieldList fields;
  fields.add("Cookie", "1");
  fields.add("Host", "n01");
  fields.add("COOKIE", "2");
  EXPECT_EQ(fields.find("cookie"), "1");
  EXPECT_EQ(fields.count("cookie"), 2U);
  EXPECT_EQ(fields.find("Cook"), std::nullopt);
  EXPECT_EQ(fields.count("Cookies"), 0U);
}

TEST(FieldListTest, IsAValue) {
  FieldList fields;
  fields.add("A", "1");
  const FieldList copy = fields;
  fields.clear();
  fields.add("B", "2");
  EXPECT_EQ(copy.find("A"), "1");
  EXPECT_EQ(fields.find("A"), std::nullopt);
  EXPECT_EQ(fields.size(), 1U);
}

TEST(FieldListTest, ClearsWhatAnUnusualHeadLeft) {
  FieldList fields;
  fields.add("A", std::string(std::size_t{60} * 1024, 'x'));
  fields.clear();
  EXPECT_TRUE(fields.empty());
  fields.add("B", "2");
  EXPECT_EQ(fields[0].value, "2");
}

TEST(RequestHeadTest, ClearsToADefault) {
  RequestHead head;
  head.method = "GET";
  head.target = "/";
  head.host = "n01";
  head.version_minor = 0;
  head.fields.add("A", "1");
  head.framing = {BodyKind::kLength, 5};
  head.keep_alive = false;
  head.expects_continue = true;
  head.websocket_upgrade = true;
  head.clear();
  EXPECT_EQ(head.method + head.target + head.host, "");
  EXPECT_EQ(head.version_minor, 1);
  EXPECT_TRUE(head.fields.empty());
  EXPECT_EQ(head.framing.kind, BodyKind::kNone);
  EXPECT_EQ(head.framing.length, 0U);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.expects_continue || head.websocket_upgrade);
}

TEST(ResponseHeadTest, ClearsToADefault) {
  ResponseHead head;
  head.status = 101;
  head.reason = "S";
  head.fields.add("A", "1");
  head.framing = {BodyKind::kChunked, 0};
  head.keep_alive = false;
  head.websocket_upgrade = true;
  head.clear();
  EXPECT_EQ(head.status, 0);
  EXPECT_EQ(head.reason, "");
  EXPECT_TRUE(head.fields.empty() && head.keep_alive);
  EXPECT_EQ(head.framing.kind, BodyKind::kNone);
  EXPECT_FALSE(head.websocket_upgrade);
}

TEST(ResponseHeadTest, InterimIsEvery1xxBut101) {
  for (const int status : {100, 102, 103, 199}) {
    ResponseHead head;
    head.status = status;
    EXPECT_TRUE(head.interim()) << status;
  }
  for (const int status : {101, 200, 204, 599}) {
    ResponseHead head;
    head.status = status;
    EXPECT_FALSE(head.interim()) << status;
  }
}

}  // namespace
}  // namespace hpc
