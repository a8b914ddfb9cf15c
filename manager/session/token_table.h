#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/result.h"
#include "manager/store/store.h"

namespace hpc {

// What one user can have at a time. Programs have few tokens and keep them; browsers come and go,
// so a login too many ends the one that was unused for longest instead of being refused.
constexpr std::size_t kApiTokensPerUserMax = 50;
constexpr std::size_t kLoginsPerUserMax = 20;
constexpr std::size_t kTokenLabelBytesMax = 100;
// How exact the stored time of the last use is: a program that asks all the time costs a write a
// minute.
constexpr std::int64_t kLastUsedEveryMs = 60'000;

/// Whether `text` looks like a token of ours: "hpm_" and 64 lower-case hex digits (contract 2.2).
/// Tells nothing about whether it is one.
bool is_token_text(std::string_view text);

/// A token as it is shown once, to its user: nobody can show it again.
struct NewToken {
  std::string id;  // 16 hex digits
  std::string text;
};

/// Who showed a token.
struct TokenBearer {
  std::string id;
  std::string user;
  TokenKind kind = TokenKind::kApi;

  bool operator==(const TokenBearer&) const = default;
};

/// A token as its user may see it.
struct TokenView {
  std::string id;
  TokenKind kind = TokenKind::kApi;
  std::string label;
  std::int64_t created_at = 0;
  std::optional<std::int64_t> expires_at;
  std::optional<std::int64_t> last_used_at;
  bool revoked = false;  // no longer good, but the store does not know yet: revoke it again

  bool operator==(const TokenView&) const = default;
};

/// Who may use the API with which token, and which browser is logged in: 256 random bits each, of
/// which only the SHA-256 is kept, here and in the store. Loop's thread; pure.
class TokenTable {
 public:
  /// Behind the store's write: the token is good from then on. An error: there is none.
  using Created = std::function<void(const Result<NewToken>&)>;

  /// `store` must outlive the table, and calls nobody any more when the table goes away.
  TokenTable(Store& store, UnixClock now);
  TokenTable(const TokenTable&) = delete;
  TokenTable& operator=(const TokenTable&) = delete;

  /// What was stored before a restart.
  void restore(const std::vector<TokenRow>& rows);

  /// `expires_at`: nothing for never; a login must have one. kBadRequest: a label that is too long
  /// or has control bytes, an expiry that is past; kTooLarge: kApiTokensPerUserMax; else as
  /// Store::write(). After an error `done` is not called.
  Status create(const std::string& user, TokenKind kind, const std::string& label,
                std::optional<std::int64_t> expires_at, const Created& done);

  /// Whose it is, if it is good now; notes the use. Takes as long for a wrong token as for another
  /// wrong one, whatever there is in the table.
  std::optional<TokenBearer> find(std::string_view text);

  /// Of one user, oldest first.
  std::vector<TokenView> list(const std::string& user);
  /// Who has any, in the order of their names.
  std::vector<std::string> users() const;
  /// Whose token has this id; nothing: there is none.
  std::optional<std::string> owner_of(const std::string& id) const;
  /// Whether what it let in may stay: not revoked, not expired.
  bool is_good(const std::string& user, const std::string& id) const;

  /// The token is not good any more when this returns. `done` tells whether that will still hold
  /// after a restart. kNotFound: the user has none of that id; else as Store::write(): then the
  /// token stays in the list, to be revoked again. After an error `done` is not called.
  Status revoke(const std::string& user, const std::string& id, const Store::Committed& done);

  std::size_t size() const { return tokens_.size(); }
  /// Users that have a token, or will have one when the store answers.
  std::size_t user_count() const { return users_.size(); }

 private:
  /// With a key of our own, so that nobody who picks hashes can learn where others are.
  struct KeyedHash {
    KeyedHash();
    std::size_t operator()(const TokenHash& hash) const;
    std::array<unsigned char, 16> key;
  };
  struct ConstantTimeEqual {
    bool operator()(const TokenHash& a, const TokenHash& b) const;
  };
  struct Token {
    TokenRow row;
    std::int64_t use_stored_at = 0;
  };
  struct UserTokens {
    std::map<std::string, TokenHash> by_id;
    std::size_t logins_coming = 0;  // written, not stored yet
    std::size_t api_coming = 0;
    std::size_t& coming(TokenKind kind) {
      return kind == TokenKind::kLogin ? logins_coming : api_coming;
    }
  };

  void add(const TokenRow& row);
  void remove(const std::string& user, const std::string& id);
  void forget_if_empty(const std::string& user);
  bool expired(const TokenRow& row) const;
  void drop_expired(const std::string& user);
  std::size_t count(const std::string& user, TokenKind kind);
  std::optional<TokenRow> take_idle_login(const std::string& user);
  void created(const TokenRow& row, const std::string& text,
               const std::optional<TokenRow>& replaced, const Status& status, const Created& done);
  void note_use(Token& token);

  Store& store_;
  const UnixClock now_;  // wall clock: expiry is a date
  std::unordered_map<TokenHash, Token, KeyedHash, ConstantTimeEqual> tokens_;
  std::map<std::string, UserTokens> users_;
};

}  // namespace hpc
