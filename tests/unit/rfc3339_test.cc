#include "common/rfc3339.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

TEST(Rfc3339Test, Formats) {
  EXPECT_EQ(format_rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_rfc3339(1'772'366'400'250), "2026-03-01T12:00:00.250Z");
  EXPECT_EQ(format_rfc3339(951'782'399'999), "2000-02-28T23:59:59.999Z");
}

TEST(Rfc3339Test, ReadsWhatItWrote) {
  for (const std::int64_t ms : {0LL, 1LL, 999LL, 951'868'800'000LL, 4'102'444'799'999LL}) {
    EXPECT_EQ(parse_rfc3339(format_rfc3339(ms)), ms);
  }
}

TEST(Rfc3339Test, FractionMayBeShortLongOrMissing) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:01Z"), 1000);
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:01.5Z"), 1500);
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:01.123456789Z"), 1123);
}

TEST(Rfc3339Test, RefusesWhatIsNotATime) {
  for (const char* text :
       {"", "Z", "2026-03-01", "2026-03-01T12:00:00", "2026-03-01T12:00:00+00:00",
        "2026-03-01 12:00:00Z", "2026-02-29T12:00:00Z", "2026-13-01T12:00:00Z",
        "2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z", "2026-03-01T12:00:61Z",
        "1969-12-31T23:59:59Z", "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00.1234567890Z",
        "2026-03-01T12:00:00.1xZ", "2026-03-01T12:00:00ZZ", "+026-03-01T12:00:00Z"}) {
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  }
}

TEST(Rfc3339Test, EveryPrefixIsRefused) {
  const std::string text = format_rfc3339(1'772'366'400'250);
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(parse_rfc3339(text.substr(0, size)), std::nullopt) << size;
  }
}

}  // namespace
}  // namespace hpc
