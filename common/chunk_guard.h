#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/http_rules.h"

namespace hpc {

// Generous for real senders, which hardly use extensions; without a bound they are a free channel
// for bytes that nobody counts (RFC 9112, 7.1.1).
constexpr std::size_t kChunkExtensionBytesMax = 256;
constexpr std::size_t kMessageExtensionBytesMax = std::size_t{16} * 1024;
// 63 bits; more digits would only be leading zeros or an overflow.
constexpr std::size_t kChunkSizeDigitsMax = 16;

/// Walks the framing of a chunked body (RFC 9112, 7.1) before the decoder sees it, and knows
/// exactly where the message ends. Extensions and trailers are dropped: the decoder gets sizes,
/// data and line ends only. Bytes of data are stepped over, not looked at.
///
/// Pure, and the same whatever the cuts: a refusal comes with the first byte that deserves it.
class ChunkGuard {
 public:
  /// `limits` bound the trailers as they bound a head.
  explicit ChunkGuard(const HttpLimits& limits) : limits_(limits) {}

  void restart();

  struct Run {
    std::size_t size = 0;     // bytes from the front that are fine
    bool for_decoder = true;  // else they are dropped
    HttpVerdict verdict;      // a refusal is about the byte behind the run
  };
  /// The longest run at the front of `bytes` that is to be treated alike. Call it again with what
  /// is left until done(), a refusal, or no byte is left.
  Run next(std::string_view bytes);
  /// The line end behind the trailers has been seen: the message ends here.
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State : std::uint8_t {
    kSize,
    kExtension,
    kSizeReturn,
    kSizeLineFeed,
    kData,
    kDataReturn,
    kDataLineFeed,
    kTrailerStart,
    kTrailerName,
    kTrailerValue,
    kTrailerLineFeed,
    kEndLineFeed,
    kDone,
  };

  bool drops() const;
  // Each takes bytes from bytes[at] on, or only changes the state; at least one of them.
  HttpVerdict step(std::string_view bytes, std::size_t& at);
  HttpVerdict on_size(std::string_view bytes, std::size_t& at);
  HttpVerdict on_extension(std::string_view bytes, std::size_t& at);
  HttpVerdict on_trailer_start(std::string_view bytes, std::size_t& at);
  HttpVerdict on_trailer_name(std::string_view bytes, std::size_t& at);
  HttpVerdict on_trailer_value(std::string_view bytes, std::size_t& at);
  void on_data(std::string_view bytes, std::size_t& at);
  HttpVerdict expect(char wanted, std::string_view bytes, std::size_t& at, State next);
  HttpVerdict take_trailer_bytes(std::size_t end, std::size_t& at);

  HttpLimits limits_;
  State state_ = State::kSize;
  std::uint64_t size_ = 0;       // of this chunk; while in its data: what is left of it
  std::size_t size_digits_ = 0;  // of this chunk
  std::size_t chunk_extension_bytes_ = 0;
  std::size_t message_extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::size_t trailers_ = 0;
  std::string trailer_name_;  // the start of it, enough to tell a forbidden one
};

}  // namespace hpc
