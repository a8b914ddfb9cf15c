#include "common/parser_kit.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hpc {
namespace {

struct ParserKitTest : ::testing::Test {
  struct Heads final : HttpParser::Listener {
    void on_head() noexcept override { ++heads; }
    void on_body(Bytes bytes) noexcept override { body += as_text(bytes); }
    void on_message_end() noexcept override { ++ends; }
    int heads = 0;
    int ends = 0;
    std::string body;
  };
  ParserPool pool{HttpParser::Kind::kRequest, HttpLimits{}};
  Heads first, second;

  static void feed(ParserKit& kit, std::string_view text) {
    std::ignore = kit.parser.feed(as_bytes(text));
  }
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kPost = "POST /b HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\nok";

TEST_F(ParserKitTest, SpareKitServesTheNextAsIfItWereNew) {
  auto kit = pool.lend(first);
  const auto* raw = kit.get();
  feed(*kit, kGet);
  kit->texts[0] = "left over";
  pool.give_back(std::move(kit));
  EXPECT_EQ(pool.spare_count(), 1U);
  kit = pool.lend(second);
  EXPECT_EQ(kit.get(), raw);
  EXPECT_EQ(kit->texts[0], "");
  EXPECT_TRUE(kit->parser.at_message_start());
  feed(*kit, kPost);
  EXPECT_EQ(kit->parser.request_head().target, "/b");
  EXPECT_EQ(second.body, "ok");
  EXPECT_EQ(first.heads + first.ends, 2);
  EXPECT_EQ(second.heads + second.ends, 2);
}

TEST_F(ParserKitTest, WhatIsNotBetweenMessagesIsNotLentAgain) {
  for (const std::string_view text : {"GET / HT",
                                      "POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 2"
                                      "\r\n\r\no",
                                      "\nrubbish"}) {
    auto kit = pool.lend(first);
    feed(*kit, text);
    pool.give_back(std::move(kit));
    EXPECT_EQ(pool.spare_count(), 0U) << text;
  }
  pool.give_back(nullptr);
  EXPECT_EQ(pool.spare_count(), 0U);
}

TEST_F(ParserKitTest, KeepsAtMostItsLimits) {
  std::vector<std::unique_ptr<ParserKit>> kits;
  for (std::size_t i = 0; i < ParserPool::kSpareMax + 1; ++i) kits.push_back(pool.lend(first));
  kits[0]->texts[0].reserve(ParserPool::kTextBytesMax + 1);
  kits[0]->texts[1].reserve(ParserPool::kTextBytesMax);
  for (auto& kit : kits) pool.give_back(std::move(kit));
  EXPECT_EQ(pool.spare_count(), ParserPool::kSpareMax);
  for (auto& kit : kits) kit = pool.lend(first);
  const auto& texts = kits[ParserPool::kSpareMax - 1]->texts;  // the first one given back
  EXPECT_LT(texts[0].capacity(), 100U);
  EXPECT_EQ(texts[1].capacity(), ParserPool::kTextBytesMax);
}

}  // namespace
}  // namespace hpc
