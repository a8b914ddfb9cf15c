#include "manager/gateway/operator_gateway.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace hpc {
namespace {

struct FakeApi final : Api {
  Decision handle(const RequestHead& head, const Caller& by, bool passes) override {
    caller = by;
    asked = head.target;
    cross_site_ok = passes;
    return LocalAnswer{200, {}, "api"};
  }
  std::optional<Caller> caller;
  std::string asked;
  bool cross_site_ok = false;
};

struct OperatorGatewayTest : testing::Test {
  LocalAnswer ask(const std::string& method, const std::string& target) {
    RequestHead head;
    head.method = method;
    head.target = target;
    head.fields.add("Authorization", "Bearer hpm_0");
    auto decision = gateway.on_request(head, client);
    return std::get<LocalAnswer>(std::move(decision));
  }
  FakeApi api;
  Status ready;
  OperatorGateway gateway{api, [this] { return ready; },
                          [] {
                            return LocalAnswer{200, {}, "up 1\n"};
                          }};
  ClientInfo client;
};

TEST_F(OperatorGatewayTest, TheApiIsAskedAsTheOperatorWhateverTheRequestClaims) {
  for (const char* target : {"/api/v1", "/api/v1/", "/api/v1?x", "/api/v1/sessions?all=1"}) {
    api.caller.reset();
    EXPECT_EQ(ask("POST", target).body, "api") << target;
    ASSERT_TRUE(api.caller) << target;
    EXPECT_EQ(api.caller->by, Caller::By::kOperator);
    EXPECT_EQ(api.caller->user, "");
    EXPECT_TRUE(api.cross_site_ok);
    EXPECT_EQ(api.asked, target);
  }
  EXPECT_TRUE(client.authenticated);
}

TEST_F(OperatorGatewayTest, HowTheManagerIs) {
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
  EXPECT_EQ(ask("GET", "/readyz").status, 200);
  EXPECT_EQ(ask("GET", "/metrics").body, "up 1\n");
  ready = fail(Errc::kSystem, "store", "the disk is full");
  const auto answer = ask("GET", "/readyz?x");
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.body.find("the disk is full"), std::string::npos);
}

TEST_F(OperatorGatewayTest, NothingElse) {
  for (const char* target : {"/", "/user/alice/main/vscode/", "/port/5500/", "/login",
                             "/api/v10/sessions", "/apix", "*"}) {
    EXPECT_EQ(ask("GET", target).status, 404) << target;
  }
  EXPECT_EQ(ask("POST", "/metrics").status, 404);
  EXPECT_FALSE(api.caller);
  EXPECT_TRUE(gateway.on_refusal(431, "too large").close);
}

}  // namespace
}  // namespace hpc
