#include "node-proxy/forward_policy.h"

#include <gtest/gtest.h>

#include "tests/support/fake_ports.h"

namespace hpc {
namespace {

RequestHead request() {
  RequestHead head;
  head.method = "GET";
  head.target = "/port/5500/";
  head.host = "127.0.0.1:41234";
  head.fields.add("Host", head.host);
  return head;
}

class ForwardPolicyTest : public testing::Test {
 protected:
  ForwardPolicyTest() {
    state.record.host = "node<07>";
    state.allow_ports = *PortSet::parse("1024-65535");
    ports.add(5501, "node");
  }
  std::unique_ptr<ForwardPolicy> policy(bool navigation = false) {
    ForwardContext context;
    context.port = 5500;
    context.prefix = "/port/5500";
    context.path = "/port/5500/";
    context.route_prefix = "/port/5500";
    context.pages = &pages;
    context.navigation = navigation;
    return make_forward_policy(asked, std::move(context));
  }
  const RequestHead asked = request();
  NodeProxyState state;
  FakePorts ports;
  Pages pages{state, ports};
};

TEST_F(ForwardPolicyTest, DangerousFieldsOfAnswersAreDropped) {
  ResponseHead head;
  for (const char* name : {"alt-svc", "Strict-Transport-Security", "Clear-Site-Data",
                           "Public-Key-Pins", "NEL", "Report-To", "Reporting-Endpoints"}) {
    head.fields.add(name, "x");
  }
  head.fields.add("Content-Type", "text/plain");
  head.fields.add("Service-Worker-Allowed", "/");
  head.fields.add("Service-Worker-Allowed", "/port/5500/../");
  head.fields.add("service-worker-allowed", "/port/5500/app");
  std::string text;
  HeadWriter writer(text);
  policy()->write_response_fields(head, HopFields(head.fields), writer);
  EXPECT_EQ(text, "Content-Type: text/plain\r\nservice-worker-allowed: /port/5500/app\r\n");
}

TEST_F(ForwardPolicyTest, AnswersSpeakOfTheBrowsersPaths) {
  ResponseHead head;
  head.fields.add("Location", "http://localhost:5500/a");
  head.fields.add("content-location", "/b");
  head.fields.add("Refresh", "0; url=http://127.0.0.1:41234/c");
  head.fields.add("Set-Cookie", "__Host-s=1; Path=/; Secure");
  head.fields.add("Link", "</d>; rel=preload");
  std::string text;
  HeadWriter writer(text);
  policy()->write_response_fields(head, HopFields(head.fields), writer);
  EXPECT_EQ(text,
            "Location: /port/5500/a\r\ncontent-location: /port/5500/b\r\n"
            "Refresh: 0; url=http://127.0.0.1:41234/port/5500/c\r\n"
            "Set-Cookie: __Secure-s=1; Path=/port/5500/; Secure\r\nLink: </d>; rel=preload\r\n");
}

TEST_F(ForwardPolicyTest, FailuresHaveTheirStatus) {
  const auto status = [&](Errc code) {
    return policy()->on_upstream_failed({code, "", ""}).status;
  };
  EXPECT_EQ(status(Errc::kRefused), 503);
  EXPECT_EQ(status(Errc::kTimeout), 504);
  EXPECT_EQ(status(Errc::kForbidden), 403);
  EXPECT_EQ(status(Errc::kNetwork), 502);
  EXPECT_EQ(status(Errc::kBadRequest), 502);
}

TEST_F(ForwardPolicyTest, WaitingPageGoesOnByItself) {
  const auto answer = policy(true)->on_upstream_failed({Errc::kRefused, "", ""});
  EXPECT_EQ(answer.fields.back(), (std::pair<std::string, std::string>{"Retry-After", "2"}));
  EXPECT_NE(answer.body.find("http-equiv=\"refresh\""), std::string::npos);
  EXPECT_NE(answer.body.find("node&lt;07&gt;"), std::string::npos);
  EXPECT_EQ(answer.body.find("node<07>"), std::string::npos);
}

TEST_F(ForwardPolicyTest, FailuresSayWhyAndWhatToDo) {
  const auto text = [&](Errc code, const char* detail) {
    return policy(true)->on_upstream_failed({code, "upstream", detail}).body;
  };
  const auto says = [](const std::string& page, const char* words) {
    return page.find(words) != std::string::npos;
  };
  EXPECT_TRUE(says(text(Errc::kTimeout, ""), "The app on port 5500 does not take connections"));
  EXPECT_TRUE(says(text(Errc::kNetwork, "bad answer: two lengths"), "(bad answer: two lengths)"));
  EXPECT_TRUE(says(text(Errc::kNetwork, "closed"), "died before it answered"));
  const auto foreign = text(Errc::kForbidden, "it belongs to another user");
  EXPECT_TRUE(says(foreign, "That is not your app"));
  EXPECT_TRUE(says(foreign, "port 5500: it belongs to another user"));
  EXPECT_TRUE(says(foreign, "port/5501/")) << "what to open instead";
}

TEST_F(ForwardPolicyTest, ProgramsGetProblemJson) {
  const auto answer = policy(false)->on_upstream_failed({Errc::kRefused, "", ""});
  EXPECT_EQ(answer.fields.at(0).second, "application/problem+json");
  EXPECT_EQ(answer.fields.back().first, "Retry-After");
}

}  // namespace
}  // namespace hpc
