#include "manager/gateway/api_tokens.h"

#include "tests/support/api_fixture.h"

namespace hpc {
namespace {

struct ApiTokensTest : ApiFixture {
  const Caller alice = caller("alice");
  const Caller root = caller("root", true);
  /// The new token's id and text.
  NewToken make(const Caller& who, const std::string& body = "{}") {
    const auto answer = ask("POST /api/v1/tokens", who, body);
    EXPECT_EQ(answer.status, 201) << answer.body;
    const auto object = json(answer);
    return {json_text(object.get(), "id").value_or(""),
            json_text(object.get(), "token").value_or("")};
  }
};

TEST_F(ApiTokensTest, TheTextIsShownOnceAndTheTokenIsGood) {
  const auto answer = ask("POST /api/v1/tokens", alice, R"({"label":"CI","expires_in":3600})");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(field(answer, "Cache-Control"), "no-store");
  EXPECT_EQ(member(answer, "label"), "\"CI\"");
  EXPECT_EQ(member(answer, "user"), "\"alice\"");
  EXPECT_EQ(member(answer, "created_at"), "\"2026-03-01T12:00:00.000Z\"");
  EXPECT_EQ(member(answer, "expires_at"), "\"2026-03-01T13:00:00.000Z\"");
  const auto object = json(answer);
  const auto text = json_text(object.get(), "token").value_or("");
  EXPECT_EQ(tokens.find(text)->user, "alice");
  EXPECT_EQ(field(answer, "Location"), "/api/v1/tokens/" + *json_text(object.get(), "id"));
  const auto list = ask("GET /api/v1/tokens", alice);
  EXPECT_EQ(member(list, "count"), "1");
  EXPECT_EQ(list.body.find(text), std::string::npos);
  EXPECT_EQ(list.body.find("hpm_"), std::string::npos);
}

TEST_F(ApiTokensTest, WithoutAnExpiryItStays) {
  const auto token = make(alice);
  now += std::int64_t{10} * 365 * 24 * 3600 * 1000;
  EXPECT_TRUE(tokens.find(token.text).has_value());
}

TEST_F(ApiTokensTest, EverybodySeesHisOwnAndAnOperatorAll) {
  make(alice);
  make(caller("bob"));
  EXPECT_EQ(member(ask("GET /api/v1/tokens", alice), "count"), "1");
  EXPECT_EQ(member(ask("GET /api/v1/tokens", op()), "count"), "2");
  EXPECT_EQ(member(ask("GET /api/v1/tokens?user=bob", op()), "count"), "1");
  EXPECT_EQ(member(ask("GET /api/v1/tokens?user=bob", root), "count"), "1");
  EXPECT_EQ(member(ask("GET /api/v1/tokens", root), "count"), "0");
}

TEST_F(ApiTokensTest, OnlyAnOperatorMakesThemForOthers) {
  const std::string for_bob = R"({"user":"bob"})";
  EXPECT_EQ(status("POST /api/v1/tokens", alice, for_bob), 403);
  EXPECT_EQ(status("POST /api/v1/tokens", root, for_bob), 403)
      << "who has a user's token is that user, and an administrator is not";
  EXPECT_TRUE(tokens.users().empty());
  const auto token = make(op(), for_bob);
  EXPECT_EQ(tokens.find(token.text)->user, "bob");
  EXPECT_EQ(status("POST /api/v1/tokens", op(), "{}"), 400) << "for whom?";
  EXPECT_EQ(status("POST /api/v1/tokens?user=bob", root, "{}"), 201);
  EXPECT_EQ(tokens.users().back(), "root") << "the query names nobody here";
}

TEST_F(ApiTokensTest, RevokesHisOwn) {
  const auto token = make(alice);
  EXPECT_EQ(status("DELETE /api/v1/tokens/" + token.id, alice), 204);
  EXPECT_FALSE(tokens.find(token.text).has_value());
  EXPECT_EQ(status("DELETE /api/v1/tokens/" + token.id, alice), 404);
}

TEST_F(ApiTokensTest, SomebodyElsesIsAnsweredLikeNone) {
  const auto token = make(caller("bob"));
  const auto foreign = ask("DELETE /api/v1/tokens/" + token.id, alice);
  const auto missing = ask("DELETE /api/v1/tokens/0123456789abcdef", alice);
  EXPECT_EQ(foreign.status, 404);
  EXPECT_EQ(foreign.body, missing.body);
  EXPECT_EQ(foreign.fields, missing.fields);
  EXPECT_TRUE(tokens.find(token.text).has_value());
  EXPECT_EQ(status("DELETE /api/v1/tokens/" + token.id, root), 204) << "an administrator may";
}

TEST_F(ApiTokensTest, TooManyIs429) {
  for (std::size_t i = 0; i < kApiTokensPerUserMax; ++i) make(alice);
  const auto answer = ask("POST /api/v1/tokens", alice, "{}");
  EXPECT_EQ(answer.status, 429);
  EXPECT_NE(answer.body.find("revoke one first"), std::string::npos);
}

TEST_F(ApiTokensTest, AStoreThatCannotWriteIsSaid) {
  store.refuse = fail(Errc::kUnavailable, "store", "the disk is full");
  EXPECT_EQ(status("POST /api/v1/tokens", alice, "{}"), 503);
  store.refuse = {};
  EXPECT_EQ(status("POST /api/v1/tokens", alice, "{\"label\":\"a\\nb\"}"), 400);
}

}  // namespace
}  // namespace hpc
