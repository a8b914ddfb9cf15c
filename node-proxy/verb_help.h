#pragma once
#include <span>
#include <string_view>

namespace hpc {

/// What `hpc-proxy VERB --help` says.
struct VerbText {
  std::string_view verb;
  std::string_view usage;    // behind "hpc-proxy "
  std::string_view what;     // paragraphs, each line ends in a newline
  std::string_view options;  // that it takes, separated by spaces
  std::string_view examples;
  std::string_view exits;  // the exit codes
};

/// Every command but serve.
std::span<const VerbText> verb_texts();

}  // namespace hpc
