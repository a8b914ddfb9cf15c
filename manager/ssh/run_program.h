#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/result.h"

namespace hpc {

struct ProgramOutput {
  std::string out;
  std::string err;
  int exit_status = -1;  // -1: ended by a signal
};

struct ProgramLimits {
  std::uint64_t timeout_ms = 5'000;
  std::size_t output_bytes_max = std::size_t{256} * 1024;  // of each of the two
  /// Asked every 100 ms; true ends the program.
  std::function<bool()> cancelled;
};

/// Runs a program found in PATH with its arguments as they are (no shell), stdin empty, signals
/// unblocked, and waits for its end. Blocks: for worker threads only. Errors: kNotFound (no such
/// program), kTimeout (killed), kTooLarge (killed), kSystem.
Result<ProgramOutput> run_program(const std::vector<std::string>& arguments,
                                  const ProgramLimits& limits);

}  // namespace hpc
