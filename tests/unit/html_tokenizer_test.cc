#include "node-proxy/html_tokenizer.h"

#include <gtest/gtest.h>

#include "tests/support/html_pieces.h"

namespace hpc {
namespace {

using Syntax = HtmlTokenizer::Syntax;

std::string tokens(std::string_view document, std::size_t cut, Syntax syntax, std::string* whole) {
  TokenLog log;
  HtmlTokenizer tokenizer(syntax, log);
  tokenizer.feed(document.substr(0, cut));
  tokenizer.feed(document.substr(cut));
  tokenizer.finish();
  log.end_raw();
  if (whole != nullptr) *whole = log.whole;
  return log.said;
}

struct TokenCase {
  const char* name;
  const char* document;
  const char* said;
  Syntax syntax = Syntax::kHtml;
};
void PrintTo(const TokenCase& c, std::ostream* os) { *os << c.name; }

constexpr TokenCase kCases[] = {
    {"text", "just text", "just text"},
    {"tags", "<p>a</p>", "{p}a{/p}"},
    {"upper_case", "<P CLASS=A>", "{P CLASS=A}"},
    {"no_tag", "a < b <3 <", "a < b <3 <"},
    {"letters_of_a_name", "<a-b:c1_$>", "{a-b:c1_$}"},
    {"double_quotes", "<a href=\"x>y\" b>", "{a href=x>y b=}"},
    {"single_quotes", "<a href='x\"y>' b>", "{a href=x\"y> b=}"},
    {"no_quotes", "<a href=x/y>z", "{a href=x/y}z"},
    {"slash_belongs_to_the_value", "<a href=x/>", "{a href=x/}"},
    {"quote_inside_unquoted", "<a href=x\"y z>", "{a href=x\"y z=}"},
    {"blanks_around_equals", "<a href \n=\t 'x' >", "{a href=x}"},
    {"no_blank_between", "<a b='x'c=\"y\"d>", "{a b=x c=y d=}"},
    {"slashes_between", "<a/b/c='x'/ d>", "{a b= c=x d=}"},
    {"self_closing", "<br/>x", "{br}x"},
    {"name_of_equals", "<a =b=c>", "{a =b=c}"},
    {"quotes_in_a_name", "<a \"b\"='c>d'>", "{a \"b\"=c>d}"},
    {"less_than_in_a_tag", "<a <b>", "{a <b=}"},
    {"missing_value", "<a b=>c", "{a b=}c"},
    {"empty_value", "<a b=\"\" c=''>", "{a b= c=}"},
    {"end_tag_with_attributes", "</a href=\"x>\">y", "{/a}y"},
    {"end_tag_of_nothing", "</>x</ y>z", "</>x</ y>z"},
    {"comment", "<!-- <a> -- > --><b>", "<!-- <a> -- > -->{b}"},
    {"comment_with_dashes", "<!-----><b>", "<!----->{b}"},
    {"comment_ended_by_bang", "<!-- x --!><b>", "<!-- x --!>{b}"},
    {"comment_bang_goes_on", "<!-- x --!-><a>--><b>", "<!-- x --!-><a>-->{b}"},
    {"comment_abrupt", "<!--><b>", "<!-->{b}"},
    {"comment_abrupt_dash", "<!---><b>", "<!--->{b}"},
    {"comment_open", "<!-- <b>", "<!-- <b>"},
    {"comment_one_dash", "<!-<b>", "<!-<b>"},
    {"doctype", "<!DOCTYPE html><a>", "<!DOCTYPE html>{a}"},
    {"doctype_ends_in_quotes", "<!DOCTYPE x \"a><b>\">", "<!DOCTYPE x \"a>{b}\">"},
    {"instruction", "<?xml <a>?><b>", "<?xml <a>?>{b}"},
    {"cdata_is_a_comment", "<![CDATA[ x > <b> ]]>", "<![CDATA[ x > {b} ]]>"},
    {"cdata_in_svg", "<svg><![CDATA[ x > <b> ]]]><b></svg><![CDATA[>",
     "{svg}<![CDATA[ x > <b> ]]]>{b}{/svg}<![CDATA[>"},
    {"closed_svg", "<svg/><![CDATA[><b>", "{svg}<![CDATA[>{b}"},
    {"nested_svg", "<svg><svg></svg><![CDATA[><b>]]></svg>",
     "{svg}{svg}{/svg}<![CDATA[><b>]]>{/svg}"},
    {"style", "<style>a<b></style ><b>", "{style}|a<b>|{/style}{b}"},
    {"title", "<TITLE><b></title><b>", "{TITLE}|<b>|{/title}{b}"},
    {"other_end_tag", "<title></titles></titl></b></title>",
     "{title}|</titles></titl></b>|{/title}"},
    {"long_end_tag", "<title></titletitletitle></title/>", "{title}|</titletitletitle>|{/title}"},
    {"textarea_open", "<textarea><b></textarea", "{textarea}|<b></textarea|"},
    {"raw_end_tag_open", "<textarea>x</textarea y", "{textarea}|x|</textarea y"},
    {"raw_end_tag_with_attributes", "<xmp><b></xmp a='>'><b>", "{xmp}|<b>|{/xmp}{b}"},
    {"iframe_noembed_noframes_noscript",
     "<iframe><b></iframe><noembed><b></noembed><noframes><b></noframes><noscript><b></noscript>",
     "{iframe}|<b>|{/iframe}{noembed}|<b>|{/noembed}{noframes}|<b>|{/noframes}"
     "{noscript}|<b>|{/noscript}"},
    {"plaintext_never_ends", "<plaintext><b></plaintext><b>", "{plaintext}|<b></plaintext><b>|"},
    {"script_self_closing_is_open", "<script/><b></script>", "{script}|<b>|{/script}"},
    {"svg_script_self_closing_is_closed", "<svg><script href='x'/><b>", "{svg}{script href=x}{b}"},
    {"script", "<script>if (a<b) '</scr'</script>x", "{script}|if (a<b) '</scr'|{/script}x"},
    {"script_with_comment", "<script><!-- </script><b>", "{script}|<!-- |{/script}{b}"},
    {"script_in_comment_in_script", "<script><!--<script></script>--></script><b>",
     "{script}|<!--<script></script>-->|{/script}{b}"},
    {"script_in_ended_comment", "<script><!----><script></script><b>",
     "{script}|<!----><script>|{/script}{b}"},
    {"script_double_then_plain", "<script><!--<script> --></script><b>",
     "{script}|<!--<script> -->|{/script}{b}"},
    {"script_double_twice", "<script><!--<script/</script/<script ></script> </script><b>",
     "{script}|<!--<script/</script/<script ></script> |{/script}{b}"},
    {"script_like_names", "<script><!--<scripts><xscript></script><b>",
     "{script}|<!--<scripts><xscript>|{/script}{b}"},
    {"script_bang_is_no_comment", "<script><!-<script></script><b>",
     "{script}|<!-<script>|{/script}{b}"},
    {"script_two_bangs", "<script><!<!--<script></script></script>",
     "{script}|<!<!--<script></script>|{/script}"},
    {"open_tag_at_the_end", "x<a href=\"y>", "x<a href=\"y>"},
    {"open_less_than", "x</", "x</"},
    {"xml_script_is_markup", "<script><b/></script>", "{script}{b}{/script}", Syntax::kXml},
    {"xml_cdata", "<s><![CDATA[<b>]]></s>", "{s}<![CDATA[<b>]]>{/s}", Syntax::kXml},
    {"bytes", "<a \xc3\xbc='\xff\x01'>\xe2\x80\xa8", "{a \xc3\xbc=\xff\x01}\xe2\x80\xa8"},
};

class TokenTest : public testing::TestWithParam<TokenCase> {};

TEST_P(TokenTest, AreTheSameWhereverTheDocumentIsCut) {
  const auto& row = GetParam();
  const std::string_view document = row.document;
  for (std::size_t cut = 0; cut <= document.size(); ++cut) {
    std::string whole;
    EXPECT_EQ(tokens(document, cut, row.syntax, &whole), row.said) << "cut at " << cut;
    EXPECT_EQ(whole, document) << "cut at " << cut;
  }
}
INSTANTIATE_TEST_SUITE_P(Table, TokenTest, testing::ValuesIn(kCases));

TEST(HtmlTokenizerTest, NulByteIsAByte) {
  const std::string_view document("<a b=\"x\0y\">\0", 12);
  EXPECT_EQ(tokens(document, 8, Syntax::kHtml, nullptr), std::string("{a b=x\0y}\0", 10));
}

std::string tag_of(std::size_t size) {
  const std::string begin = "<a b=\"";
  return begin + std::string(size - begin.size() - 2, 'x') + "\">";
}

TEST(HtmlTokenizerTest, TagOfTheLargestSizeIsLookedInto) {
  const auto document = tag_of(HtmlTokenizer::kTagBytesMax);
  EXPECT_TRUE(tokens(document, 10, Syntax::kHtml, nullptr).starts_with("{a b=xxx"));
}

TEST(HtmlTokenizerTest, LargerTagPassesAndWhatComesBehindItIsSeen) {
  const auto document = tag_of(HtmlTokenizer::kTagBytesMax + 1) + "<b>";
  std::string whole;
  const auto said = tokens(document, 10, Syntax::kHtml, &whole);
  EXPECT_TRUE(said.starts_with("{cut a}")) << said.substr(0, 20);
  EXPECT_TRUE(said.ends_with(">{b}"));
  EXPECT_EQ(whole, document);
}

TEST(HtmlTokenizerTest, ElementOfALargerTagStaysWhatItIs) {
  const std::string padding(3 * HtmlTokenizer::kTagBytesMax, 'x');
  const auto said =
      tokens("<script x=\"" + padding + "\"><b></script><b>", 5, Syntax::kHtml, nullptr);
  EXPECT_TRUE(said.ends_with("\">|<b>|{/script}{b}"));
  const auto name = tokens("<script" + padding + "><b></script>", 5, Syntax::kHtml, nullptr);
  EXPECT_TRUE(name.ends_with(">{b}{/script}")) << "another element";
}

TEST(HtmlTokenizerTest, HoldsNoMoreThanOneTag) {
  TokenLog log;
  HtmlTokenizer tokenizer(Syntax::kHtml, log);
  const std::string piece(1000, 'x');
  tokenizer.feed("<a b='");
  for (int i = 0; i < 1000; ++i) {
    tokenizer.feed(piece);
    ASSERT_LE(tokenizer.held_bytes(), HtmlTokenizer::kTagBytesMax);
  }
  EXPECT_EQ(log.whole.size(), 6U + 1000 * piece.size()) << "a tag past the limit waits no more";
  EXPECT_FALSE(tokenizer.between_tokens());
}

std::string tag_with(std::size_t attributes) {
  std::string tag = "<a";
  for (std::size_t i = 0; i < attributes; ++i) tag += " b=c";
  return tag + ">";
}

TEST(HtmlTokenizerTest, TagWithMoreAttributesPasses) {
  const auto most = tag_with(HtmlTokenizer::kAttributesMax);
  EXPECT_TRUE(tokens(most, 3, Syntax::kHtml, nullptr).ends_with(" b=c b=c}"));
  const auto more = tag_with(HtmlTokenizer::kAttributesMax + 1) + "<b>";
  std::string whole;
  EXPECT_TRUE(tokens(more, 3, Syntax::kHtml, &whole).starts_with("{cut a}"));
  EXPECT_EQ(whole, more);
}

TEST(HtmlTokenizerTest, TextIsNotHeldBack) {
  TokenLog log;
  HtmlTokenizer tokenizer(Syntax::kHtml, log);
  for (const std::string_view piece :
       {"te", "<!-", "- com", "-->", "<title>ti", "</titlex", "<script>", "var"}) {
    tokenizer.feed(piece);
    EXPECT_LE(tokenizer.held_bytes(), 8U) << piece;
  }
  EXPECT_EQ(log.whole, "te<!-- com--><title>ti</titlex<script>var");
}

}  // namespace
}  // namespace hpc
