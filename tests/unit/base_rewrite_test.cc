#include "node-proxy/base_rewrite.h"

#include <gtest/gtest.h>

#include "node-proxy/forward_policy.h"
#include "node-proxy/rewrite_attribute.h"

namespace hpc {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

RequestHead request(const Fields& fields = {}) {
  RequestHead head;
  head.method = "GET";
  head.target = "/port/5500/d/p.html?q";
  head.host = "127.0.0.1:9000";
  for (const auto& [name, value] : fields) head.fields.add(name, value);
  return head;
}

ResponseHead answer(const Fields& fields, int status = 200) {
  ResponseHead head;
  head.status = status;
  for (const auto& [name, value] : fields) head.fields.add(name, value);
  return head;
}

std::unique_ptr<ForwardPolicy> policy(const RequestHead& head, bool on = true,
                                      std::string prefix = "/port/5500") {
  ForwardContext context;
  context.port = 5500;
  context.prefix = std::move(prefix);
  context.rest = std::string_view(head.target).substr(std::string_view("/port/5500").size());
  context.base_rewrite = on;
  return make_forward_policy(head, std::move(context));
}

std::string request_text(const RequestHead& head, bool on = true) {
  std::string text;
  HeadWriter writer(text);
  policy(head, on)->write_request_fields(head, HopFields(head.fields), writer);
  return text;
}

std::string answer_text(ForwardPolicy& policy, const ResponseHead& head) {
  std::string text;
  HeadWriter writer(text);
  policy.write_response_fields(head, HopFields(head.fields), writer);
  return text;
}

bool filters(const Fields& asked, const Fields& answered, int status = 200) {
  return policy(request(asked))->filter_body(answer(answered, status)) != nullptr;
}

const Fields kHtml = {{"Content-Type", "text/html; charset=utf-8"}};

TEST(BaseRewriteTest, FlagAndFieldAskForIt) {
  EXPECT_FALSE(asks_for_base_rewrite(request(), false));
  EXPECT_TRUE(asks_for_base_rewrite(request(), true));
  const auto with = [](const char* value) { return request({{kBaseRewriteField, value}}); };
  EXPECT_TRUE(asks_for_base_rewrite(with("1"), false));
  EXPECT_FALSE(asks_for_base_rewrite(with("0"), true));
  EXPECT_FALSE(asks_for_base_rewrite(with("yes"), false));
  EXPECT_TRUE(asks_for_base_rewrite(with("yes"), true));
  const auto twice = request({{kBaseRewriteField, "1"}, {kBaseRewriteField, "1"}});
  EXPECT_FALSE(asks_for_base_rewrite(twice, false));
}

TEST(BaseRewriteTest, OffChangesNothing) {
  const auto head = request({{"Accept-Encoding", "gzip"}, {"Range", "bytes=0-1"}});
  const auto text = request_text(head, false);
  EXPECT_NE(text.find("Accept-Encoding: gzip\r\nRange: bytes=0-1\r\n"), std::string::npos);
  const auto off = policy(head, false);
  EXPECT_EQ(off->filter_body(answer(kHtml)), nullptr);
  const auto page = answer({{"Content-Type", "text/html"}, {"ETag", "\"x\""}});
  EXPECT_EQ(answer_text(*off, page), "Content-Type: text/html\r\nETag: \"x\"\r\n");
}

TEST(BaseRewriteTest, PagesAreAskedWithoutCodingAndWhole) {
  const auto text = request_text(request({{"Accept-Encoding", "gzip, br"},
                                          {"Range", "bytes=0-1"},
                                          {"If-Range", "\"x\""},
                                          {"X-HPC-Proxy-Base-Rewrite", "1"},
                                          {"Accept", "text/html"}}));
  EXPECT_NE(text.find("Accept: text/html\r\nAccept-Encoding: identity\r\n"), std::string::npos);
  EXPECT_EQ(text.find("gzip"), std::string::npos);
  EXPECT_EQ(text.find("Range"), std::string::npos);
  EXPECT_EQ(text.find("Base-Rewrite"), std::string::npos) << "the app never sees it";
}

TEST(BaseRewriteTest, WhatIsNoPageIsAskedAsTheBrowserDoes) {
  for (const char* use : {"script", "style", "image", "video", "font", "worker"}) {
    const auto text = request_text(
        request({{"Sec-Fetch-Dest", use}, {"Accept-Encoding", "gzip"}, {"Range", "bytes=0-1"}}));
    EXPECT_NE(text.find("Accept-Encoding: gzip\r\nRange: bytes=0-1\r\n"), std::string::npos) << use;
    EXPECT_FALSE(filters({{"Sec-Fetch-Dest", use}}, kHtml)) << use;
  }
}

TEST(BaseRewriteTest, ScriptsMayAskForParts) {
  const auto text = request_text(
      request({{"Sec-Fetch-Dest", "empty"}, {"Accept-Encoding", "gzip"}, {"Range", "bytes=0-1"}}));
  EXPECT_NE(text.find("Range: bytes=0-1\r\nAccept-Encoding: identity\r\n"), std::string::npos);
}

struct AnswerCase {
  const char* name;
  bool filtered;
  int status;
  Fields fields;
};

TEST(BaseRewriteTest, OnlyWholePagesAreRewritten) {
  const AnswerCase cases[] = {
      {"page", true, 200, kHtml},
      {"upper_case", true, 200, {{"content-type", "Text/HTML;Charset=\"ISO-8859-1\""}}},
      {"xhtml", true, 200, {{"Content-Type", "application/xhtml+xml"}}},
      {"error_page", true, 404, kHtml},
      {"not_modified", true, 304, {}},
      {"not_modified_page", true, 304, kHtml},
      {"not_modified_script", false, 304, {{"Content-Type", "text/javascript"}}},
      {"no_type", false, 200, {}},
      {"other_type", false, 200, {{"Content-Type", "text/plain"}}},
      {"longer_type", false, 200, {{"Content-Type", "text/html5"}}},
      {"two_types", false, 200, {{"Content-Type", "text/html"}, {"Content-Type", "text/html"}}},
      {"utf16", false, 200, {{"Content-Type", "text/html; charset=UTF-16le"}}},
      {"utf16_behind_others", false, 200, {{"Content-Type", "text/html;x=y; charset=\"utf-16\""}}},
      {"iso2022", false, 200, {{"Content-Type", "text/html; charset=iso-2022-jp"}}},
      {"utf8_after_text", true, 200, {{"Content-Type", "text/html; x=\"charset=utf-16\""}}},
      {"part", false, 206, kHtml},
      {"empty", false, 204, kHtml},
      {"gzip", false, 200, {{"Content-Type", "text/html"}, {"Content-Encoding", "gzip"}}},
      {"identity", true, 200, {{"Content-Type", "text/html"}, {"Content-Encoding", "Identity"}}},
      {"two_codings",
       false,
       200,
       {{"Content-Type", "text/html"}, {"Content-Encoding", ""}, {"Content-Encoding", "br"}}},
      {"no_transform",
       false,
       200,
       {{"Content-Type", "text/html"}, {"Cache-Control", "no-cache, No-Transform"}}},
      {"download",
       false,
       200,
       {{"Content-Type", "text/html"}, {"Content-Disposition", "Attachment; filename=x.html"}}},
      {"inline", true, 200, {{"Content-Type", "text/html"}, {"Content-Disposition", "inline"}}},
  };
  for (const auto& row : cases) {
    EXPECT_EQ(filters({}, row.fields, row.status), row.filtered) << row.name;
  }
}

TEST(BaseRewriteTest, FieldsSpeakOfWhatIsSent) {
  const auto on = policy(request());
  const auto head = answer({{"Content-Type", "text/html"},
                            {"ETag", "\"x\""},
                            {"Accept-Ranges", "bytes"},
                            {"Content-MD5", "x"},
                            {"Digest", "x"},
                            {"content-digest", "x"},
                            {"Repr-Digest", "x"},
                            {"Content-Security-Policy", "base-uri 'none'"},
                            {"Last-Modified", "Sat, 21 Nov 2026 11:00:00 GMT"}});
  ASSERT_TRUE(on->filter_body(head));
  EXPECT_EQ(answer_text(*on, head),
            "Content-Type: text/html\r\nContent-Security-Policy: base-uri 'none'\r\n"
            "Last-Modified: Sat, 21 Nov 2026 11:00:00 GMT\r\n"
            "ETag: W/\"x\"\r\nAccept-Ranges: none\r\nVary: Sec-Fetch-Dest\r\n");
}

TEST(BaseRewriteTest, NotModifiedNamesTheWeakTag) {
  const auto on = policy(request());
  const auto head = answer({{"ETag", "W/\"x\""}}, 304);
  ASSERT_TRUE(on->filter_body(head));
  EXPECT_EQ(answer_text(*on, head), "ETag: W/\"x\"\r\n");
}

TEST(BaseRewriteTest, OtherAnswersKeepTheirFields) {
  const auto on = policy(request());
  const auto head = answer({{"Content-Type", "text/css"}, {"ETag", "\"x\""}, {"Digest", "y"}});
  EXPECT_FALSE(on->filter_body(head));
  EXPECT_EQ(answer_text(*on, head), "Content-Type: text/css\r\nETag: \"x\"\r\nDigest: y\r\n");
}

std::string body(ForwardPolicy& policy, const ResponseHead& head, std::string_view text) {
  const auto filter = policy.filter_body(head);
  std::string out;
  filter->feed(text, out);
  filter->finish(out);
  return out;
}

constexpr std::string_view kPage = "<head></head><style>a{b:url(/x)}</style>";

TEST(BaseRewriteTest, BaseIsThePageItself) {
  EXPECT_EQ(body(*policy(request({{"Sec-Fetch-Dest", "iframe"}})), answer(kHtml), kPage),
            "<head><base href=\"/port/5500/d/p.html?q\"></head>"
            "<style>a{b:url(/port/5500/x)}</style>");
}

TEST(BaseRewriteTest, PartsGetNoBase) {
  EXPECT_EQ(body(*policy(request({{"Sec-Fetch-Dest", "empty"}})), answer(kHtml), kPage),
            "<head></head><style>a{b:url(/port/5500/x)}</style>");
}

TEST(BaseRewriteTest, PolicyThatKnowsHashesKeepsStyles) {
  auto head = answer(kHtml);
  head.fields.add("Content-Security-Policy", "style-src 'self' 'sha256-x'");
  EXPECT_EQ(body(*policy(request({{"Sec-Fetch-Dest", "empty"}})), head, kPage), kPage);
}

TEST(BaseRewriteTest, PrefixThatNeedsEscapesPasses) {
  const auto head = request({{"Accept-Encoding", "gzip"}});
  EXPECT_FALSE(policy(head, true, "/user/a&b/port/5500")->filter_body(answer(kHtml)));
  const std::string longest = "/" + std::string(kPagePrefixBytesMax - 1, 'x');
  EXPECT_TRUE(policy(head, true, longest)->filter_body(answer(kHtml)));
  EXPECT_FALSE(policy(head, true, longest + "x")->filter_body(answer(kHtml)));
}

}  // namespace
}  // namespace hpc
