#include "common/answers.h"

#include <gtest/gtest.h>

#include <string>

#include "common/edge_fields.h"

namespace hpc {
namespace {

std::string field_of(const LocalAnswer& answer, std::string_view name) {
  for (const auto& [key, value] : answer.fields) {
    if (key == name) return value;
  }
  return "";
}

TEST(AnswersTest, APageRunsNothingAndIsNeverStored) {
  const auto page = html_answer(200, "<T>", html_paragraph("a & \"b\" <c> 'd'"), true);
  EXPECT_NE(page.body.find("<h1>&lt;T&gt;</h1>"), std::string::npos);
  EXPECT_NE(page.body.find("<p>a &amp; &quot;b&quot; &lt;c&gt; &#39;d&#39;</p>"),
            std::string::npos);
  EXPECT_NE(page.body.find("http-equiv=\"refresh\" content=\"2\""), std::string::npos);
  const auto policy = field_of(page, "Content-Security-Policy");
  EXPECT_EQ(policy.rfind("default-src 'none'; style-src 'sha256-", 0), 0U) << policy;
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_EQ(field_of(page, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(field_of(page, "Cache-Control"), "no-store");
}

TEST(AnswersTest, ProblemsAreWellFormedJson) {
  const auto problem = problem_answer(404, "a \"quoted\" \n detail");
  EXPECT_EQ(problem.body,
            "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
            "\"detail\":\"a \\\"quoted\\\" \\n detail\"}\n");
  EXPECT_EQ(field_of(problem, "Content-Type"), "application/problem+json");
  EXPECT_EQ(field_of(problem, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(problem_answer(404, "x", "\"listening\":[]").body,
            "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
            "\"detail\":\"x\",\"listening\":[]}\n");
}

TEST(AnswersTest, PagesSpeakInSentences) {
  EXPECT_EQ(as_sentence("there is nothing here"), "There is nothing here.");
  EXPECT_EQ(as_sentence("/port/N/ leads nowhere"), "/port/N/ leads nowhere.");
  EXPECT_EQ(as_sentence("hpc-proxy died; try again."), "hpc-proxy died; try again.");
  EXPECT_EQ(as_sentence("{x}"), "{x}.");
  EXPECT_EQ(as_sentence(""), "");
  EXPECT_NE(error_answer(404, "nothing", true).body.find("<p>Nothing.</p>"), std::string::npos);
  EXPECT_NE(error_answer(404, "nothing", false).body.find("\"nothing\""), std::string::npos);
}

TEST(AnswersTest, PagesFollowTheReadersColours) {
  const auto page = html_answer(200, "T", "");
  EXPECT_NE(page.body.find("color-scheme:light dark"), std::string::npos);
  EXPECT_NE(page.body.find("prefers-color-scheme:dark"), std::string::npos);
  EXPECT_NE(page.body.find("name=\"viewport\""), std::string::npos) << "for narrow screens";
}

TEST(AnswersTest, NavigationsAreTold) {
  RequestHead head;
  head.method = "GET";
  EXPECT_FALSE(is_navigation(head));
  head.fields.add("Accept", "text/html,*/*");
  EXPECT_TRUE(is_navigation(head));
  head.fields.add("Sec-Fetch-Mode", "cors");
  EXPECT_FALSE(is_navigation(head)) << "the browser says so itself";
  EXPECT_NE(error_answer(404, "x", true).body.find("<h1>404 Not Found</h1>"), std::string::npos);
  EXPECT_EQ(error_answer(404, "x", false).body.front(), '{');
}

TEST(EdgeFieldsTest, WhoAsksIsNotForTheClientToSay) {
  for (const char* name : {"X-Forwarded-For", "x-forwarded-anything", "X_Forwarded_Proto",
                           "Forwarded", "FORWARDED", "X-HPC-Proxy-Token", "x-hpc-x"}) {
    EXPECT_TRUE(says_who_asks(name)) << name;
  }
  for (const char* name : {"X-Forwarded", "Forwarded-For", "X-Hp", "Host", "Cookie", ""}) {
    EXPECT_FALSE(says_who_asks(name)) << name;
  }
}

TEST(EdgeFieldsTest, WhatAffectsTheWholeHostIsDropped) {
  for (const char* name : {"Alt-Svc", "strict-transport-security", "Clear-Site-Data",
                           "Public-Key-Pins", "NEL", "Report-To", "Reporting-Endpoints"}) {
    EXPECT_TRUE(affects_whole_host(name)) << name;
  }
  EXPECT_FALSE(affects_whole_host("Content-Security-Policy"));
}

}  // namespace
}  // namespace hpc
