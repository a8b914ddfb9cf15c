#include "common/text_line.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hpc {
namespace {

TEST(TextLine, LinesAreTakenOffOneByOne) {
  struct Row {
    std::string text;
    std::vector<std::string> lines;
  };
  const std::vector<Row> rows = {{"", {}},
                                 {"one", {"one"}},
                                 {"one\n", {"one"}},
                                 {"one\ntwo", {"one", "two"}},
                                 {"\n\ntwo\n", {"", "", "two"}},
                                 {"cr\r\n", {"cr\r"}}};
  for (const auto& row : rows) {
    std::string_view rest = row.text;
    std::vector<std::string> lines;
    while (!rest.empty()) lines.emplace_back(next_line(rest));
    EXPECT_EQ(lines, row.lines) << row.text;
  }
}

TEST(TextLine, TheFirst) {
  EXPECT_EQ(first_line(""), "");
  EXPECT_EQ(first_line("one"), "one");
  EXPECT_EQ(first_line("one\ntwo"), "one");
  EXPECT_EQ(first_line("\ntwo"), "");
}

}  // namespace
}  // namespace hpc
