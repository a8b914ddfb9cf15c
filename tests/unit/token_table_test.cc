#include "manager/session/token_table.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_store.h"

namespace hpc {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;
constexpr std::int64_t kHourMs = 3'600'000;

struct TokenTableTest : ::testing::Test {
  std::int64_t now = kNow;
  FakeStore store;
  std::unique_ptr<TokenTable> table = std::make_unique<TokenTable>(store, [this] { return now; });

  std::vector<Result<NewToken>> created;
  Status ask(const std::string& user, TokenKind kind = TokenKind::kApi,
             std::optional<std::int64_t> expires_at = std::nullopt) {
    if (kind == TokenKind::kLogin && !expires_at) expires_at = now + kHourMs;
    return table->create(user, kind, "label", expires_at,
                         [this](const Result<NewToken>& token) { created.push_back(token); });
  }
  NewToken make(const std::string& user, TokenKind kind = TokenKind::kApi,
                std::optional<std::int64_t> expires_at = std::nullopt) {
    const auto asked = ask(user, kind, expires_at);
    EXPECT_TRUE(asked.has_value()) << describe(asked.error());
    store.commit();
    EXPECT_TRUE(created.back().has_value());
    return created.back().value_or(NewToken{});
  }
  Status label(const std::string& text) {
    return table->create("alice", TokenKind::kApi, text, std::nullopt, nullptr);
  }
  bool good(const NewToken& token) { return table->find(token.text).has_value(); }
  /// As a restart does: from what was stored.
  void restart() {
    std::map<std::string, TokenRow> rows;
    for (const auto& put : store.all<PutToken>()) rows[put.row.id] = put.row;
    std::vector<TokenRow> stored;
    stored.reserve(rows.size());
    for (const auto& [id, row] : rows) stored.push_back(row);
    table = std::make_unique<TokenTable>(store, [this] { return now; });
    table->restore(stored);
  }
};

struct TextCase {
  const char* name;
  std::string text;
  bool token;
};
TEST(TokenText, IsExactlyThePrefixAndTheDigits) {
  const std::string digits(64, 'a');
  const TextCase cases[] = {
      {"plain", "hpm_" + digits, true},
      {"all digits",
       "hpm_" + std::string("0123456789abcdef0123456789abcdef") +
           "0123456789abcdef0123456789abcdef",
       true},
      {"empty", "", false},
      {"prefix only", "hpm_", false},
      {"no prefix", digits, false},
      {"one short", "hpm_" + digits.substr(1), false},
      {"one long", "hpm_" + digits + "a", false},
      {"upper case digit", "hpm_A" + digits.substr(1), false},
      {"upper case prefix", "HPM_" + digits, false},
      {"not a digit", "hpm_g" + digits.substr(1), false},
      {"space behind", "hpm_" + digits.substr(1) + " ", false},
      {"NUL inside", "hpm_" + digits.substr(1) + std::string(1, '\0'), false},
      {"other prefix", "hpx_" + digits, false},
  };
  for (const auto& c : cases) EXPECT_EQ(is_token_text(c.text), c.token) << c.name;
}

TEST_F(TokenTableTest, ANewTokenIsGoodOnceItIsStored) {
  ASSERT_TRUE(ask("alice"));
  EXPECT_TRUE(created.empty());
  EXPECT_EQ(table->size(), 0u);
  store.commit();
  ASSERT_EQ(created.size(), 1u);
  ASSERT_TRUE(created[0].has_value());
  EXPECT_TRUE(is_token_text(created[0]->text));
  EXPECT_EQ(table->find(created[0]->text), (TokenBearer{created[0]->id, "alice", TokenKind::kApi}));
}

TEST_F(TokenTableTest, ATokenThatWasNotStoredDoesNotExist) {
  ASSERT_TRUE(ask("alice"));
  store.commit(fail(Errc::kSystem, "state file", "the disk is full"));
  ASSERT_EQ(created.size(), 1u);
  EXPECT_FALSE(created[0].has_value());
  EXPECT_EQ(table->size(), 0u);
  EXPECT_EQ(table->user_count(), 0u);
  store.refuse = fail(Errc::kUnavailable, "store", "full queue");
  const auto refused = ask("alice");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnavailable);
  EXPECT_EQ(created.size(), 1u) << "told by the return value only";
  EXPECT_EQ(table->user_count(), 0u);
}

