#include "manager/gateway/form_fields.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

std::string value(std::string_view text, std::string_view name = "a") {
  const auto form = FormFields::parse(text);
  if (!form) return "malformed";
  const auto found = form->find(name);
  return found ? "=" + *found : "none";
}

TEST(FormFields, AreDecoded) {
  EXPECT_EQ(value("a=b"), "=b");
  EXPECT_EQ(value("x=1&a=b&y=2"), "=b");
  EXPECT_EQ(value("&&a=b&&"), "=b");
  EXPECT_EQ(value("a"), "=");
  EXPECT_EQ(value("a="), "=");
  EXPECT_EQ(value("a=b=c"), "=b=c");
  EXPECT_EQ(value("a=b+c%20d%2B%26%3d"), "=b c d+&=");
  EXPECT_EQ(value("a=%c3%A4%00z"), std::string("=\xc3\xa4\0z", 5));
  EXPECT_EQ(value("%61=b"), "=b");
  EXPECT_EQ(value(""), "none");
  EXPECT_EQ(value("b=a"), "none");
  EXPECT_EQ(value("A=b"), "none");
}

TEST(FormFields, TwoOfANameAreNone) {
  EXPECT_EQ(value("a=1&a=1"), "none");
  EXPECT_EQ(value("a=1&%61=2"), "none");
}

TEST(FormFields, WhatIsNoEscapeIsMalformed) {
  for (const char* text : {"a=%", "a=%4", "a=%zz", "a=%4g", "a=%g4", "%=a", "x=%2&a=b"}) {
    EXPECT_EQ(value(text), "malformed") << text;
  }
  EXPECT_EQ(value("a=%41"), "=A") << "at the very end";
}

TEST(FormFields, AreBounded) {
  std::string text = "a=b";
  for (std::size_t i = 1; i < kFormFieldsMax; ++i) text += "&x";
  EXPECT_EQ(value(text), "=b");
  EXPECT_EQ(value(text + "&x"), "malformed");
}

TEST(FormFields, EveryByteComesBack) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(value("a=" + escape_query(all)), "=" + all);
  EXPECT_EQ(escape_query("/user/a-b_c.d~2?x=1&y"), "/user/a-b_c.d~2%3Fx%3D1%26y");
}

TEST(FormFields, TheQueryIsBehindTheFirstMark) {
  EXPECT_EQ(query_of("/login?a=b?c"), "a=b?c");
  EXPECT_EQ(query_of("/login"), "");
  EXPECT_EQ(query_of("/login?"), "");
}

TEST(LocalPath, IsAPathOfThisHost) {
  for (const char* path : {"/", "/user/a/c/i/", "/port/5500/x?y=//z", "/loginx", "/a//b", "/%5c"}) {
    EXPECT_EQ(local_path(path), path);
  }
  EXPECT_EQ(local_path("/" + std::string(kNextBytesMax - 1, 'a')).size(), kNextBytesMax);
}

TEST(LocalPath, AnythingElseIsTheStartPage) {
  for (const std::string& text :
       {std::string(), std::string("x"), std::string("//evil.example/"),
        std::string("/\\evil.example/"), std::string("/a\\b"), std::string("https://evil.example/"),
        std::string("/x\r\nSet-Cookie: a=b"), std::string("/x y"), std::string("/x\ty"),
        std::string("/\0x", 3), std::string("/\x7f"), std::string("/#x"), std::string("/\xc3\xa4"),
        std::string("javascript:alert(1)"), std::string("/login"),
        std::string("/login?next=/login"), std::string("/logout"),
        "/" + std::string(kNextBytesMax, 'a')}) {
    EXPECT_EQ(local_path(text), "/") << text;
  }
}

}  // namespace
}  // namespace hpc
