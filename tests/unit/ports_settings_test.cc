// What libhpc_ports.so takes from the environment: exactly what hpc-proxy writes, or nothing.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "common/unique_fd.h"
#include "node-proxy/port_set.h"
#include "node-proxy/ports/settings.h"
#include "node-proxy/run/private_addresses.h"

namespace hpc {
namespace {

std::optional<hpc_ports_settings> parse(const char* address, const char* shared) {
  hpc_ports_settings settings{};
  if (hpc_parse_settings(address, shared, &settings) == 0) return std::nullopt;
  return settings;
}

struct AddressCase {
  const char* name;
  const char* text;
  std::uint32_t host;  // 0: refused
};
void PrintTo(const AddressCase& c, std::ostream* os) { *os << c.name; }

constexpr AddressCase kAddressCases[] = {
    {"usual", "127.64.9.4", 0x7F400904},
    {"first_block", "127.64.0.0", 0x7F400000},
    {"last_block", "127.127.255.252", 0x7F7FFFFC},
    {"before_the_range", "127.63.255.252", 0},
    {"behind_the_range", "127.128.0.0", 0},
    {"another_network", "10.64.9.4", 0},
    {"loopback_itself", "127.0.0.1", 0},
    {"not_the_first_of_four", "127.64.9.5", 0},
    {"number_past_a_byte", "127.64.256.4", 0},
    {"huge_number", "127.64.9.4294967300", 0},
    {"three_numbers", "127.64.4", 0},
    {"five_numbers", "127.64.9.4.4", 0},
    {"dot_at_the_end", "127.64.9.4.", 0},
    {"leading_zero", "127.64.09.4", 0},
    {"leading_blank", " 127.64.9.4", 0},
    {"trailing_blank", "127.64.9.4 ", 0},
    {"sign", "127.64.9.+4", 0},
    {"letters", "127.64.9.x", 0},
    {"hexadecimal", "127.64.9.0x4", 0},
    {"empty", "", 0},
    {"missing", nullptr, 0},
};

class PortsAddressTest : public ::testing::TestWithParam<AddressCase> {};
INSTANTIATE_TEST_SUITE_P(Table, PortsAddressTest, ::testing::ValuesIn(kAddressCases),
                         [](const auto& one) { return one.param.name; });

TEST_P(PortsAddressTest, IsTakenOnlyAsItIsWritten) {
  const auto settings = parse(GetParam().text, nullptr);
  ASSERT_EQ(settings.has_value(), GetParam().host != 0);
  if (!settings) return;
  EXPECT_EQ(ntohl(settings->v4), GetParam().host);
  EXPECT_EQ(ntohl(settings->v6), GetParam().host + 1);
}

TEST(PortsSettingsTest, AnAddressThatIsCutAnywhereIsRefusedOrAnother) {
  const std::string text = "127.127.255.252";
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto settings = parse(text.substr(0, size).c_str(), nullptr);
    // Only whole last numbers are left: 127.127.255.2 and .25 are not the first of four.
    EXPECT_FALSE(settings) << size;
  }
}

struct SharedCase {
  const char* name;
  const char* text;
  bool good;
};
void PrintTo(const SharedCase& c, std::ostream* os) { *os << c.name; }

constexpr SharedCase kSharedCases[] = {
    {"none", "", true},
    {"one", "8786", true},
    {"first", "1", true},
    {"last", "65535", true},
    {"range", "8786-8787", true},
    {"range_of_one", "8786-8786", true},
    {"several", "8786-8787,29500,1-2", true},
    {"zero", "0", false},
    {"past_the_last", "65536", false},
    {"range_past_the_last", "65535-65536", false},
    {"range_backwards", "8787-8786", false},
    {"half_a_range", "8786-", false},
    {"other_half_of_a_range", "-8787", false},
    {"double_range", "1-2-3", false},
    {"comma_at_the_end", "8786,", false},
    {"comma_at_the_beginning", ",8786", false},
    {"two_commas", "1,,2", false},
    {"blank", "1, 2", false},
    {"leading_zero", "08786", true},
    {"only_zeros", "0000", false},
    {"letters", "http", false},
};

class PortsSharedTest : public ::testing::TestWithParam<SharedCase> {};
INSTANTIATE_TEST_SUITE_P(Table, PortsSharedTest, ::testing::ValuesIn(kSharedCases),
                         [](const auto& one) { return one.param.name; });

TEST_P(PortsSharedTest, IsTakenAsPortSetTakesIt) {
  EXPECT_EQ(parse("127.64.9.4", GetParam().text).has_value(), GetParam().good);
  // --shared-ports is checked by that one, and what passes it must not switch the library off.
  if (PortSet::parse(GetParam().text)) {
    EXPECT_TRUE(GetParam().good);
  }
}

TEST(PortsSettingsTest, SharedPortsAreThoseOfTheRanges) {
  const auto settings = parse("127.64.9.4", "8786-8787,29500");
  ASSERT_TRUE(settings);
  for (const int port : {8786, 8787, 29500}) {
    EXPECT_EQ(hpc_is_shared(&*settings, static_cast<std::uint16_t>(port)), 1) << port;
  }
  for (const int port : {0, 1, 8785, 8788, 29499, 29501, 65535}) {
    EXPECT_EQ(hpc_is_shared(&*settings, static_cast<std::uint16_t>(port)), 0) << port;
  }
}

TEST(PortsSettingsTest, AsManyRangesAsPortSetTakesAndNotOneMore) {
  std::string text = "1000";
  for (std::size_t i = 1; i < PortSet::kRangesMax; ++i) text += "," + std::to_string(1000 + i);
  EXPECT_TRUE(parse("127.64.9.4", text.c_str()));
  EXPECT_TRUE(PortSet::parse(text));
  text += ",2000";
  EXPECT_FALSE(parse("127.64.9.4", text.c_str()));
  EXPECT_FALSE(PortSet::parse(text));
}

TEST(PortsSettingsTest, AnAddressIsClaimedWhileItsRunLives) {
  auto addresses = claim_private_addresses(geteuid(), "4711-c1-" + std::to_string(getpid()));
  ASSERT_TRUE(addresses) << describe(addresses.error());
  std::uint32_t v4 = 0;
  ASSERT_EQ(inet_pton(AF_INET, addresses->v4.c_str(), &v4), 1);
  EXPECT_EQ(hpc_is_claimed(v4), 1);
  EXPECT_EQ(hpc_is_claimed(v4), 1);
  addresses->claim = UniqueFd();
  EXPECT_EQ(hpc_is_claimed(v4), 0);
  EXPECT_EQ(hpc_is_claimed(htonl(0x0A000000)), 0);  // no address of this node
}

TEST(PortsSettingsTest, WhoLooksForAClaimIsInNobodysWay) {
  std::uint32_t v4 = 0;
  auto addresses = claim_private_addresses(geteuid(), "4712-c1-" + std::to_string(getpid()));
  ASSERT_TRUE(addresses) << describe(addresses.error());
  ASSERT_EQ(inet_pton(AF_INET, addresses->v4.c_str(), &v4), 1);
  addresses->claim = UniqueFd();
  EXPECT_EQ(hpc_is_claimed(v4), 0);
  // The same block again: nothing is left there.
  const auto again = claim_private_addresses(geteuid(), "4712-c1-" + std::to_string(getpid()));
  ASSERT_TRUE(again) << describe(again.error());
  EXPECT_EQ(again->v4, addresses->v4);
}

}  // namespace
}  // namespace hpc
