#pragma once
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>

namespace hpc {

/// The samples by name (with labels); fails on a line that is not of the format.
inline std::map<std::string, std::string> metrics_samples(const std::string& text,
                                                          const std::string& prefix) {
  std::map<std::string, std::string> found;
  std::set<std::string> typed;
  std::istringstream lines(text);
  EXPECT_TRUE(text.ends_with('\n'));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) continue;
    if (line.starts_with("# TYPE ")) {
      const auto name = line.substr(7, line.find(' ', 7) - 7);
      const auto type = line.substr(8 + name.size());
      EXPECT_TRUE(type == "gauge" || type == "counter") << line;
      EXPECT_EQ(type == "counter", name.ends_with("_total")) << line;
      EXPECT_TRUE(typed.insert(name).second) << "twice: " << name;
      continue;
    }
    const auto space = line.rfind(' ');
    const auto name = line.substr(0, space);
    EXPECT_EQ(typed.count(name.substr(0, name.find('{'))), 1U) << "no type: " << line;
    EXPECT_TRUE(name.starts_with(prefix)) << line;
    EXPECT_TRUE(found.emplace(name, line.substr(space + 1)).second) << "twice: " << name;
  }
  return found;
}

}  // namespace hpc
