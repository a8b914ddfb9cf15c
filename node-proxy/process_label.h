#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace hpc {

// Long enough for "python3 some_long_module.name", short enough for a line of a terminal.
constexpr std::size_t kProcessLabelBytesMax = 64;

/// What a person calls a process: the program, and for an interpreter what it runs ("node",
/// "python3 http.server", "R app.R"), never an option's value, which may be a password. Pure.
///
/// `command_line` is /proc/PID/cmdline (arguments that each end in NUL; the beginning of it is
/// enough), `comm` is /proc/PID/comm, taken where the former is empty. Both are bytes that the
/// process itself chose: what is returned is printable UTF-8 of at most kProcessLabelBytesMax
/// bytes, not yet escaped for HTML; empty when nothing is left.
std::string process_label(std::string_view command_line, std::string_view comm);

}  // namespace hpc