TEST_F(TokenTableTest, OnlyTheHashIsStored) {
  const NewToken token = make("alice");
  const auto put = store.all<PutToken>();
  ASSERT_EQ(put.size(), 1u);
  const TokenRow& row = put[0].row;
  TokenHash hash;
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(token.text.data()),
                     token.text.size());
  EXPECT_EQ(row.hash, hash);
  EXPECT_EQ(row.id, token.id);
  EXPECT_EQ(token.id.size(), 16u);
  EXPECT_EQ(token.text.find(token.id), std::string::npos) << "the id is no part of the secret";
  EXPECT_EQ(row.user, "alice");
  EXPECT_EQ(row.label, "label");
  EXPECT_EQ(row.created_at, kNow);
}

TEST_F(TokenTableTest, NoTwoAreEqual) {
  std::set<std::string> texts;
  std::set<std::string> ids;
  for (std::size_t i = 0; i < kApiTokensPerUserMax; ++i) {
    const NewToken token = make("alice");
    texts.insert(token.text);
    ids.insert(token.id);
  }
  EXPECT_EQ(texts.size(), kApiTokensPerUserMax);
  EXPECT_EQ(ids.size(), kApiTokensPerUserMax);
}

TEST_F(TokenTableTest, FindsNothingForAnotherText) {
  NewToken token = make("alice");
  for (const std::size_t at : {std::size_t{4}, std::size_t{35}, token.text.size() - 1}) {
    std::string other = token.text;
    other[at] = other[at] == '0' ? '1' : '0';
    EXPECT_FALSE(table->find(other)) << at;
  }
  EXPECT_FALSE(table->find(""));
  EXPECT_FALSE(table->find(token.text + "0"));
  EXPECT_FALSE(table->find(token.text.substr(1)));
  EXPECT_TRUE(table->find(token.text));
}

TEST_F(TokenTableTest, ExpiresByTheWallClock) {
  const NewToken token = make("alice", TokenKind::kApi, kNow + kHourMs);
  now = kNow + kHourMs - 1;
  EXPECT_TRUE(good(token));
  now = kNow + kHourMs;
  EXPECT_FALSE(good(token));
  EXPECT_EQ(table->size(), 0u);
  now = kNow;
  EXPECT_FALSE(good(token)) << "what has expired is not good again when the clock is put back";
}

TEST_F(TokenTableTest, ExpiryLiesInTheFuture) {
  EXPECT_FALSE(ask("alice", TokenKind::kApi, now));
  EXPECT_FALSE(ask("alice", TokenKind::kApi, now - 1));
  EXPECT_TRUE(ask("alice", TokenKind::kApi, now + 1));
  const auto forever = table->create("alice", TokenKind::kLogin, "", std::nullopt, nullptr);
  ASSERT_FALSE(forever) << "a login ends some day";
  EXPECT_EQ(forever.error().code, Errc::kBadRequest);
}

TEST_F(TokenTableTest, LabelsAreShortPrintableText) {
  EXPECT_TRUE(label(""));
  EXPECT_TRUE(label("B\xC3\xBCro, \"laptop\" <b>"));
  EXPECT_TRUE(label(std::string(kTokenLabelBytesMax, 'x')));
  for (const std::string& bad :
       {std::string(kTokenLabelBytesMax + 1, 'x'), std::string("a\nb"), std::string("\x1B[31m"),
        std::string("\xFF"), std::string("a\0b", 3), std::string("\xE2\x80\xAE")}) {
    const auto refused = label(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, Errc::kBadRequest);
  }
}

TEST_F(TokenTableTest, ApiTokensPastTheLimitAreRefused) {
  for (std::size_t i = 0; i + 1 < kApiTokensPerUserMax; ++i) make("alice");
  ASSERT_TRUE(ask("alice")) << "the last one, not stored yet";
  const auto refused = ask("alice");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kTooLarge);
  EXPECT_NE(refused.error().detail.find("you have 50 tokens"), std::string::npos);
  store.commit();
  EXPECT_FALSE(ask("alice"));
  EXPECT_TRUE(ask("bob")) << "others have limits of their own";
  EXPECT_TRUE(ask("alice", TokenKind::kLogin)) << "so have logins";
  ASSERT_TRUE(table->revoke("alice", table->list("alice")[0].id, nullptr));
  store.commit();
  EXPECT_TRUE(ask("alice"));
}

