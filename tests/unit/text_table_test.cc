#include "common/text_table.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

const TableRow kHeading = {"ID", "NAME", "NOTE"};

TEST(TextTableTest, IsAlignedBelowItsHeadingForATerminal) {
  EXPECT_EQ(text_table(kHeading, {{"1", "a longer one", "x"}, {"22", "b", ""}}, true),
            "ID  NAME          NOTE\n"
            "1   a longer one  x\n"
            "22  b\n");
}

TEST(TextTableTest, CountsCharactersAndNotBytes) {
  EXPECT_EQ(text_table({"A", "B"}, {{"Z\xC3\xBCrich", "1"}, {"Bern", "2"}}, true),
            "A       B\nZ\xC3\xBCrich  1\nBern    2\n");
}

TEST(TextTableTest, HasTabsAndNoHeadingForPrograms) {
  EXPECT_EQ(text_table(kHeading, {{"1", "", "x"}, {"2", "b", ""}}, false), "1\t\tx\n2\tb\t\n");
}

TEST(TextTableTest, ACellIsOneLine) {
  EXPECT_EQ(text_table({"A", "B"}, {{"a\nb\tc", "d"}}, false), "a b c\td\n");
}

TEST(TextTableTest, WithoutRowsThereIsNothing) {
  EXPECT_EQ(text_table(kHeading, {}, true), "");
  EXPECT_EQ(text_table(kHeading, {}, false), "");
}

}  // namespace
}  // namespace hpc
