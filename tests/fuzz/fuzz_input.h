#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace hpc {

/// Stops the run, so that the fuzzer keeps the input.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

inline std::string_view fuzz_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Where to cut an input into pieces. Pseudo-random, but the same for the same input, so that an
/// input that was kept fails again.
class FuzzCuts {
 public:
  explicit FuzzCuts(std::string_view text) {
    for (const char c : text) state_ = (state_ ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  /// 1 .. 16 mostly, now and then up to 4096.
  std::size_t next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    const auto random = static_cast<std::size_t>(state_ >> 33);
    return 1 + (random % 8 == 0 ? random / 8 % 4096 : random / 8 % 16);
  }

 private:
  std::uint64_t state_ = 14695981039346656037U;
};

}  // namespace hpc

// What libFuzzer calls, and in the ordinary build replay_main.cc: once for each input.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
