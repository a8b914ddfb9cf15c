#include "node-proxy/rewrite_attribute.h"

#include <gtest/gtest.h>

#include "node-proxy/css_urls.h"
#include "tests/support/rewrite_cases.h"

namespace hpc {
namespace {

struct ValueCase : RewriteCase {
  AttributeValue kind = AttributeValue::kUrl;
};

constexpr ValueCase kValues[] = {
    {{"path", "/x", "{P}/x"}},
    {{"root", "/", "{P}/"}},
    {{"query_with_references", "/x?a=1&amp;b=2&lt=3#c", "{P}/x?a=1&amp;b=2&lt=3#c"}},
    {{"under_prefix", "{P}/x"}},
    {{"prefix_itself", "{P}"}},
    {{"relative", "x/y"}},
    {{"fragment", "#/x"}},
    {{"query", "?/x"}},
    {{"empty", ""}},
    {{"other_site", "https://example.org/x"}},
    {{"other_site_no_scheme", "//example.org/x"}},
    {{"mail", "mailto:a/b@example.org"}},
    {{"script", "javascript:go('/x')"}},
    {{"data_url", "data:image/png;base64,/9j/"}},
    {{"own_name", "http://localhost:5500/x", "{P}/x"}},
    {{"own_v6", "http://[::1]:5500", "{P}/"}},
    {{"own_any", "//0.0.0.0:5500/x", "{P}/x"}},
    {{"own_under_prefix", "http://127.0.0.1:5500{P}/x", "{P}/x"}},
    {{"own_other_port", "http://localhost:5501/x"}},
    {{"external", "{O}/x", "{O}{P}/x"}},
    {{"external_under_prefix", "{O}{P}/x"}},
    {{"external_no_path", "{O}", "{O}{P}/"}},
    {{"blanks_around", " \n/x ", " \n{P}/x "}},
    {{"blanks_only", " "}},
    {{"tab_makes_it_another_host", "/\t/example.org"}},
    {{"line_end_in_own_name", "http://local\nhost:5500/x", "{P}/x"}},
    {{"backslash_makes_it_another_host", "/\\example.org"}},
    {{"backslash_path", "\\x"}},
    {{"slash_as_hex", "&#x2F;x", "{P}&#x2F;x"}},
    {{"slash_as_hex_upper_case", "&#X2f;x", "{P}&#X2f;x"}},
    {{"slash_as_decimal", "&#47;x", "{P}&#47;x"}},
    {{"slash_without_semicolon", "&#47x", "{P}&#47x"}},
    {{"slash_with_zeros", "&#0000047;x", "{P}&#0000047;x"}},
    {{"slash_by_name", "&sol;x", "{P}&sol;x"}},
    {{"two_slashes_as_references", "&#x2F;&sol;example.org"}},
    {{"tab_by_name", "/&Tab;/example.org"}},
    {{"blank_as_reference", "&#32;/x", "&#32;{P}/x"}},
    {{"references_in_own_name", "http&colon;&#x2F;/localhost&#58;5500&sol;x", "{P}&sol;x"}},
    {{"references_in_external", "{O}&#x2F;x", "{O}{P}&#x2F;x"}},
    {{"under_prefix_as_references", "&#x2F;port&#x2F;5500&#x2F;x",
      "{P}&#x2F;port&#x2F;5500&#x2F;x"}},
    {{"huge_reference", "&#99999999999999999999;/x"}},
    {{"reference_to_nothing", "&#;/x"}},
    {{"reference_to_nul", "&#0;/x"}},
    {{"unknown_name", "&foo;/x"}},
    {{"open_reference", "&"}},
    {{"list_one", "/a.png", "{P}/a.png"}, AttributeValue::kUrlList},
    {{"list", "/a.png 1x, b.png 2x,/c.png", "{P}/a.png 1x, b.png 2x,{P}/c.png"},
     AttributeValue::kUrlList},
    {{"list_of_commas", ",, /a.png,, /b.png ,", ",, {P}/a.png,, {P}/b.png ,"},
     AttributeValue::kUrlList},
    {{"list_comma_in_url", "/a,b.png 2x", "{P}/a,b.png 2x"}, AttributeValue::kUrlList},
    {{"list_parentheses", "/a 1(x, /y) , /b", "{P}/a 1(x, /y) , {P}/b"}, AttributeValue::kUrlList},
    {{"list_open_parenthesis", "/a (x, /y", "{P}/a (x, /y"}, AttributeValue::kUrlList},
    {{"list_references", "&#x2F;a&#32;2x&#44; /b", "{P}&#x2F;a&#32;2x&#44; {P}/b"},
     AttributeValue::kUrlList},
    {{"list_data", "data:image/png;base64,/9j/ 2x, /b", "data:image/png;base64,/9j/ 2x, {P}/b"},
     AttributeValue::kUrlList},
    {{"refresh", "0; url=/x", "0; url={P}/x"}, AttributeValue::kRefresh},
    {{"refresh_references", "0;url=&#39;&#x2F;x&#39;", "0;url=&#39;{P}&#x2F;x&#39;"},
     AttributeValue::kRefresh},
    {{"refresh_own_name", "3;URL=http://localhost:5500/x", "3;URL={P}/x"},
     AttributeValue::kRefresh},
    {{"refresh_reload", "300"}, AttributeValue::kRefresh},
    {{"style", "background:url(/x)", "background:url({P}/x)"}, AttributeValue::kStyle},
    {{"style_references", "background:url(&quot;/x&quot;),url(&#x2F;y)",
      "background:url(&quot;{P}/x&quot;),url({P}&#x2F;y)"},
     AttributeValue::kStyle},
    {{"style_never_ends", "background:url(/x", "background:url({P}/x"}, AttributeValue::kStyle},
    {{"style_other", "color:red"}, AttributeValue::kStyle},
};

class AttributeTest : public testing::TestWithParam<ValueCase> {};

TEST_P(AttributeTest, NamesWhatTheBrowserFinds) {
  const auto& row = GetParam();
  for (const auto& way : kWaysIn) {
    SCOPED_TRACE(way.name);
    const auto names = context_of(way);
    const auto once = rewrite_attribute(row.kind, filled(row.value, way), names);
    // Spelled with references only the way without a manager lies under its prefix.
    if (std::string_view(row.name) == "under_prefix_as_references" &&
        names.prefix == "/port/5500") {
      EXPECT_EQ(once, std::nullopt);
      continue;
    }
    EXPECT_EQ(once, wanted(row, way));
    if (once) {
      EXPECT_EQ(rewrite_attribute(row.kind, *once, names), std::nullopt) << "only once";
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Table, AttributeTest, testing::ValuesIn(kValues));

TEST(RewriteAttributeTest, OnlyTheBeginningOfALongUrlCounts) {
  const auto names = context_of(kWaysIn[0]);
  const std::string tail(100'000, 'x');
  EXPECT_EQ(rewrite_attribute(AttributeValue::kUrl, "/" + tail, names), "/port/5500/" + tail);
  EXPECT_EQ(rewrite_attribute(AttributeValue::kUrl, "http://localhost:5500/" + tail, names),
            "/port/5500/" + tail);
  EXPECT_EQ(rewrite_attribute(AttributeValue::kUrl, "http://" + tail + "/", names), std::nullopt);
}

TEST(RewriteAttributeTest, LongUrlInAStyle) {
  const auto names = context_of(kWaysIn[0]);
  const std::string url = "/" + std::string(CssRewriter::kUrlBytesMax - 1, 'x');
  EXPECT_EQ(rewrite_attribute(AttributeValue::kStyle, "url(" + url + ")", names),
            "url(/port/5500" + url + ")");
  EXPECT_EQ(rewrite_attribute(AttributeValue::kStyle, "url(" + url + "x)", names), std::nullopt);
}

TEST(RewriteAttributeTest, DecodedBytesKnowWhereTheyCameFrom) {
  const auto value = decode_value("a&#x2F;&amp;&uuml;\xc3\xbc&#xfc;");
  EXPECT_EQ(value.text, "a/&&uuml;\xc3\xbc\x80");
  ASSERT_EQ(value.offsets.size(), value.text.size() + 1);
  EXPECT_EQ(value.offsets[1], 1U);
  EXPECT_EQ(value.offsets[2], 7U);
  EXPECT_EQ(value.offsets[3], 12U);
  EXPECT_EQ(value.offsets.back(), 26U);
}

TEST(RewriteAttributeTest, PrefixForPagesNeedsNoEscape) {
  EXPECT_TRUE(is_prefix_for_pages("/user/a.b-c_d~2/x@y/port/5500"));
  for (const char* prefix : {"/a b", "/a&b", "/a(b)", "/a,b", "/a=b", "/a`b", "/a%20b", "/a|b"}) {
    EXPECT_FALSE(is_prefix_for_pages(prefix)) << prefix;
  }
  const std::string longest = "/" + std::string(kPagePrefixBytesMax - 1, 'x');
  EXPECT_TRUE(is_prefix_for_pages(longest));
  EXPECT_FALSE(is_prefix_for_pages(longest + "x"));
}

TEST(RewriteAttributeTest, BaseOfAnotherSite) {
  const auto names = context_of(kWaysIn[0]);
  for (const char* base : {"https://cdn.example/", "//cdn.example", " https&colon;//cdn.example",
                           "data:text/plain,x", "/\\cdn.example", "http://localhost:5501/"}) {
    EXPECT_TRUE(names_other_site(base, names)) << base;
  }
  for (const char* base : {"/", "", "x/", "../", "?a:b", "./a:b", "#a:b", "http://localhost:5500/x",
                           "http://127.0.0.1:9000/", "//127.0.0.1:9000"}) {
    EXPECT_FALSE(names_other_site(base, names)) << base;
  }
}

}  // namespace
}  // namespace hpc
