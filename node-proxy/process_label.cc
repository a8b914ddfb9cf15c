#include "node-proxy/process_label.h"

#include <algorithm>
#include <array>

#include "common/utf8.h"

namespace hpc {

namespace {

std::string_view next_argument(std::string_view& command_line) {
  const std::size_t size = std::min(command_line.find('\0'), command_line.size());
  const auto argument = command_line.substr(0, size);
  command_line.remove_prefix(std::min(size + 1, command_line.size()));
  return argument;
}

std::string_view file_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

/// "nginx: master process /usr/sbin/nginx" is how programs rename themselves; "-bash" is a login
/// shell.
std::string_view program_name(std::string_view argument) {
  argument = argument.substr(0, argument.find(": "));
  argument = file_name(argument);
  if (argument.starts_with('-')) argument.remove_prefix(1);
  return argument;
}

bool is_interpreter(std::string_view program) {
  if (program.starts_with("python") || program.starts_with("ruby")) return true;
  constexpr std::array<std::string_view, 12> kNames = {"node",  "nodejs", "deno", "bun",
                                                       "perl",  "java",   "R",    "Rscript",
                                                       "julia", "sh",     "bash", "php"};
  return std::find(kNames.begin(), kNames.end(), program) != kNames.end();
}

bool is_any_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// What an interpreter runs; empty where that is code on the command line, or not to be told.
std::string_view script_name(std::string_view program, std::string_view arguments) {
  while (!arguments.empty()) {
    const auto argument = next_argument(arguments);
    if (is_any_of(argument, {"-m", "-jar", "-f"})) return file_name(next_argument(arguments));
    if (argument.starts_with("--file=")) return file_name(argument.substr(7));  // R
    if (is_any_of(argument, {"-c", "-e", "--eval", "-p", "--print"})) return {};
    if (is_any_of(argument,
                  {"-W", "-X", "-r", "--require", "--import", "--loader", "-cp", "-classpath"})) {
      next_argument(arguments);  // its value
      continue;
    }
    // R's own arguments end there; what follows are the script's.
    if (program == "R" && argument == "--args") return {};
    if (argument.empty() || argument.front() == '-') continue;
    return file_name(argument);
  }
  return {};
}

void append_printable(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = printable_utf8_size(text);
    const std::size_t added = std::max<std::size_t>(size, 1);
    if (out.size() + added > kProcessLabelBytesMax) return;
    if (size == 0) {
      out += '?';
    } else {
      out.append(text.substr(0, size));
    }
    text.remove_prefix(added);
  }
}

}  // namespace

std::string process_label(std::string_view command_line, std::string_view comm) {
  std::string_view arguments = command_line;
  std::string_view program = program_name(next_argument(arguments));
  std::string_view script;
  if (program.empty()) {
    program = comm.substr(0, comm.find('\n'));
  } else if (is_interpreter(program)) {
    script = script_name(program, arguments);
  }
  std::string label;
  append_printable(label, program);
  if (!script.empty()) {
    append_printable(label, " ");
    append_printable(label, script);
  }
  return label;
}

}  // namespace hpc
