#include "node-proxy/ports_verb.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

const std::string kBody =
    R"({"names_complete":true,"ports":[)"
    R"({"port":5500,"process":"node live-server.js","pid":77,"age_seconds":7800,)"
    R"("url":"http://127.0.0.1:9000/port/5500/"},)"
    R"({"port":10022,"process":"café","pid":123456,"age_seconds":5,"url":null},)"
    R"({"port":8787,"process":null,"pid":null,"age_seconds":null,"url":"http://h/8787/"}]})";

TEST(PortsLinesTest, AreAlignedOnATerminal) {
  EXPECT_EQ(ports_lines(kBody, "", true).value_or("failed"),
            "PORT   PROGRAM              PROCESS  RUNS FOR    URL\n"
            "5500   node live-server.js  77       2 h 10 min  http://127.0.0.1:9000/port/5500/\n"
            "10022  café                 123456   5 s\n"
            "8787                                             http://h/8787/\n");
}

TEST(PortsLinesTest, AreForCutElsewhere) {
  EXPECT_EQ(ports_lines(kBody, "", false).value_or("failed"),
            "5500\tnode live-server.js\t77\t2 h 10 min\thttp://127.0.0.1:9000/port/5500/\n"
            "10022\tcafé\t123456\t5 s\t\n"
            "8787\t\t\t\thttp://h/8787/\n");
}

TEST(PortsLinesTest, PrivatePortsAddAColumn) {
  const std::string body =
      R"({"ports":[{"port":5500,"process":"n","pid":7,"age_seconds":5,"url":"u","private":true},)"
      R"({"port":8080,"url":"v","private":false}]})";
  EXPECT_EQ(ports_lines(body, "", false).value_or("failed"),
            "5500\tn\t7\t5 s\tu\tyes\n8080\t\t\t\tv\tno\n");
  EXPECT_EQ(ports_lines(body, "", true).value_or("failed"),
            "PORT  PROGRAM  PROCESS  RUNS FOR  URL  PRIVATE\n"
            "5500  n        7        5 s       u    yes\n"
            "8080                              v    no\n");
}

TEST(HasPortTest, LooksForTheNumberItself) {
  EXPECT_TRUE(has_port(R"({"ports":[{"port":80},{"port":5500}]})", 5500));
  EXPECT_FALSE(has_port(R"({"ports":[{"port":80},{"port":55000}]})", 5500));
  for (const char* body : {"", "{}", R"({"ports":5500})", R"({"ports":[5500,{"port":null}]})"}) {
    EXPECT_FALSE(has_port(body, 5500)) << body;
  }
}

TEST(PortsLinesTest, UrlsFollowATemplateThatIsGiven) {
  const auto lines = ports_lines(kBody, "https://x/{port}/", false).value_or("failed");
  EXPECT_NE(lines.find("https://x/5500/\n"), std::string::npos);
  EXPECT_NE(lines.find("10022\tcafé\t123456\t5 s\t\n"), std::string::npos) << "not let through";
}

TEST(PortsLinesTest, NothingIsNoHeading) {
  EXPECT_EQ(ports_lines(R"({"ports":[]})", "", true).value_or("failed"), "");
  EXPECT_EQ(ports_lines(R"({"ports":[]})", "", false).value_or("failed"), "");
}

TEST(PortsLinesTest, OtherBodiesAreRefused) {
  for (const char* body : {"", "[]", "{}", "null", R"({"ports":7})", R"({"ports":[)", "<html>"}) {
    const auto lines = ports_lines(body, "", true);
    ASSERT_FALSE(lines) << body;
    EXPECT_EQ(lines.error().code, Errc::kNetwork);
  }
  EXPECT_TRUE(ports_lines(R"({"ports":[7,null,{},{"port":"x","url":[]}]})", "", false));
}

}  // namespace
}  // namespace hpc
