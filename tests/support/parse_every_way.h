#pragma once
#include <gtest/gtest.h>

#include <string_view>

#include "tests/support/parse_probe.h"

namespace hpc {

/// Whole, byte by byte and cut at every point: the same reading each time, which is returned.
inline Parsed parse_every_way(const ParseProbe::Options& options, std::string_view bytes) {
  auto whole = parse_whole(options, bytes);
  EXPECT_EQ(parse_in_steps(options, bytes, 1).text(), whole.text());
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    const auto halves = parse_in_two(options, bytes.substr(0, cut), bytes.substr(cut));
    EXPECT_EQ(halves.text(), whole.text()) << "cut at " << cut;
    if (halves.text() != whole.text()) break;
  }
  return whole;
}

}  // namespace hpc
