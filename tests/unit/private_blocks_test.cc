#include "node-proxy/run/private_blocks.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "common/private_address.h"

namespace hpc {
namespace {

constexpr std::uint32_t kUid = 20001;
constexpr std::uint32_t kLastBlock = kPrivateNetwork + kPrivateNetworkSize - 4;

TEST(PrivateBlocksTest, AddressesAreFourNeighbours) {
  const PrivateBlock block{0x7F40'0CFC};
  EXPECT_EQ(block.address(0), "127.64.12.252");
  EXPECT_EQ(block.address(3), "127.64.12.255");
}

TEST(PrivateBlocksTest, SameIdHasTheSameFirstChoice) {
  const auto first = choose_private_block(kUid, "4711-node-07-99", 0).first;
  EXPECT_EQ(choose_private_block(kUid, "4711-node-07-99", 0).first, first);
  // Written down: a run of another version of hpc-proxy chooses as this one.
  EXPECT_EQ(PrivateBlock{first}.address(0), "127.79.44.96");
}

TEST(PrivateBlocksTest, UidIdAndAttemptEachMakeAnother) {
  const auto first = choose_private_block(kUid, "4711-node-07-99", 0).first;
  EXPECT_NE(choose_private_block(kUid + 1, "4711-node-07-99", 0).first, first);
  EXPECT_NE(choose_private_block(kUid, "4711-node-07-98", 0).first, first);
  EXPECT_NE(choose_private_block(kUid, "4711-node-07-99", 1).first, first);
  // Digits do not wander from one part to the other.
  EXPECT_NE(choose_private_block(2000, "11", 1).first, choose_private_block(2000, "1", 11).first);
  EXPECT_NE(choose_private_block(20, "1", 0).first, choose_private_block(2, "01", 0).first);
}

TEST(PrivateBlocksTest, TenThousandJobsAreSpreadOverTheWholeNetwork) {
  constexpr int kJobs = 10'000;
  constexpr std::size_t kParts = 64;
  std::set<std::uint32_t> different;
  std::array<int, kParts> parts{};
  for (int job = 0; job < kJobs; ++job) {
    const auto first =
        choose_private_block(kUid, std::to_string(100'000 + job) + "-node-07-4711", 0).first;
    ASSERT_EQ(first % 4, 0U);
    ASSERT_GT(first, kPrivateNetwork) << "never 127.64.0.0 to 127.64.0.3";
    ASSERT_LT(first, kLastBlock) << "never the last four";
    different.insert(first);
    ++parts[(first - kPrivateNetwork) / (kPrivateNetworkSize / kParts)];
  }
  // Chance alone makes 48 pairs among a million blocks.
  EXPECT_GT(different.size(), 9'900U);
  for (const int jobs : parts) {
    EXPECT_GT(jobs, kJobs / 64 / 2);
    EXPECT_LT(jobs, kJobs / 64 * 2);
  }
}

TEST(PrivateBlocksTest, AttemptsOfOneJobAreDifferentBlocks) {
  std::set<std::uint32_t> different;
  for (int attempt = 0; attempt < 64; ++attempt) {
    different.insert(choose_private_block(kUid, "1", attempt).first);
  }
  EXPECT_EQ(different.size(), 64U);
}

TEST(PrivateBlocksTest, HoldsItsFourAddressesAndNoOther) {
  const PrivateBlock block{0x7F40'0C08};
  for (const char* address : {"127.64.12.8", "127.64.12.11", "::ffff:127.64.12.9"}) {
    EXPECT_TRUE(block.holds(*make_socket_end(address, 80))) << address;
  }
  for (const char* address : {"127.64.12.7", "127.64.12.12", "127.0.0.1", "0.0.0.0",
                              "::", "::127.64.12.8", "126.64.12.8"}) {
    EXPECT_FALSE(block.holds(*make_socket_end(address, 80))) << address;
  }
}

}  // namespace
}  // namespace hpc
