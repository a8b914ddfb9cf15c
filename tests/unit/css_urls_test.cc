#include "node-proxy/css_urls.h"

#include <gtest/gtest.h>

#include "tests/support/rewrite_cases.h"

namespace hpc {
namespace {

constexpr RewriteCase kSheets[] = {
    {"no_url", "a { color: red }"},
    {"unquoted", "a { background: url(/x.png) }", "a { background: url({P}/x.png) }"},
    {"double_quotes", "a{background:url(\"/x y.png\")}", "a{background:url(\"{P}/x y.png\")}"},
    {"single_quotes", "a{background:URL( '/x.png' )}", "a{background:URL( '{P}/x.png' )}"},
    {"blanks", "a{background:url(\n /x.png )}", "a{background:url(\n {P}/x.png )}"},
    {"two", "a{src:url(/a)format(\"woff\"),url(/b)}",
     "a{src:url({P}/a)format(\"woff\"),url({P}/b)}"},
    {"import_string", "@import \"/a.css\";@IMPORT '/b.css' print;",
     "@import \"{P}/a.css\";@IMPORT '{P}/b.css' print;"},
    {"import_without_blank", "@import'/a.css'", "@import'{P}/a.css'"},
    {"import_url", "@import url(/a.css);", "@import url({P}/a.css);"},
    {"own_name", "a{b:url(http://localhost:5500/x)}", "a{b:url({P}/x)}"},
    {"external", "a{b:url({O}/x)}", "a{b:url({O}{P}/x)}"},
    {"under_prefix", "a{b:url({P}/x)}"},
    {"relative", "a{b:url(x.png) url(../y) url(#z)}"},
    {"other_site", "a{b:url(//cdn.example/x) url(https://cdn.example/x)}"},
    {"data", "a{b:url(data:image/png;base64,/9j/4AAQ)}"},
    {"other_string", "a::before{content:\"/x\"} b{content:'url(/x)'}"},
    {"string_after_import_url", "@import url(/a) \"/x\"", "@import url({P}/a) \"/x\""},
    {"comment", "/* url(/x) */ a{b:url(/y)} /* \" */", "/* url(/x) */ a{b:url({P}/y)} /* \" */"},
    {"comment_of_stars", "/***/a{b:url(/y)}/**url(/x)**/", "/***/a{b:url({P}/y)}/**url(/x)**/"},
    {"slash_is_no_comment", "a{font:1px/url(/x)}", "a{font:1px/url({P}/x)}"},
    {"other_function", "a{b:myurl(/x) url-x(/x) -url(/x) \\url(/x)}"},
    {"word_between", "@import x \"/a\"; @imports \"/b\"; @\\import \"/c\""},
    {"escaped_quote", "a{b:url(\"/x\\\"y\")c:url(/z)}", "a{b:url(\"{P}/x\\\"y\")c:url({P}/z)}"},
    {"line_end_ends_a_string", "a{content:\"x\n;b:url(/y)}", "a{content:\"x\n;b:url({P}/y)}"},
    {"never_ends", "a{b:url(/x", "a{b:url({P}/x"},
    {"string_never_ends", "a{b:url(\"/x", "a{b:url(\"{P}/x"},
    {"empty_url", "a{b:url() url(\"\") url(/x)}", "a{b:url() url(\"\") url({P}/x)}"},
    {"backslash_host", "a{b:url(/\\evil) url(\"/\\\\evil\")}"},
};

std::string css(std::string_view sheet, std::size_t cut, const RewriteContext& names) {
  CssRewriter rewriter(names);
  std::string out;
  rewriter.feed(sheet.substr(0, cut), out);
  rewriter.feed(sheet.substr(cut), out);
  rewriter.finish(out);
  return out;
}

class CssTest : public testing::TestWithParam<RewriteCase> {};

TEST_P(CssTest, UrlsGetThePrefixWhereverTheSheetIsCut) {
  const auto& row = GetParam();
  for (const auto& way : kWaysIn) {
    SCOPED_TRACE(way.name);
    const std::string sheet = filled(row.value, way);
    const std::string want = wanted(row, way).value_or(sheet);
    for (std::size_t cut = 0; cut <= sheet.size(); ++cut) {
      ASSERT_EQ(css(sheet, cut, context_of(way)), want) << "cut at " << cut;
    }
    EXPECT_EQ(css(want, 0, context_of(way)), want) << "only once";
  }
}
INSTANTIATE_TEST_SUITE_P(Table, CssTest, testing::ValuesIn(kSheets));

TEST(CssRewriterTest, UrlOfTheLargestSizeAndOneMore) {
  const auto names = context_of(kWaysIn[0]);
  const std::string url = "/" + std::string(CssRewriter::kUrlBytesMax - 1, 'x');
  EXPECT_EQ(css("url(" + url + ")", 9, names), "url(/port/5500" + url + ")");
  const std::string longer = "url(" + url + "x) url(/y)";
  EXPECT_EQ(css(longer, 9, names), "url(" + url + "x) url(/port/5500/y)");
}

TEST(CssRewriterTest, HoldsNothingButAUrl) {
  const auto names = context_of(kWaysIn[0]);
  CssRewriter rewriter(names);
  std::string out;
  rewriter.feed("a { b: url(", out);
  EXPECT_EQ(out, "a { b: url(");
  rewriter.feed("/x", out);
  EXPECT_EQ(out, "a { b: url(");
  rewriter.feed(")", out);
  EXPECT_EQ(out, "a { b: url(/port/5500/x)");
}

TEST(CssRewriterTest, AnotherSheetBeginsAnew) {
  const auto names = context_of(kWaysIn[0]);
  CssRewriter rewriter(names);
  std::string out;
  rewriter.feed("a { content: \"", out);
  rewriter.finish(out);
  rewriter.feed("b{c:url(/x)}", out);
  rewriter.finish(out);
  EXPECT_EQ(out, "a { content: \"b{c:url(/port/5500/x)}");
}

}  // namespace
}  // namespace hpc
