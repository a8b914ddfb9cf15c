#include "common/private_address.h"

#include <gtest/gtest.h>

#include <ostream>

namespace hpc {
namespace {

struct AddressCase {
  const char* name;
  std::string text;
  bool is_private;
};
void PrintTo(const AddressCase& c, std::ostream* os) { *os << c.name; }

const AddressCase kAddresses[] = {
    {"first", "127.64.0.0", true},
    {"last", "127.127.255.255", true},
    {"below", "127.63.255.255", false},
    {"above", "127.128.0.0", false},
    {"loopback", "127.0.0.1", false},
    {"other_network", "126.64.0.0", false},
    {"all", "0.0.0.0", false},
    {"v6", "::1", false},
    {"mapped_text", "::ffff:127.64.0.4", false},
    {"short", "127.64.4", false},
    {"name", "localhost", false},
    {"empty", "", false},
    {"nul", std::string("127.64.0.4\0x", 12), false},
    {"space", " 127.64.0.4", false},
};

class IsPrivateAddressTest : public testing::TestWithParam<AddressCase> {};
TEST_P(IsPrivateAddressTest, IsKnown) {
  EXPECT_EQ(is_private_address(GetParam().text), GetParam().is_private);
}
INSTANTIATE_TEST_SUITE_P(Table, IsPrivateAddressTest, testing::ValuesIn(kAddresses),
                         [](const auto& c) { return c.param.name; });

TEST(IsPrivateAddressTest, EndsOfSocketsAreKnownInBothFamilies) {
  EXPECT_TRUE(is_private_address(*make_socket_end("127.64.12.8", 5500)));
  EXPECT_TRUE(is_private_address(*make_socket_end("::ffff:127.64.12.8", 5500)));
  EXPECT_FALSE(is_private_address(*make_socket_end("::127.64.12.8", 5500)));
  EXPECT_FALSE(is_private_address(*make_socket_end("::", 5500)));
}

}  // namespace
}  // namespace hpc
