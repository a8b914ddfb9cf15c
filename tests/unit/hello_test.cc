#include "common/hello.h"

#include <gtest/gtest.h>

#include "common/job_record.h"

namespace hpc {
namespace {

const std::string kToken = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const std::string kNonce(64, 'a');

TEST(HelloTest, RandomValuesAreTokensAndDiffer) {
  const std::string first = random_hex64();
  EXPECT_TRUE(is_token(first));
  EXPECT_NE(first, random_hex64());
}

// Counted with Python's hmac module.
TEST(HelloTest, EqualsAnIndependentHmac) {
  const auto mac = hello_hmac(kToken, kNonce);
  ASSERT_TRUE(mac.has_value());
  EXPECT_EQ(*mac, "3c36dd47591241ad90c03293485aef4b92b838d37b30dc85f3515946196b7dba");
}

TEST(HelloTest, NonceCountsAsSent) {
  EXPECT_NE(*hello_hmac(kToken, kNonce), *hello_hmac(kToken, std::string(64, 'A')));
}

TEST(HelloTest, RefusesWhatIsNotANonce) {
  for (const std::string& nonce :
       {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(63, 'a') + "g",
        std::string(63, 'a') + std::string(1, '\0'), std::string(63, 'a') + "\n"}) {
    const auto mac = hello_hmac(kToken, nonce);
    ASSERT_FALSE(mac.has_value()) << nonce;
    EXPECT_EQ(mac.error().code, Errc::kBadRequest);
    EXPECT_EQ(mac.error().detail.find(kToken), std::string::npos);
  }
}

TEST(HelloTest, ComparesTheWholeText) {
  EXPECT_TRUE(equal_in_constant_time(kToken, kToken));
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_FALSE(equal_in_constant_time(kToken, kToken.substr(1)));
  EXPECT_FALSE(equal_in_constant_time(kToken, ""));
  EXPECT_TRUE(equal_in_constant_time(kToken.substr(1), kToken.substr(1)));
  EXPECT_FALSE(equal_in_constant_time(kToken.substr(1), kToken.substr(0, 63)));
  for (std::size_t i = 0; i < kToken.size(); ++i) {
    std::string other = kToken;
    other[i] ^= 1;
    EXPECT_FALSE(equal_in_constant_time(kToken, other)) << i;
  }
}

}  // namespace
}  // namespace hpc
