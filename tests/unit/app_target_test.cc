#include "node-proxy/app_target.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace hpc {
namespace {

const std::string kLongestPath = "/" + std::string(106, 'a');

struct TargetCase {
  const char* name;
  std::string text;
  std::uint16_t port;  // 0 with an empty path: refused
  std::string path;
};
void PrintTo(const TargetCase& c, std::ostream* os) { *os << c.name; }

const TargetCase kTargets[] = {
    {"port", "5500", 5500, ""},
    {"first", "1", 1, ""},
    {"last", "65535", 65535, ""},
    {"too_high", "65536", 0, ""},
    {"zero", "0", 0, ""},
    {"leading_zero", "05500", 0, ""},
    {"sign", "+5500", 0, ""},
    {"host", "127.0.0.1:5500", 0, ""},
    {"empty", "", 0, ""},
    {"socket", "unix:/home/alice/.hpc-proxy/ide.sock", 0, "/home/alice/.hpc-proxy/ide.sock"},
    {"longest", "unix:" + kLongestPath, 0, kLongestPath},
    {"too_long", "unix:" + kLongestPath + "a", 0, ""},
    {"relative", "unix:ide.sock", 0, ""},
    {"root", "unix:/", 0, ""},
    {"no_path", "unix:", 0, ""},
    {"abstract", "unix:@ide", 0, ""},
    {"control", "unix:/a\nb", 0, ""},
    {"other_scheme", "UNIX:/a", 0, ""},
};

class AppTargetTest : public testing::TestWithParam<TargetCase> {};
TEST_P(AppTargetTest, Parses) {
  const auto& want = GetParam();
  const auto got = parse_app_target(want.text);
  ASSERT_EQ(got.has_value(), want.port != 0 || !want.path.empty());
  if (!got) return;
  EXPECT_EQ(got->port, want.port);
  EXPECT_EQ(got->socket_path, want.path);
  EXPECT_EQ(connector_key(*got), want.text) << "what the connector takes apart again";
}
INSTANTIATE_TEST_SUITE_P(Table, AppTargetTest, testing::ValuesIn(kTargets),
                         [](const auto& c) { return c.param.name; });

TEST(AppNameTest, ByPort) {
  EXPECT_EQ(app_host(5500), "localhost:5500");
  EXPECT_EQ(app_host(0), "localhost");
  EXPECT_EQ(app_name(5500), "the app on port 5500");
  EXPECT_EQ(app_name(0), "the app on its socket");
}

}  // namespace
}  // namespace hpc