TEST_F(TokenTableTest, ExpiredTokensDoNotCount) {
  for (std::size_t i = 0; i < kApiTokensPerUserMax; ++i) make("alice", TokenKind::kApi, now + 1);
  EXPECT_FALSE(ask("alice"));
  now += 1;
  EXPECT_TRUE(ask("alice"));
}

TEST_F(TokenTableTest, ALoginTooManyEndsTheOneThatWasUnusedForLongest) {
  std::vector<NewToken> logins;
  for (std::size_t i = 0; i < kLoginsPerUserMax; ++i) {
    logins.push_back(make("alice", TokenKind::kLogin));
    ++now;
  }
  EXPECT_TRUE(good(logins[0]));  // so the second is the one
  ++now;
  make("alice", TokenKind::kLogin);
  EXPECT_FALSE(good(logins[1]));
  EXPECT_TRUE(good(logins[0]));
  EXPECT_TRUE(good(logins[2]));
  EXPECT_EQ(table->size(), kLoginsPerUserMax);
  restart();
  EXPECT_FALSE(good(logins[1])) << "it was revoked in the store, too";
  EXPECT_EQ(table->size(), kLoginsPerUserMax);
}

TEST_F(TokenTableTest, ALoginThatCannotBeStoredEndsNoOther) {
  std::vector<NewToken> logins;
  for (std::size_t i = 0; i < kLoginsPerUserMax; ++i) {
    logins.push_back(make("alice", TokenKind::kLogin));
  }
  ASSERT_TRUE(ask("alice", TokenKind::kLogin));
  store.commit(fail(Errc::kSystem, "state file", "the disk is full"));
  store.refuse = fail(Errc::kUnavailable, "store", "full queue");
  EXPECT_FALSE(ask("alice", TokenKind::kLogin));
  for (const NewToken& login : logins) EXPECT_TRUE(good(login));
}

TEST_F(TokenTableTest, LoginsThatAreNotStoredYetAreLimited) {
  for (std::size_t i = 0; i < kLoginsPerUserMax; ++i) ASSERT_TRUE(ask("alice", TokenKind::kLogin));
  EXPECT_FALSE(ask("alice", TokenKind::kLogin));
  store.commit();
  EXPECT_TRUE(ask("alice", TokenKind::kLogin));
}

TEST_F(TokenTableTest, RevokedIsRevokedAtOnce) {
  const NewToken token = make("alice");
  std::vector<bool> told;
  ASSERT_TRUE(table->revoke("alice", token.id,
                            [&](const Status& status) { told.push_back(status.has_value()); }));
  EXPECT_FALSE(good(token));
  EXPECT_TRUE(told.empty());
  store.commit();
  EXPECT_EQ(told, std::vector<bool>{true});
  EXPECT_EQ(table->size(), 0u);
  EXPECT_EQ(store.all<PutToken>().back().row.revoked_at, kNow);
  restart();
  EXPECT_FALSE(good(token));
}

TEST_F(TokenTableTest, ARevocationThatWasNotStoredCanBeRepeated) {
  const NewToken token = make("alice");
  std::vector<bool> told;
  const auto tell = [&](const Status& status) { told.push_back(status.has_value()); };
  ASSERT_TRUE(table->revoke("alice", token.id, tell));
  store.commit(fail(Errc::kSystem, "state file", "the disk is full"));
  EXPECT_EQ(told, std::vector<bool>{false});
  EXPECT_FALSE(good(token));
  ASSERT_EQ(table->list("alice").size(), 1u);
  EXPECT_TRUE(table->list("alice")[0].revoked);
  now += 5;
  ASSERT_TRUE(table->revoke("alice", token.id, tell));
  store.commit();
  EXPECT_EQ(told, (std::vector<bool>{false, true}));
  EXPECT_TRUE(table->list("alice").empty());
  EXPECT_EQ(store.all<PutToken>().back().row.revoked_at, kNow) << "when it was revoked first";
}

TEST_F(TokenTableTest, NobodyRevokesWhatIsNotTheirs) {
  const NewToken token = make("alice");
  const auto foreign = table->revoke("bob", token.id, nullptr);
  const auto none = table->revoke("bob", std::string(16, '0'), nullptr);
  ASSERT_FALSE(foreign || none);
  EXPECT_EQ(foreign.error().code, Errc::kNotFound);
  EXPECT_EQ(none.error().code, Errc::kNotFound);
  EXPECT_TRUE(good(token));
}

