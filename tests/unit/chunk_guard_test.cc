#include "common/chunk_guard.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "tests/support/parse_probe.h"

namespace hpc {
namespace {

/// What a body looks like to the decoder, and how the walk ended.
struct Walk {
  std::string decoded;
  std::size_t used = 0;
  bool done = false;
  int refusal = 0;
  bool operator==(const Walk&) const = default;
};
void PrintTo(const Walk& walk, std::ostream* out) {
  *out << '"' << walk.decoded << "\" used " << walk.used << " done " << walk.done << " refusal "
       << walk.refusal;
}

Walk walk(std::string_view bytes, std::size_t step, const HttpLimits& limits = {}) {
  ChunkGuard guard(limits);
  Walk out;
  for (std::size_t at = 0; at < bytes.size() && !guard.done(); at += step) {
    auto piece = bytes.substr(at, step);
    while (!piece.empty() && !guard.done()) {
      const auto run = guard.next(piece);
      if (run.for_decoder) out.decoded += piece.substr(0, run.size);
      out.used += run.size;
      piece.remove_prefix(run.size);
      if (!run.verdict) {
        out.refusal = run.verdict.error().status;
        return out;
      }
    }
  }
  out.done = guard.done();
  return out;
}

struct ChunkCase {
  const char* name;
  std::string bytes;
  std::string decoded;  // when done
  std::size_t unused = 0;
  int refusal = 0;
};
void PrintTo(const ChunkCase& c, std::ostream* out) { *out << c.name; }

class ChunkGuardTest : public testing::TestWithParam<ChunkCase> {};

TEST_P(ChunkGuardTest, WalksTheSameHoweverCut) {
  const auto& want = GetParam();
  const auto whole = walk(want.bytes, want.bytes.size());
  for (std::size_t step = 1; step < want.bytes.size() && step < 40; ++step) {
    EXPECT_EQ(walk(want.bytes, step), whole) << "steps of " << step;
  }
  ASSERT_EQ(whole.refusal, want.refusal);
  if (want.refusal != 0) {
    EXPECT_EQ(whole.used, want.bytes.size() - want.unused) << "refused at the wrong byte";
    return;
  }
  EXPECT_TRUE(whole.done);
  EXPECT_EQ(whole.decoded, want.decoded);
  EXPECT_EQ(whole.used, want.bytes.size() - want.unused);
}

// A chunk of one byte with an extension of so many bytes.
std::string extended(std::size_t bytes) { return "1;" + repeat("e", bytes - 1) + "\r\nx\r\n"; }

const ChunkCase kChunkCases[] = {
    {"plain", "2\r\nhi\r\n0\r\n\r\n", "2\r\nhi\r\n0\r\n\r\n"},
    {"knows_the_end", "0\r\n\r\nGET / ", "0\r\n\r\n", 6},
    {"data_looks_like_framing", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "5\r\n0\r\n\r\n\r\n0\r\n\r\n"},
    {"both_cases", "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n",
     "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"},
    {"sixteen_digits", "0000000000000001\r\nx\r\n0\r\n\r\n", "0000000000000001\r\nx\r\n0\r\n\r\n"},
    {"extension_dropped", "1;a=\"b\r\nx\r\n0;\r\n\r\n", "1\r\nx\r\n0\r\n\r\n"},
    {"extension_limit", extended(256) + "0\r\n\r\n", "1\r\nx\r\n0\r\n\r\n"},
    {"extensions_limit", repeat(extended(256), 64) + "0\r\n\r\n",
     repeat("1\r\nx\r\n", 64) + "0\r\n\r\n"},
    {"trailers_dropped", "0\r\nA: b\r\nC:\r\n\r\n", "0\r\n\r\n"},

    {"seventeen_digits", "00000000000000001", "", 1, 400},
    {"over_63_bits", "8000000000000000", "", 1, 400},
    {"over_64_bits", "FFFFFFFFFFFFFFFF", "", 1, 400},
    {"no_size", "\r", "", 1, 400},
    {"no_size_but_extension", ";a", "", 2, 400},
    {"not_hexadecimal", "g", "", 1, 400},
    {"space_behind_size", "1 ", "", 1, 400},
    {"line_feed_behind_size", "1\n", "", 1, 400},
    {"return_only_behind_size", "1\rx", "", 1, 400},
    {"line_feed_in_extension", "1;a\n", "", 1, 400},
    {"nul_in_extension", std::string("1;\0", 3), "", 1, 400},
    {"extension_past_limit", "1;" + repeat("e", 256), "", 1, 400},
    {"extensions_past_limit", repeat(extended(256), 64) + "1;", "", 1, 400},
    {"data_too_long", "1\r\nxy", "", 1, 400},
    {"line_feed_behind_data", "1\r\nx\n", "", 1, 400},
    {"return_only_behind_data", "1\r\nx\rx", "", 1, 400},
    {"line_feed_for_end", "0\r\n\n", "", 1, 400},
    {"return_only_for_end", "0\r\n\rx", "", 1, 400},
    {"trailer_without_name", "0\r\n:", "", 1, 400},
    {"trailer_without_colon", "0\r\nab\r", "", 1, 400},
    {"trailer_space_before_colon", "0\r\nab :", "", 2, 400},
    {"trailer_forbidden", "0\r\nContent-Length:", "", 1, 400},
    {"trailer_line_feed", "0\r\nA: b\n", "", 1, 400},
    {"trailer_folded", "0\r\nA: b\r\n ", "", 1, 400},
};
INSTANTIATE_TEST_SUITE_P(Table, ChunkGuardTest, testing::ValuesIn(kChunkCases),
                         [](const auto& made) { return std::string(made.param.name); });

TEST(ChunkGuardLimitsTest, LargestSizeOf63Bits) {
  const auto got = walk("7fffffffffffffff\r\nabc", 1);
  EXPECT_EQ(got.refusal, 0);
  EXPECT_EQ(got.decoded, "7fffffffffffffff\r\nabc");
}

TEST(ChunkGuardLimitsTest, TrailersOfLimitPassAndOneMoreIs431) {
  const HttpLimits limits{.fields_max = 3};
  EXPECT_EQ(walk("0\r\n" + repeat("A: b\r\n", 3) + "\r\n", 1, limits).refusal, 0);
  EXPECT_EQ(walk("0\r\n" + repeat("A: b\r\n", 4) + "\r\n", 1, limits).refusal, 431);
}

TEST(ChunkGuardLimitsTest, TrailerBytesOfLimitPassAndOneMoreIs431) {
  const HttpLimits limits{.head_bytes_max = 100};
  EXPECT_EQ(walk("0\r\nA:" + repeat("b", 98) + "\r\n\r\n", 1, limits).refusal, 0);
  EXPECT_EQ(walk("0\r\nA:" + repeat("b", 99) + "\r\n\r\n", 1, limits).refusal, 431);
  EXPECT_EQ(walk("0\r\nA:" + repeat("b", 99) + "\r\n\r\n", 200, limits).refusal, 431);
}

TEST(ChunkGuardLimitsTest, RestartsForTheNextMessage) {
  ChunkGuard guard{HttpLimits{}};
  for (int i = 0; i < 3; ++i) {
    guard.restart();
    const auto run = guard.next("1\r\nx\r\n0\r\n\r\nrest");
    EXPECT_TRUE(run.verdict.has_value());
    EXPECT_EQ(run.size, 11U);
    EXPECT_TRUE(guard.done());
  }
}

}  // namespace
}  // namespace hpc
