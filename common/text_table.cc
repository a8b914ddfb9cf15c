#include "common/text_table.h"

#include <algorithm>
#include <string_view>

namespace hpc {

namespace {

/// Characters, not bytes, so that names in other scripts keep the columns in line.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
  }));
}

std::string in_one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return text;
}

std::string aligned(const std::vector<TableRow>& rows) {
  std::vector<std::size_t> widths;
  for (const TableRow& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (const TableRow& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      line.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string tabbed(const std::vector<TableRow>& rows) {
  std::string text;
  for (const TableRow& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) text.append(i > 0 ? "\t" : "").append(row[i]);
    text += "\n";
  }
  return text;
}

}  // namespace

std::string text_table(const TableRow& heading, const std::vector<TableRow>& rows, bool terminal) {
  if (rows.empty()) return "";
  std::vector<TableRow> all;
  if (terminal) all.push_back(heading);
  for (const TableRow& row : rows) {
    all.emplace_back();
    for (const std::string& cell : row) all.back().push_back(in_one_line(cell));
  }
  return terminal ? aligned(all) : tabbed(all);
}

}  // namespace hpc
