#include "common/http_head.h"

#include <gtest/gtest.h>

#include <string>

namespace hpc {
namespace {

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

TEST(FieldListTest, SaysOfEachFieldWhichItIs) {
  FieldList fields;
  fields.add("cookie", "1");
  fields.add("X-Own", "2");
  fields.add("COOKIE", "3");
  fields.add("Host", "n01");
  EXPECT_EQ(fields[0].id, FieldId::kCookie);
  EXPECT_EQ(fields[1].id, FieldId::kOther);
  EXPECT_EQ(fields.find(FieldId::kCookie), "1");
  EXPECT_EQ(fields.find(FieldId::kHost), "n01");
  EXPECT_EQ(fields.find(FieldId::kOrigin), std::nullopt);
  EXPECT_EQ(fields.count(FieldId::kCookie), 2U);
  EXPECT_EQ(fields.count(FieldId::kHost), 1U);
  EXPECT_EQ(fields.count(FieldId::kOrigin), 0U);
  EXPECT_TRUE(fields.has(FieldId::kHost));
  EXPECT_FALSE(fields.has(FieldId::kOrigin));
  EXPECT_EQ(fields.find("x-own"), "2");
  EXPECT_EQ(fields.count("x-own"), 1U);
  fields.clear();
  EXPECT_FALSE(fields.has(FieldId::kHost));
  EXPECT_EQ(fields.count(FieldId::kCookie), 0U);
}

// The text of a head as it came, and where a scan found its fields.
TEST(FieldListTest, TakesOverAWholeHead) {
  const std::string head = "GET / HTTP/1.1\r\nHost: n01\r\nA:b\r\nB: c \r\nC:\r\nD: e f\r\n\r\n";
  FieldIndex index;
  for (std::size_t at = head.find('\n') + 1; head[at] != '\r'; at = head.find('\n', at) + 1) {
    index.add(head, at, head.find(':', at), head.find('\r', at));
  }
  FieldList fields;
  fields.add("Old", "x");
  fields.assign(head, index);
  EXPECT_EQ(index.size(), 1U) << "what was in the list before";
  ASSERT_EQ(fields.size(), 5U);
  EXPECT_EQ(fields.text(), head);
  const std::string_view values[] = {"n01", "b", "c", "", "e f"};
  for (std::size_t i = 0; i < fields.size(); ++i) EXPECT_EQ(fields[i].value, values[i]);
  EXPECT_EQ(fields.find("a"), "b");
  // Only what is written as we write it may be sent as it is.
  for (const std::size_t i : {1U, 2U, 3U}) EXPECT_FALSE(fields.is_plain(i)) << i;
  for (const std::size_t i : {0U, 4U}) EXPECT_TRUE(fields.is_plain(i)) << i;
  EXPECT_EQ(fields.lines(0, 0), "Host: n01\r\n");
  EXPECT_EQ(fields.lines(4, 4), "D: e f\r\n");
}

TEST(FieldListTest, FieldsThatWereAddedArePlain) {
  FieldList fields;
  fields.add("A", "1");
  fields.add("B", "");
  fields.add("C", "2");
  for (const std::size_t i : {0U, 1U, 2U}) EXPECT_TRUE(fields.is_plain(i)) << i;
  EXPECT_EQ(fields.lines(0, 2), "A: 1\r\nB: \r\nC: 2\r\n");
  EXPECT_EQ(fields.lines(1, 1), "B: \r\n");
  fields.add("D", " 3 ");
  EXPECT_EQ(fields.find("D"), " 3 ");
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
