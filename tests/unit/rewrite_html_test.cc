#include "node-proxy/rewrite_html.h"

#include <gtest/gtest.h>

#include "tests/support/html_pieces.h"
#include "tests/support/rewrite_cases.h"

namespace hpc {
namespace {

HtmlAnswer answer_of(const WayIn& way, std::string_view rest = "/d/page.html?a=1&b=\"<2>") {
  HtmlAnswer answer;
  answer.names = context_of(way);
  answer.page = answer.names.prefix + std::string(rest);
  return answer;
}

/// {B} is the <base> that is put in.
std::string document(std::string_view text, const WayIn& way) {
  std::string out = filled(text, way);
  const std::string base =
      std::string("<base href=\"") + way.prefix + "/d/page.html?a=1&amp;b=&quot;&lt;2&gt;\">";
  for (auto at = out.find("{B}"); at != std::string::npos; at = out.find("{B}")) {
    out.replace(at, 3, base);
  }
  return out;
}

constexpr RewriteCase kDocuments[] = {
    {"empty", ""},
    {"text", "just /text"},
    {"whole_document",
     "<!doctype html><html><head><title>/t</title><link rel=icon href=/i.png></head>"
     "<body><a href='/x'>x</a></body></html>",
     "<!doctype html><html><head><title>/t</title><link rel=icon href={P}/i.png>{B}</head>"
     "<body><a href='{P}/x'>x</a></body></html>"},
    {"nothing_of_ours", "<head><link href=\"a.css\"><script src=https://cdn.example/x.js></script>",
     "<head><link href=\"a.css\"><script src=https://cdn.example/x.js></script>{B}"},
    {"base_before_the_body", "<title>x</title><body>", "<title>x</title>{B}<body>"},
    {"base_before_the_first_element", "x<p>y<p>", "x{B}<p>y<p>"},
    {"base_before_an_end_of_the_document", "<title>x</title></html>", "<title>x</title>{B}</html>"},
    {"base_at_the_very_end", "<script src=\"/x\"></script>", "<script src=\"{P}/x\"></script>{B}"},
    {"no_base_in_an_open_tag", "<title>x</title><a href='/x", "<title>x</title><a href='/x"},
    {"no_base_in_an_open_comment", "<title>x</title><!-- ", "<title>x</title><!-- "},
    {"no_base_in_an_open_script", "<script>x", "<script>x"},
    {"other_end_tags_are_no_end", "</p></div><head></head>", "</p></div><head>{B}</head>"},
    {"own_base", "<head><base href=\"/\"><a href=/x>", "<head><base href=\"{P}/\"><a href={P}/x>"},
    {"own_base_relative", "<head><base href=app/></head>"},
    {"own_base_behind_scripts", "<head><script>1</script><link href=a><base href='/a/'></head>",
     "<head><script>1</script><link href=a><base href='{P}/a/'></head>"},
    {"own_base_without_href", "<head><base target=_top></head>",
     "<head><base target=_top>{B}</head>"},
    {"own_base_with_own_name", "<head><base href=http://localhost:5500/></head>",
     "<head><base href={P}/></head>"},
    {"own_base_of_another_site", "<base href=https://cdn.example/><a href=/x style='b:url(/x)'>"},
    {"second_base_is_none", "<base href=/a/><base href=https://cdn.example/><a href=/x>",
     "<base href={P}/a/><base href=https://cdn.example/><a href={P}/x>"},
    {"base_in_a_template_is_none",
     "<template><base href=https://cdn.example/><p></p></template></head>",
     "<template><base href=https://cdn.example/><p></p></template>{B}</head>"},
    {"no_base_in_an_open_template", "<template><base href=/x>", "<template><base href={P}/x>"},
    {"base_in_a_comment_is_none", "<!-- <base href=/x/> --></head>",
     "<!-- <base href=/x/> -->{B}</head>"},
    {"all_attributes",
     "<head manifest=/m></head><img src=/a srcset='/b 2x, /c' background=/d cite=/e "
     "style='f:url(/f)'>"
     "<form action=/g><button formaction=/h></form><video poster=/i><object data=/j>"
     "<use xlink:href=/k#l><my-link href=/m>",
     "<head manifest=/m>{B}</head><img src={P}/a srcset='{P}/b 2x, {P}/c' background={P}/d "
     "cite={P}/e style='f:url({P}/f)'>"
     "<form action={P}/g><button formaction={P}/h></form><video poster={P}/i><object data={P}/j>"
     "<use xlink:href={P}/k#l><my-link href={P}/m>"},
    {"html_and_link_attributes", "<HTML Manifest=/m><LINK ImageSrcSet='/a 1x'></head>",
     "<HTML Manifest={P}/m><LINK ImageSrcSet='{P}/a 1x'>{B}</head>"},
    {"attributes_of_other_elements", "</head><p action=/a data=/b imagesrcset=/c content=/d x=/e>",
     "{B}</head><p action=/a data=/b imagesrcset=/c content=/d x=/e>"},
    {"end_tags_have_no_links", "</head></a href=/x>", "{B}</head></a href=/x>"},
    {"refresh", "<meta http-equiv=Refresh content='0; url=/x'></head>",
     "<meta http-equiv=Refresh content='0; url={P}/x'>{B}</head>"},
    {"refresh_in_the_other_order", "<meta content='0; url=/x' http-equiv=refresh></head>",
     "<meta content='0; url={P}/x' http-equiv=refresh>{B}</head>"},
    {"other_meta", "<meta name=x content=/x><meta http-equiv=x content='0;url=/x'></head>",
     "<meta name=x content=/x><meta http-equiv=x content='0;url=/x'>{B}</head>"},
    {"styles", "<style>a{b:url(/x)}</style><p style=\"b:url('/y')\">",
     "<style>a{b:url({P}/x)}</style>{B}<p style=\"b:url('{P}/y')\">"},
    {"style_never_ends", "<style>a{b:url(/x", "<style>a{b:url({P}/x"},
    {"style_ends_inside_a_url", "<style>a{b:url(/x</style><p>",
     "<style>a{b:url({P}/x</style>{B}<p>"},
    {"style_in_svg", "</head><svg><style/><a href=/x></a><style>b{c:url(/y)}</style>",
     "{B}</head><svg><style/><a href={P}/x></a><style>b{c:url({P}/y)}</style>"},
    {"hash_of_a_style",
     "<meta http-equiv=content-security-policy content=\"style-src 'sha256-x'\">"
     "<style>a{b:url(/x)}</style><p style='b:url(/y)' title=\"\"><a href=/z>",
     "<meta http-equiv=content-security-policy content=\"style-src 'sha256-x'\">"
     "<style>a{b:url(/x)}</style>{B}<p style='b:url(/y)' title=\"\"><a href={P}/z>"},
    {"scripts_stay",
     "<script type=module>import '/x.js'; '<a href=/y>'</script><script src=/z></script><p>",
     "<script type=module>import '/x.js'; '<a href=/y>'</script><script src={P}/z></script>{B}<p>"},
    {"texts_stay", "<title><a href=/x></title></head><textarea><a href=/x></textarea>",
     "<title><a href=/x></title>{B}</head><textarea><a href=/x></textarea>"},
    {"references", "</head><a href='&#x2F;x?a&amp;b'>", "{B}</head><a href='{P}&#x2F;x?a&amp;b'>"},
    {"twice_the_attribute", "</head><a href=/x href=/y>", "{B}</head><a href={P}/x href={P}/y>"},
    {"own_names", "</head><a href=http://localhost:5500><img src={O}/x><img src={P}/x>",
     "{B}</head><a href={P}/><img src={O}{P}/x><img src={P}/x>"},
    {"byte_order_mark", "\xef\xbb\xbf<p><a href=/x>", "\xef\xbb\xbf{B}<p><a href={P}/x>"},
    {"utf16", "\xff\xfe<p><a href=/x>"},
    {"utf16_big_endian", "\xfe\xff<p><a href=/x>"},
    {"other_bytes", "<p>\xe4\xf6</p\x81><a href=/x>", "{B}<p>\xe4\xf6</p\x81><a href={P}/x>"},
    {"frames", "<head></head><frameset><frame src=/x></frameset>",
     "<head>{B}</head><frameset><frame src={P}/x></frameset>"},
};

class DocumentTest : public testing::TestWithParam<RewriteCase> {};

TEST_P(DocumentTest, IsTheSameWhereverItIsCut) {
  const auto& row = GetParam();
  for (const auto& way : kWaysIn) {
    SCOPED_TRACE(way.name);
    const auto answer = answer_of(way);
    const std::string in = filled(row.value, way);
    const std::string want = row.rewritten != nullptr ? document(row.rewritten, way) : in;
    EXPECT_EQ(rewrite_whole(answer, in), want);
    for (std::size_t cut = 0; cut <= in.size(); ++cut) {
      ASSERT_EQ(rewrite_in_pieces(answer, in, cut, in.size() + 1), want) << "cut at " << cut;
    }
    EXPECT_EQ(rewrite_in_pieces(answer, in, 1, 1), want) << "byte by byte";
  }
}

TEST_P(DocumentTest, IsRewrittenOnce) {
  const auto& row = GetParam();
  for (const auto& way : kWaysIn) {
    SCOPED_TRACE(way.name);
    const auto once = rewrite_whole(answer_of(way), filled(row.value, way));
    EXPECT_EQ(rewrite_whole(answer_of(way), once), once);
  }
}
INSTANTIATE_TEST_SUITE_P(Table, DocumentTest, testing::ValuesIn(kDocuments));

TEST(HtmlRewriterTest, PartOfAPageGetsNoBase) {
  auto answer = answer_of(kWaysIn[0]);
  answer.page.clear();
  EXPECT_EQ(rewrite_whole(answer, "<li><a href=/x>"), "<li><a href=/port/5500/x>");
}

TEST(HtmlRewriterTest, StylesWhoseHashIsKnownStay) {
  auto answer = answer_of(kWaysIn[0]);
  answer.page.clear();
  answer.leave_styles = true;
  EXPECT_EQ(rewrite_whole(answer, "<style>a{b:url(/x)}</style><p style='b:url(/x)' href=/x>"),
            "<style>a{b:url(/x)}</style><p style='b:url(/x)' href=/port/5500/x>");
}

TEST(HtmlRewriterTest, Xhtml) {
  auto answer = answer_of(kWaysIn[0], "/");
  answer.xml = true;
  EXPECT_EQ(rewrite_whole(answer,
                          "<html><head><title/></head><script><![CDATA[<a href='/x'/>]]>"
                          "</script><style>a{b:url(/x)}</style><a href='/x'/></html>"),
            "<html><head><title/><base href=\"/port/5500/\"/></head><script><![CDATA[<a href='/x'/>"
            "]]></script><style>a{b:url(/x)}</style><a href='/port/5500/x'/></html>");
  EXPECT_EQ(rewrite_whole(answer, "<svg><p/></svg>"), "<svg><p/></svg>") << "no place for a base";
}

TEST(HtmlRewriterTest, BeginningGoesOutBeforeTheRestComes) {
  HtmlRewriter rewriter(answer_of(kWaysIn[0], "/"));
  std::string out;
  rewriter.feed("<html><body><a href=\"/x\">first</a> and <a hr", out);
  EXPECT_EQ(out, "<html><base href=\"/port/5500/\"><body><a href=\"/port/5500/x\">first</a> and ");
  rewriter.feed("ef=/y>", out);
  EXPECT_TRUE(out.ends_with(" and <a href=/port/5500/y>"));
}

TEST(HtmlRewriterTest, TagPastTheLimitPasses) {
  const auto answer = answer_of(kWaysIn[0], "/");
  const std::string begin = "<p><a href=\"/x";
  const auto tag = [](std::size_t size) {
    const std::string start = "<a href=\"/";
    return start + std::string(size - start.size() - 2, 'x') + "\">";
  };
  const auto at_limit = rewrite_whole(answer, "<p>" + tag(HtmlTokenizer::kTagBytesMax));
  EXPECT_NE(at_limit.find("<a href=\"/port/5500/xxx"), std::string::npos);
  const auto past = rewrite_whole(answer, tag(HtmlTokenizer::kTagBytesMax + 1) + "<a href=/y>");
  EXPECT_TRUE(past.starts_with("<base href=\"/port/5500/\"><a href=\"/xxx"));
  EXPECT_TRUE(past.ends_with("<a href=/port/5500/y>"));
  const auto base = "<base href=\"/" + std::string(HtmlTokenizer::kTagBytesMax, 'x') + "\"><p>";
  EXPECT_EQ(rewrite_whole(answer, base), base) << "a base is a base";
}

TEST(HtmlRewriterTest, TenMegabytesTakeNoMemory) {
  HtmlRewriter rewriter(answer_of(kWaysIn[0], "/"));
  std::string piece;
  const std::string text(1000, 't');
  while (piece.size() < 65'536) piece += "<p class=\"a\">" + text + "<a href=\"/x\">link</a></p>\n";
  piece.resize(65'521);  // so that pieces end everywhere in a tag
  std::size_t in = 0;
  std::size_t written = 0;
  std::string out;
  while (in < 10'000'000) {
    out.clear();
    rewriter.feed(piece, out);
    in += piece.size();
    written += out.size();
    ASSERT_LE(rewriter.held_bytes(), 64U);
    ASSERT_LE(out.capacity(), 4 * piece.size());
  }
  EXPECT_GT(written, in);
}

TEST(HtmlRewriterTest, ShortestLinksGrowByABound) {
  auto answer = answer_of(kWaysIn[0], "/");
  answer.names.prefix = "/" + std::string(255, 'p');
  std::string tags;
  while (tags.size() < 65'536) tags += "<a href=/>";
  EXPECT_LE(rewrite_whole(answer, tags).size(), 28 * tags.size());
}

}  // namespace
}  // namespace hpc
