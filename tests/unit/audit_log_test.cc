#include "manager/gateway/audit_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace hpc {
namespace {

struct AuditLogTest : ::testing::Test {
  std::string lines;
  Log log{LogLevel::kInfo, LogFormat::kText, [this](auto line) { lines += line; }};
  AuditLog audit{log};
  bool said(std::string_view text) const { return lines.find(text) != std::string::npos; }
};

TEST_F(AuditLogTest, EveryLineSaysWhatAndWho) {
  audit.login("alice", "token", "203.0.113.5");
  EXPECT_TRUE(said("audit: login") && said("alice") && said("203.0.113.5")) << lines;
  lines.clear();
  audit.login_failed("bob", "ssh", "203.0.113.6", "wrong answer");
  EXPECT_TRUE(said("audit: login failed") && said("bob") && said("wrong answer")) << lines;
  lines.clear();
  audit.logout("alice", "203.0.113.5");
  EXPECT_TRUE(said("audit: logout") && said("alice")) << lines;
  lines.clear();
  audit.denied({Caller::By::kCookie, "mallory", false, "t1"}, Allowed::kHidden, "user", "alice",
               "203.0.113.7");
  EXPECT_TRUE(said("audit: denied") && said("mallory") && said("cookie") && said("user") &&
              said("alice") && said("203.0.113.7") && said("not his"))
      << lines;
  EXPECT_FALSE(said("t1")) << "ids of tokens are for the token calls";
  lines.clear();
  audit.session("ended", {"alice", "main", "vscode", 2}, "0123", "operator", "asked");
  EXPECT_TRUE(said("audit: session ended") && said("alice") && said("main") && said("vscode") &&
              said("0123") && said("operator") && said("asked"))
      << lines;
  lines.clear();
  audit.token("revoked", "alice", "12ab", who_is({Caller::By::kOperator, "", false, ""}));
  EXPECT_TRUE(said("audit: token revoked") && said("alice") && said("12ab") && said("operator"))
      << lines;
  EXPECT_EQ(who_is({Caller::By::kCookie, "bob", false, ""}), "bob");
}

TEST_F(AuditLogTest, EveryRefusalHasItsReason) {
  for (const auto& [verdict, why] : {std::pair{Allowed::kLogIn, "not logged in"},
                                     {Allowed::kCrossSite, "another site"},
                                     {Allowed::kHidden, "not his"}}) {
    lines.clear();
    audit.denied({}, verdict, "api", "", "");
    EXPECT_TRUE(said(why) && said("nobody")) << lines;
  }
}

TEST_F(AuditLogTest, AHostileNameForgesNoLine) {
  audit.login_failed("x\naudit: login user=root", "ssh", "::1", "no");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), lines.ends_with('\n') ? 1 : 0) << lines;
}

}  // namespace
}  // namespace hpc
