#include "common/chunk_guard.h"

#include <algorithm>
#include <limits>

namespace hpc {

namespace {

// Longer than any name that is_forbidden_trailer knows; what lies behind does not matter to it.
constexpr std::size_t kTrailerNameBytesKept = 64;

unsigned hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
  return static_cast<unsigned>((digit | 0x20) - 'a') + 10;
}

}  // namespace

void ChunkGuard::restart() {
  state_ = State::kSize;
  size_ = 0;
  size_digits_ = 0;
  chunk_extension_bytes_ = 0;
  message_extension_bytes_ = 0;
  trailer_bytes_ = 0;
  trailers_ = 0;
  trailer_name_.clear();
}

bool ChunkGuard::drops() const {
  return state_ == State::kExtension || state_ == State::kTrailerName ||
         state_ == State::kTrailerValue || state_ == State::kTrailerLineFeed;
}

ChunkGuard::Run ChunkGuard::next(std::string_view bytes) {
  Run run;
  while (run.size < bytes.size() && state_ != State::kDone) {
    const bool for_decoder = !drops();
    if (run.size == 0) run.for_decoder = for_decoder;
    if (for_decoder != run.for_decoder) break;
    run.verdict = step(bytes, run.size);
    if (!run.verdict) break;
  }
  return run;
}

HttpVerdict ChunkGuard::step(std::string_view bytes, std::size_t& at) {
  switch (state_) {
    case State::kSize:
      return on_size(bytes, at);
    case State::kExtension:
      return on_extension(bytes, at);
    case State::kSizeReturn:
      return expect('\r', bytes, at, State::kSizeLineFeed);
    case State::kSizeLineFeed:
      return expect('\n', bytes, at, size_ == 0 ? State::kTrailerStart : State::kData);
    case State::kData:
      on_data(bytes, at);
      break;
    case State::kDataReturn:
      return expect('\r', bytes, at, State::kDataLineFeed);
    case State::kDataLineFeed:
      size_digits_ = 0;
      chunk_extension_bytes_ = 0;
      return expect('\n', bytes, at, State::kSize);
    case State::kTrailerStart:
      return on_trailer_start(bytes, at);
    case State::kTrailerName:
      return on_trailer_name(bytes, at);
    case State::kTrailerValue:
      return on_trailer_value(bytes, at);
    case State::kTrailerLineFeed:
      return expect('\n', bytes, at, State::kTrailerStart);
    case State::kEndLineFeed:
      return expect('\n', bytes, at, State::kDone);
    case State::kDone:
      break;
  }
  return {};
}

HttpVerdict ChunkGuard::expect(char wanted, std::string_view bytes, std::size_t& at, State next) {
  if (bytes[at] != wanted) return refuse(400, "a line end in the chunk framing is not CR LF");
  ++at;
  state_ = next;
  return {};
}

HttpVerdict ChunkGuard::on_size(std::string_view bytes, std::size_t& at) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (end_of_run(bytes.substr(at, 1), 0, kHexBytes) == 1) {
    if (size_digits_ == kChunkSizeDigitsMax || size_ > kMax >> 4) {
      return refuse(400, "a chunk size of more than 63 bits or 16 digits");
    }
    size_ = size_ << 4 | hex_value(bytes[at]);
    ++size_digits_;
    ++at;
    return {};
  }
  if (size_digits_ == 0) return refuse(400, "a chunk size is not a hexadecimal number");
  if (bytes[at] == ';') {
    state_ = State::kExtension;
    return {};
  }
  return expect('\r', bytes, at, State::kSizeLineFeed);
}

HttpVerdict ChunkGuard::on_extension(std::string_view bytes, std::size_t& at) {
  const auto end = end_of_run(bytes, at, kValueBytes);
  const auto room = std::min(kChunkExtensionBytesMax - chunk_extension_bytes_,
                             kMessageExtensionBytesMax - message_extension_bytes_);
  const auto taken = std::min(end - at, room);
  chunk_extension_bytes_ += taken;
  message_extension_bytes_ += taken;
  at += taken;
  if (at != end) return refuse(400, "too long chunk extensions");
  if (at == bytes.size()) return {};
  if (bytes[at] != '\r') return refuse(400, "a control byte in a chunk extension");
  state_ = State::kSizeReturn;
  return {};
}

void ChunkGuard::on_data(std::string_view bytes, std::size_t& at) {
  const auto taken = std::min<std::uint64_t>(size_, bytes.size() - at);
  size_ -= taken;
  at += static_cast<std::size_t>(taken);
  if (size_ == 0) state_ = State::kDataReturn;
}

HttpVerdict ChunkGuard::take_trailer_bytes(std::size_t end, std::size_t& at) {
  const auto taken = std::min(end - at, limits_.head_bytes_max - trailer_bytes_);
  trailer_bytes_ += taken;
  at += taken;
  if (at != end) return refuse(431, "the trailers are too long");
  return {};
}

HttpVerdict ChunkGuard::on_trailer_start(std::string_view bytes, std::size_t& at) {
  if (bytes[at] == '\r') return expect('\r', bytes, at, State::kEndLineFeed);
  if (end_of_run(bytes.substr(at, 1), 0, kTokenBytes) != 1) {
    return refuse(400, "a trailer line does not start with a name");
  }
  if (trailers_ == limits_.fields_max) return refuse(431, "too many trailers");
  ++trailers_;
  trailer_name_.clear();
  state_ = State::kTrailerName;
  return {};
}

HttpVerdict ChunkGuard::on_trailer_name(std::string_view bytes, std::size_t& at) {
  const auto begin = at;
  if (auto verdict = take_trailer_bytes(end_of_run(bytes, at, kTokenBytes), at); !verdict) {
    return verdict;
  }
  const auto room = kTrailerNameBytesKept - trailer_name_.size();
  trailer_name_.append(bytes.substr(begin, std::min(at - begin, room)));
  if (at == bytes.size()) return {};
  if (bytes[at] != ':') return refuse(400, "a trailer name is not followed by a colon");
  if (is_forbidden_trailer(trailer_name_)) {
    return refuse(400, "a field for framing, routing or authentication in the trailers");
  }
  state_ = State::kTrailerValue;
  return take_trailer_bytes(at + 1, at);
}

HttpVerdict ChunkGuard::on_trailer_value(std::string_view bytes, std::size_t& at) {
  if (auto verdict = take_trailer_bytes(end_of_run(bytes, at, kValueBytes), at); !verdict) {
    return verdict;
  }
  if (at == bytes.size()) return {};
  if (bytes[at] != '\r') return refuse(400, "a control byte in a trailer");
  return expect('\r', bytes, at, State::kTrailerLineFeed);
}

}  // namespace hpc
