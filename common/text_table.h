#pragma once
#include <string>
#include <vector>

namespace hpc {

using TableRow = std::vector<std::string>;

/// For a terminal: aligned columns below `heading`; else, for programs, one line a row with tabs
/// between its cells and no heading. "" for no rows. Cells come out in one line each.
std::string text_table(const TableRow& heading, const std::vector<TableRow>& rows, bool terminal);

}  // namespace hpc
