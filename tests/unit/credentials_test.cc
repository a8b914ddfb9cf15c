#include "manager/gateway/credentials.h"

#include <gtest/gtest.h>

#include "common/own_cookies.h"

namespace hpc {
namespace {

const PublicUrl kHttps{"https", "hpc.example.org"};
const PublicUrl kHttp{"http", "127.0.0.1:8000"};

TEST(OwnBearer, IsAnAuthorizationWithATokenOfOurs) {
  struct Row {
    const char* value;
    const char* token;  // nullptr: the app's
  };
  constexpr Row kRows[] = {
      {"Bearer hpm_1", "hpm_1"},
      {"bearer hpm_1", "hpm_1"},
      {"BEARER  \thpm_1", "hpm_1"},
      {"Bearer hpm_", "hpm_"},
      {"Bearer hpm_1 x", "hpm_1 x"},
      {"Bearer HPM_1", nullptr},
      {"Bearer x", nullptr},
      {"Bearer", nullptr},
      {"Bearer ", nullptr},
      {"Bearerhpm_1", nullptr},
      {"Bearerx hpm_1", nullptr},
      {"Basic hpm_1", nullptr},
      {"hpm_1", nullptr},
      {"", nullptr},
  };
  for (const auto& row : kRows) {
    const auto token = own_bearer(row.value);
    ASSERT_EQ(token.has_value(), row.token != nullptr) << row.value;
    if (token) {
      EXPECT_EQ(*token, row.token);
    }
  }
}

TEST(OwnCredential, IsWhatNoAppMaySee) {
  const auto own = [](std::string_view name, std::string_view value) {
    return is_own_credential({name, value}, "Remote-User");
  };
  EXPECT_TRUE(own("Authorization", "Bearer hpm_x"));
  EXPECT_FALSE(own("Authorization", "Bearer x"));
  EXPECT_TRUE(own("X-HPC-Manager-Token", "x"));
  EXPECT_TRUE(own("x_hpc_manager_token", "x"));
  EXPECT_TRUE(own("Remote-User", "alice"));
  EXPECT_TRUE(own("REMOTE_USER", "alice"));
  EXPECT_FALSE(own("Remote-Users", "alice"));
  EXPECT_FALSE(own("X-HP", "x"));
  EXPECT_FALSE(own("Cookie", "a=1"));
  EXPECT_FALSE(is_own_credential({"", "x"}, ""));
}

TEST(ShownToken, IsTheOneThatIsThere) {
  const auto shown = [](std::initializer_list<std::pair<const char*, const char*>> list) {
    FieldList fields;
    for (const auto& [name, value] : list) fields.add(name, value);
    const auto token = shown_token(fields);
    return token.shown ? "shown " + std::string(token.text) : std::string("none");
  };
  EXPECT_EQ(shown({}), "none");
  EXPECT_EQ(shown({{"Authorization", "Basic x"}}), "none");
  EXPECT_EQ(shown({{"Authorization", "Bearer hpm_1"}}), "shown hpm_1");
  EXPECT_EQ(shown({{"x-hpc-manager-token", "hpm_1"}}), "shown hpm_1");
  EXPECT_EQ(shown({{"X-HPC-Manager-Token", "what"}}), "shown what");
  EXPECT_EQ(shown({{"X-HPC-Manager-Token", ""}}), "shown ");
  EXPECT_EQ(shown({{"Authorization", "Basic x"}, {"X-HPC-Manager-Token", "hpm_1"}}), "shown hpm_1");
  EXPECT_EQ(shown({{"Authorization", "Bearer hpm_1"}, {"X-HPC-Manager-Token", "hpm_1"}}),
            "shown hpm_1");
  EXPECT_EQ(shown({{"Authorization", "Bearer hpm_1"}, {"Authorization", "Bearer hpm_2"}}),
            "shown ");
  EXPECT_EQ(shown({{"Authorization", "Bearer hpm_1"},
                   {"X-HPC-Manager-Token", "hpm_2"},
                   {"X-HPC-Manager-Token", ""}}),
            "shown ");
}

TEST(LoginCookies, AreBoundToTheHostWhereThatIsPossible) {
  const LoginCookies cookies(kHttps, 8000);
  EXPECT_EQ(cookies.set_login("hpm_1", 60),
            "__Host-hpc-manager=hpm_1; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60");
  EXPECT_EQ(cookies.clear_login(),
            "__Host-hpc-manager=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
  EXPECT_EQ(cookies.set_attempt("a1", 300),
            "__Host-hpc-manager-attempt=a1; Path=/; Secure; HttpOnly; SameSite=Strict; "
            "Max-Age=300");
}

TEST(LoginCookies, WithoutTlsTheNameHoldsThePort) {
  const LoginCookies cookies(kHttp, 8000);
  EXPECT_EQ(cookies.set_login("hpm_1", 60),
            "hpc-manager-8000=hpm_1; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
  EXPECT_EQ(cookies.clear_attempt(),
            "hpc-manager-8000-attempt=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
}

TEST(LoginCookies, NoAppSeesOrSetsThem) {
  for (const auto& url : {kHttps, kHttp}) {
    const LoginCookies cookies(url, 8000);
    for (const auto& set : {cookies.set_login("x", 1), cookies.set_attempt("x", 1)}) {
      EXPECT_TRUE(sets_own_cookie(set)) << set;
      EXPECT_EQ(without_own_cookies(set.substr(0, set.find(';'))), std::nullopt) << set;
    }
  }
}

TEST(LoginCookies, TwoOfANameAreNone) {
  const LoginCookies cookies(kHttp, 8000);
  const auto of = [&](const char* value) {
    FieldList fields;
    fields.add("Cookie", value);
    return std::string(cookies.login_of(fields).value_or("none")) + " " +
           std::string(cookies.attempt_of(fields).value_or("none"));
  };
  EXPECT_EQ(of("a=1; hpc-manager-8000=x"), "x none");
  EXPECT_EQ(of("hpc-manager-8000-attempt=y"), "none y");
  EXPECT_EQ(of("hpc-manager-8000=x; hpc-manager-8000=y"), "none none");
  EXPECT_EQ(of("hpc-manager-8001=x; __Host-hpc-manager=y"), "none none");
}

}  // namespace
}  // namespace hpc
