#include "manager/slurm/node_list.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace hpc {
namespace {

struct NodeListCase {
  const char* name;
  const char* list;
  const char* node;
  bool contained;
};
void PrintTo(const NodeListCase& c, std::ostream* os) { *os << c.name; }

constexpr NodeListCase kCases[] = {
    {"one", "c1", "c1", true},
    {"other", "c1", "c2", false},
    {"prefix_of_it", "c12", "c1", false},
    {"second_of_two", "c1,c2", "c2", true},
    {"range", "c[1-3]", "c2", true},
    {"range_ends", "c[1-3]", "c3", true},
    {"past_range", "c[1-3]", "c4", false},
    {"list_in_brackets", "c[1,5,7-9]", "c8", true},
    {"gap_in_brackets", "c[1,5,7-9]", "c6", false},
    {"leading_zeros", "c[01-16]", "c08", true},
    {"missing_leading_zero", "c[01-16]", "c8", false},
    {"wrong_leading_zero", "c[1-16]", "c08", false},
    {"grows_past_width", "c[8-12]", "c12", true},
    {"suffix", "c[1-3]-ib", "c2-ib", true},
    {"wrong_suffix", "c[1-3]-ib", "c2", false},
    {"two_groups", "r[1-2]n[01-16]", "r2n16", true},
    {"two_groups_gap", "r[1-2]n[01-16]", "r3n16", false},
    {"groups_touch", "c[1-2][1-2]", "c21", true},
    {"mixed_list", "gpu1,c[1-3],d7", "d7", true},
    {"after_brackets", "c[1,2],d[3-4]", "d4", true},
    {"empty_list", "", "c1", false},
    {"empty_node", "c1", "", false},
    {"unclosed", "c[1-3", "c1", false},
    {"unopened", "c1-3]", "c2", false},
    {"no_numbers", "c[a-b]", "ca", false},
    {"reversed", "c[3-1]", "c2", false},
    {"too_long_number", "c[1-99999999999999999999]", "c2", false},
};

class NodeListTest : public ::testing::TestWithParam<NodeListCase> {};

TEST_P(NodeListTest, Contains) {
  const auto& want = GetParam();
  EXPECT_EQ(node_list_contains(want.list, want.node), want.contained);
}

INSTANTIATE_TEST_SUITE_P(All, NodeListTest, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return test.param.name; });

TEST(NodeListHostileTest, DeepNestingEndsQuickly) {
  std::string list;
  for (int i = 0; i < 5000; ++i) list += "c[1-9]";
  EXPECT_FALSE(node_list_contains(list, "c" + std::string(5000, '1')));
}

}  // namespace
}  // namespace hpc
