#include "manager/session/token_table.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "common/hello.h"
#include "common/utf8.h"

namespace hpc {

namespace {

constexpr std::string_view kPrefix = "hpm_";
constexpr std::size_t kHexDigits = 64;
constexpr std::size_t kIdDigits = 16;

TokenHash hash_of(std::string_view text) {
  TokenHash hash;
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
  return hash;
}

bool is_label(std::string_view label) {
  if (label.size() > kTokenLabelBytesMax) return false;
  while (!label.empty()) {
    const std::size_t size = printable_utf8_size(label);
    if (size == 0) return false;
    label.remove_prefix(size);
  }
  return true;
}

/// When it was last seen alive.
std::int64_t idle_since(const TokenRow& row) {
  return std::max(row.created_at, row.last_used_at.value_or(0));
}

TokenView view_of(const TokenRow& row) {
  return {row.id,
          row.kind,
          row.label,
          row.created_at,
          row.expires_at,
          row.last_used_at,
          row.revoked_at.has_value()};
}

}  // namespace

bool is_token_text(std::string_view text) {
  return text.size() == kPrefix.size() + kHexDigits && text.substr(0, kPrefix.size()) == kPrefix &&
         std::all_of(text.begin() + kPrefix.size(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

TokenTable::KeyedHash::KeyedHash() : key{} { randombytes_buf(key.data(), key.size()); }

std::size_t TokenTable::KeyedHash::operator()(const TokenHash& hash) const {
  static_assert(sizeof key == crypto_shorthash_KEYBYTES);
  std::array<unsigned char, crypto_shorthash_BYTES> out;
  crypto_shorthash(out.data(), hash.data(), hash.size(), key.data());
  std::size_t bucket = 0;
  std::memcpy(&bucket, out.data(), sizeof bucket);
  return bucket;
}

bool TokenTable::ConstantTimeEqual::operator()(const TokenHash& a, const TokenHash& b) const {
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

TokenTable::TokenTable(Store& store, UnixClock now) : store_(store), now_(std::move(now)) {}

void TokenTable::restore(const std::vector<TokenRow>& rows) {
  for (const TokenRow& row : rows) {
    if (!row.revoked_at && !expired(row)) add(row);
  }
}

void TokenTable::add(const TokenRow& row) {
  tokens_[row.hash] = {row, row.last_used_at.value_or(0)};
  users_[row.user].by_id[row.id] = row.hash;
}

void TokenTable::remove(const std::string& user, const std::string& id) {
  const auto owner = users_.find(user);
  if (owner == users_.end()) return;
  const auto token = owner->second.by_id.find(id);
  if (token == owner->second.by_id.end()) return;
  tokens_.erase(token->second);
  owner->second.by_id.erase(token);
  forget_if_empty(user);
}

void TokenTable::forget_if_empty(const std::string& user) {
  const auto owner = users_.find(user);
  const UserTokens& left = owner->second;
  if (left.by_id.empty() && left.logins_coming + left.api_coming == 0) users_.erase(owner);
}

bool TokenTable::expired(const TokenRow& row) const {
  return row.expires_at && *row.expires_at <= now_();
}

void TokenTable::drop_expired(const std::string& user) {
  const auto owner = users_.find(user);
  if (owner == users_.end()) return;
  std::vector<std::string> gone;
  for (const auto& [id, hash] : owner->second.by_id) {
    if (expired(tokens_.at(hash).row)) gone.push_back(id);
  }
  for (const std::string& id : gone) remove(user, id);
}

std::size_t TokenTable::count(const std::string& user, TokenKind kind) {
  const auto owner = users_.find(user);
  if (owner == users_.end()) return 0;
  std::size_t found = owner->second.coming(kind);
  for (const auto& [id, hash] : owner->second.by_id) found += tokens_.at(hash).row.kind == kind;
  return found;
}

/// Ends the login that was unused for longest; nothing while all of them are still to be stored.
std::optional<TokenRow> TokenTable::take_idle_login(const std::string& user) {
  std::optional<TokenRow> idle;
  for (const auto& [id, hash] : users_[user].by_id) {
    const TokenRow& row = tokens_.at(hash).row;
    if (row.kind != TokenKind::kLogin) continue;
    if (!idle || idle_since(row) < idle_since(*idle)) idle = row;
  }
  if (idle) remove(user, idle->id);
  return idle;
}

Status TokenTable::create(const std::string& user, TokenKind kind, const std::string& label,
                          std::optional<std::int64_t> expires_at, const Created& done) {
  const auto now = now_();
  if (!is_label(label)) {
    return fail(Errc::kBadRequest, "token",
                "a label has at most " + std::to_string(kTokenLabelBytesMax) +
                    " bytes, all of them printable text");
  }
  if (expires_at ? *expires_at <= now : kind == TokenKind::kLogin) {
    return fail(Errc::kBadRequest, "token", "it must expire in the future");
  }
  drop_expired(user);
  const bool login = kind == TokenKind::kLogin;
  std::optional<TokenRow> replaced;
  if (count(user, kind) >= (login ? kLoginsPerUserMax : kApiTokensPerUserMax)) {
    if (login) replaced = take_idle_login(user);
    if (!replaced) {
      return fail(Errc::kTooLarge, "token",
                  "you have " + std::to_string(login ? kLoginsPerUserMax : kApiTokensPerUserMax) +
                      (login ? " logins" : " tokens") +
                      ", and that is the limit; revoke one first");
    }
  }
  const std::string text = std::string(kPrefix) + random_hex64();
  const TokenRow row{random_hex64().substr(0, kIdDigits),
                     user,
                     hash_of(text),
                     kind,
                     label,
                     now,
                     expires_at,
                     std::nullopt,
                     std::nullopt};
  std::vector<Change> changes = {PutToken{row}};
  if (replaced) {
    TokenRow ended = *replaced;
    ended.revoked_at = now;
    changes.emplace_back(PutToken{ended});
  }
  ++users_[user].coming(kind);
  auto accepted = store_.write(std::move(changes), [=, this](const Status& status) {
    created(row, text, replaced, status, done);
  });
  if (!accepted) created(row, text, replaced, accepted, nullptr);
  return accepted;
}

void TokenTable::created(const TokenRow& row, const std::string& text,
                         const std::optional<TokenRow>& replaced, const Status& status,
                         const Created& done) {
  --users_[row.user].coming(row.kind);
  if (status) {
    add(row);
  } else if (replaced) {
    add(*replaced);  // nothing has changed: it is still good
  } else {
    forget_if_empty(row.user);
  }
  if (!done) return;
  if (status) {
    done(NewToken{row.id, text});
  } else {
    done(tl::unexpected(status.error()));
  }
}

std::optional<TokenBearer> TokenTable::find(std::string_view text) {
  if (!is_token_text(text)) return std::nullopt;
  const auto found = tokens_.find(hash_of(text));
  if (found == tokens_.end()) return std::nullopt;
  Token& token = found->second;
  if (token.row.revoked_at) return std::nullopt;
  if (expired(token.row)) {
    const TokenRow gone = token.row;
    remove(gone.user, gone.id);
    return std::nullopt;
  }
  note_use(token);
  return TokenBearer{token.row.id, token.row.user, token.row.kind};
}

void TokenTable::note_use(Token& token) {
  const auto now = now_();
  token.row.last_used_at = now;
  const auto age = now - token.use_stored_at;
  if (age >= 0 && age < kLastUsedEveryMs) return;  // negative: the clock was put back
  token.use_stored_at = now;
  // Nobody is told of a failure: the next use in a minute tries again.
  static_cast<void>(store_.write({TouchToken{token.row.id, now}}, nullptr));
}

std::vector<TokenView> TokenTable::list(const std::string& user) {
  drop_expired(user);
  std::vector<TokenView> views;
  const auto owner = users_.find(user);
  if (owner == users_.end()) return views;
  for (const auto& [id, hash] : owner->second.by_id) views.push_back(view_of(tokens_.at(hash).row));
  std::sort(views.begin(), views.end(), [](const TokenView& a, const TokenView& b) {
    return std::tie(a.created_at, a.id) < std::tie(b.created_at, b.id);
  });
  return views;
}

std::vector<std::string> TokenTable::users() const {
  std::vector<std::string> names;
  for (const auto& [user, tokens] : users_) {
    if (!tokens.by_id.empty()) names.push_back(user);
  }
  return names;
}

std::optional<std::string> TokenTable::owner_of(const std::string& id) const {
  for (const auto& [user, tokens] : users_) {
    if (tokens.by_id.count(id) != 0) return user;
  }
  return std::nullopt;
}

bool TokenTable::is_good(const std::string& user, const std::string& id) const {
  const auto owner = users_.find(user);
  if (owner == users_.end()) return false;
  const auto hash = owner->second.by_id.find(id);
  if (hash == owner->second.by_id.end()) return false;
  const TokenRow& row = tokens_.at(hash->second).row;
  return !row.revoked_at && !expired(row);
}

Status TokenTable::revoke(const std::string& user, const std::string& id,
                          const Store::Committed& done) {
  drop_expired(user);
  const auto owner = users_.find(user);
  const bool known = owner != users_.end() && owner->second.by_id.count(id) != 0;
  if (!known) return fail(Errc::kNotFound, "token", "you have no token " + id);
  TokenRow& row = tokens_.at(owner->second.by_id.at(id)).row;
  if (!row.revoked_at) row.revoked_at = now_();
  return store_.write({PutToken{row}}, [this, user, id, done](const Status& status) {
    if (status) remove(user, id);
    if (done) done(status);
  });
}

}  // namespace hpc
