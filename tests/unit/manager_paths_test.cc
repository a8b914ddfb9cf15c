#include <gtest/gtest.h>

#include <map>

#include "manager/paths.h"

namespace hpc {
namespace {

using Variables = std::map<std::string, std::string>;

EnvironmentLookup of(const Variables& variables) {
  return [&variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

struct PathCase {
  const char* name;
  Variables variables;
  const char* socket;
  const char* state;
};

void PrintTo(const PathCase& one, std::ostream* out) { *out << one.name; }

class ManagerPathsTest : public testing::TestWithParam<PathCase> {};

TEST_P(ManagerPathsTest, FollowTheBaseDirectories) {
  const auto& want = GetParam();
  EXPECT_EQ(default_socket_path(of(want.variables)), want.socket);
  EXPECT_EQ(default_state_path(of(want.variables)), want.state);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ManagerPathsTest,
    testing::Values(
        PathCase{"home",
                 {{"HOME", "/home/a"}},
                 "/home/a/.local/state/hpc-manager/socket",
                 "/home/a/.local/state/hpc-manager/state.db"},
        PathCase{"both_set",
                 {{"HOME", "/home/a"}, {"XDG_RUNTIME_DIR", "/run/1"}, {"XDG_STATE_HOME", "/st"}},
                 "/run/1/hpc-manager/socket",
                 "/st/hpc-manager/state.db"},
        PathCase{"one_does_not_move_the_other",
                 {{"HOME", "/home/a"}, {"XDG_STATE_HOME", "/st"}},
                 "/home/a/.local/state/hpc-manager/socket",
                 "/st/hpc-manager/state.db"},
        PathCase{"relative_ones_are_ignored",
                 {{"HOME", "/home/a"}, {"XDG_RUNTIME_DIR", "run"}, {"XDG_STATE_HOME", ""}},
                 "/home/a/.local/state/hpc-manager/socket",
                 "/home/a/.local/state/hpc-manager/state.db"},
        PathCase{"slash_at_the_end",
                 {{"HOME", "/"}, {"XDG_RUNTIME_DIR", "/run/1/"}},
                 "/run/1/hpc-manager/socket",
                 "/.local/state/hpc-manager/state.db"},
        PathCase{"nothing_known", {}, "", ""}),
    [](const auto& i) { return std::string(i.param.name); });

}  // namespace
}  // namespace hpc
