#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/loop.h"

namespace hpc {

// Of what a program prints, no more than this is kept; the rest is read and dropped.
constexpr std::size_t kChildOutputBytesMax = 512;
// A busy SLURM controller answers within its own MessageTimeout of 10 s; later is never.
constexpr std::uint64_t kChildMs = 10'000;

/// Runs a program once, without waiting for it, and gives what it prints. For SLURM's commands,
/// which take milliseconds, or seconds where the controller is busy.
class ChildOutput {
 public:
  struct Answer {
    bool ok = false;   // it was there, and ended with status 0
    std::string text;  // of its standard output, at most kChildOutputBytesMax
  };
  using Done = std::function<void(Answer)>;
  /// `words`: the program, looked for in PATH, and its arguments. `done` comes at most once, in a
  /// later turn; not when this object is destroyed before, which kills the program.
  ChildOutput(Loop& loop, std::vector<std::string> words, Done done,
              std::uint64_t limit_ms = kChildMs);
  ~ChildOutput();
  ChildOutput(const ChildOutput&) = delete;
  ChildOutput& operator=(const ChildOutput&) = delete;

 private:
  struct Run;
  std::shared_ptr<Run> run_;  // two owners: this object, and libuv's handles until they are closed
};

}  // namespace hpc
