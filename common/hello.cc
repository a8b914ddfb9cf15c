#include "common/hello.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cassert>

#include "common/job_record.h"

namespace hpc {

namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kSecretHexDigits = 2 * kSecretBytes;
constexpr std::string_view kGreeting = "hpc-proxy hello v1\n";
using Secret = std::array<unsigned char, kSecretBytes>;

std::string to_hex(const Secret& bytes) {
  std::string text(kSecretHexDigits + 1, '\0');  // sodium_bin2hex writes a final NUL
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  text.pop_back();
  return text;
}

bool is_nonce(std::string_view text) {
  return text.size() == kSecretHexDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

}  // namespace

std::string random_hex64() {
  [[maybe_unused]] const int rc = sodium_init();  // may be called again and again
  assert(rc >= 0 && "no source of randomness");
  Secret bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  std::string text = to_hex(bytes);
  sodium_memzero(bytes.data(), bytes.size());
  return text;
}

Result<std::string> hello_hmac(std::string_view token, std::string_view nonce) {
  assert(is_token(token));
  if (!is_nonce(nonce)) {
    return fail(Errc::kBadRequest, "hello", "the nonce must be 64 hex digits");
  }
  Secret key{};
  [[maybe_unused]] const int rc =
      sodium_hex2bin(key.data(), key.size(), token.data(), token.size(), nullptr, nullptr, nullptr);
  assert(rc == 0 && "is_token() has looked at it");
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key.data(), key.size());
  const auto update = [&state](std::string_view text) {
    crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(text.data()),
                                  text.size());
  };
  update(kGreeting);
  update(nonce);
  Secret mac{};
  crypto_auth_hmacsha256_final(&state, mac.data());
  sodium_memzero(key.data(), key.size());
  return to_hex(mac);
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  // The length is no secret: every token is 64 digits. Of these libsodium compares many at once.
  if (a.size() == crypto_verify_64_BYTES && b.size() == crypto_verify_64_BYTES) {
    return crypto_verify_64(reinterpret_cast<const unsigned char*>(a.data()),
                            reinterpret_cast<const unsigned char*>(b.data())) == 0;
  }
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace hpc
