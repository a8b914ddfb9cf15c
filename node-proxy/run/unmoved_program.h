#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/stream.h"

namespace hpc {

/// What /proc says of a program that listens where the preloaded library should have moved it.
/// Only from the kernel's own memory and the process's: the program's file may lie on a file
/// system that hangs.
struct ProgramFacts {
  bool library_loaded = false;  // libhpc_ports.so is in its memory
  bool statically_linked = false;
  bool other_word_size = false;  // a 32-bit program on a 64-bit system
  bool more_rights = false;      // setuid, setgid or with capabilities: ld.so loads no library then
  bool preload_set = false;      // LD_PRELOAD names the library
};

/// Nothing when it is gone, cannot be looked at, or hangs in the kernel (look again later).
std::optional<ProgramFacts> read_program_facts(const std::string& proc, std::int64_t pid);

/// As in "because it is statically linked". Pure.
std::string_view unmoved_reason(const ProgramFacts& facts);

/// The whole warning, one line for a person; `name` is a process_label(). Pure.
std::string unmoved_warning(const std::string& name, std::int64_t pid, std::uint16_t port,
                            const ProgramFacts& facts);

// The kernel's texts, for tests. Pure.

/// /proc/PID/auxv: fills what is known from it. False when it is no such vector.
bool parse_auxiliary_vector(Bytes bytes, ProgramFacts& facts);
/// Is the library among the mapped files? `text` is a part of /proc/PID/maps.
bool maps_library(std::string_view text);
/// /proc/PID/environ: settings that each end in NUL.
bool preloads_library(std::string_view environment);

}  // namespace hpc