TEST_F(TokenTableTest, ListsTheUsersOwnOldestFirst) {
  const NewToken first = make("alice", TokenKind::kApi, kNow + kHourMs);
  now += 10;
  const NewToken second = make("alice", TokenKind::kLogin, kNow + 2 * kHourMs);
  make("bob");
  now += 10;
  EXPECT_TRUE(good(second));
  EXPECT_EQ(table->list("alice"),
            (std::vector<TokenView>{
                {first.id, TokenKind::kApi, "label", kNow, kNow + kHourMs, std::nullopt, false},
                {second.id, TokenKind::kLogin, "label", kNow + 10, kNow + 2 * kHourMs, kNow + 20,
                 false}}));
  now = kNow + kHourMs;
  EXPECT_EQ(table->list("alice").size(), 1u) << "expired ones are not shown";
  EXPECT_TRUE(table->list("carol").empty());
}

TEST_F(TokenTableTest, StoresTheLastUseOnceAMinute) {
  const NewToken token = make("alice");
  const auto writes_of = [&](std::int64_t at) {
    now = at;
    EXPECT_TRUE(good(token));
    store.commit();
    return store.all<TouchToken>().size();
  };
  EXPECT_EQ(writes_of(kNow), 1u);
  EXPECT_EQ(writes_of(kNow + 1), 1u);
  EXPECT_EQ(writes_of(kNow + kLastUsedEveryMs - 1), 1u);
  EXPECT_EQ(writes_of(kNow + kLastUsedEveryMs), 2u);
  EXPECT_EQ(store.all<TouchToken>().back().last_used_at, kNow + kLastUsedEveryMs);
  EXPECT_EQ(writes_of(kNow - kHourMs), 3u) << "a clock that was put back does not stop it";
  EXPECT_EQ(table->list("alice")[0].last_used_at, kNow - kHourMs);
}

TEST_F(TokenTableTest, AFullStoreDoesNotLockAnybodyOut) {
  const NewToken token = make("alice");
  store.refuse = fail(Errc::kUnavailable, "store", "full queue");
  EXPECT_TRUE(good(token));
}

TEST_F(TokenTableTest, ComesBackAfterARestart) {
  const NewToken kept = make("alice", TokenKind::kLogin, kNow + kHourMs);
  const NewToken expired = make("alice", TokenKind::kApi, kNow + 1);
  const NewToken revoked = make("alice");
  ASSERT_TRUE(table->revoke("alice", revoked.id, nullptr));
  store.commit();
  now += 1;
  restart();
  EXPECT_EQ(table->find(kept.text), (TokenBearer{kept.id, "alice", TokenKind::kLogin}));
  EXPECT_FALSE(good(expired));
  EXPECT_FALSE(good(revoked));
  EXPECT_EQ(table->size(), 1u);
}

TEST_F(TokenTableTest, SaysWhoHasWhichAndWhetherItIsStillGood) {
  const auto bobs = make("bob");
  const auto alices = make("alice", TokenKind::kLogin);
  EXPECT_EQ(table->users(), (std::vector<std::string>{"alice", "bob"}));
  EXPECT_EQ(table->owner_of(bobs.id), "bob");
  EXPECT_EQ(table->owner_of("none"), std::nullopt);
  EXPECT_TRUE(table->is_good("bob", bobs.id));
  EXPECT_FALSE(table->is_good("alice", bobs.id));
  EXPECT_FALSE(table->is_good("carol", bobs.id));
  EXPECT_TRUE(table->revoke("bob", bobs.id, nullptr).has_value());
  EXPECT_FALSE(table->is_good("bob", bobs.id)) << "at once, before it is stored";
  store.commit();
  EXPECT_EQ(table->users(), std::vector<std::string>{"alice"});
  EXPECT_TRUE(table->is_good("alice", alices.id));
  now += kHourMs;
  EXPECT_FALSE(table->is_good("alice", alices.id)) << "expired";
}

TEST_F(TokenTableTest, NothingIsLeftOfUsersWithoutTokens) {
  for (int i = 0; i < 1000; ++i) {
    const std::string user = "user" + std::to_string(i);
    const NewToken token = make(user, i % 2 == 0 ? TokenKind::kApi : TokenKind::kLogin);
    ASSERT_TRUE(table->revoke(user, token.id, nullptr));
    store.commit();
  }
  EXPECT_EQ(table->size(), 0u);
  EXPECT_EQ(table->user_count(), 0u);
}

}  // namespace
}  // namespace hpc
