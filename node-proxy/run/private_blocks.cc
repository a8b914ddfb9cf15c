#include "node-proxy/run/private_blocks.h"

#include <arpa/inet.h>
#include <sodium.h>

#include <array>

#include "common/private_address.h"

namespace hpc {

namespace {

constexpr std::uint32_t kBlockSize = 4;
constexpr std::uint32_t kBlocks = kPrivateNetworkSize / kBlockSize;

/// 64 bits of SHA-256: every bit depends on every bit of uid, id and attempt, so that jobs with
/// neighbouring numbers are spread over the network.
std::uint64_t spread(const std::string& text) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size());
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i) number = number << 8U | digest[i];
  return number;
}

}  // namespace

std::string PrivateBlock::address(unsigned offset) const {
  const std::uint32_t address = first + offset;
  const auto part = [address](unsigned shift) {
    return std::to_string(address >> shift & std::uint32_t{0xFF});
  };
  return part(24) + "." + part(16) + "." + part(8) + "." + part(0);
}

bool PrivateBlock::holds(const SocketEnd& end) const {
  if (!is_private_address(end)) return false;
  constexpr std::size_t kV4At = 12;
  std::uint32_t address = 0;
  for (std::size_t i = kV4At; i < end.address.size(); ++i) address = address << 8U | end.address[i];
  return address - first < kBlockSize;
}

PrivateBlock choose_private_block(std::uint32_t uid, const std::string& id, int attempt) {
  // The id comes last: it is the only part that can hold anything.
  const std::string text = std::to_string(uid) + "/" + std::to_string(attempt) + "/" + id;
  const auto chosen = static_cast<std::uint32_t>(spread(text) % (kBlocks - 2));
  return {kPrivateNetwork + (1 + chosen) * kBlockSize};
}

}  // namespace hpc
