#pragma once
#include <cstddef>
#include <span>
#include <string_view>

#include "common/result.h"

namespace hpc {

struct Options;

/// One option. The table of them feeds the parser, --help and what is generated from it.
struct OptionRow {
  const char* name;           // without the dashes
  const char* environment;    // "" for HPC_PROXY_ and the name in upper case
  const char* metavar;        // "" for a switch
  const char* default_value;  // as a person would write it
  bool for_serve;
  bool for_verbs;
  const char* help;
  /// Checks `value` and stores it. The error's detail says what a value must be.
  Status (*apply)(Options& options, std::string_view value);
};

std::span<const OptionRow> option_table();
/// Where the row of that option is; it must be one.
std::size_t option_row(std::string_view name);

}  // namespace hpc
