#include "node-proxy/run/unmoved_program.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "common/unique_fd.h"
#include "node-proxy/ports/settings.h"
#include "node-proxy/process.h"

namespace hpc {

namespace {

constexpr std::string_view kLibraryFile = "/" HPC_PORTS_LIBRARY_NAME;
constexpr std::size_t kPieceBytes = std::size_t{32} * 1024;
// A browser maps some thousand files, 100 bytes a line; an environment is far below the kernel's
// own bound. What lies past it is not looked at.
constexpr std::size_t kMapsBytesMax = std::size_t{4} * 1024 * 1024;
constexpr std::size_t kEnvironmentBytesMax = std::size_t{256} * 1024;
constexpr std::size_t kAuxiliaryBytesMax = 4096;

/// Reads to the end, at most `bytes_max`; nothing when it cannot be opened.
std::optional<std::string> read_proc_file(const std::string& path, std::size_t bytes_max) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return std::nullopt;
  std::string text;
  while (text.size() < bytes_max) {
    const std::size_t before = text.size();
    text.resize(std::min(before + kPieceBytes, bytes_max));
    const ssize_t size = read(fd.get(), text.data() + before, text.size() - before);
    text.resize(before + static_cast<std::size_t>(size > 0 ? size : 0));
    if (size == 0 || (size < 0 && errno != EINTR)) break;
  }
  return text;
}

/// Entries of `Word`: a kind and a value, ended by AT_NULL. The kernel tells the size of a program
/// header, which is another one for 32 bits; so the wrong reading of the bytes is seen.
template <class Word>
bool read_vector(Bytes bytes, std::size_t header_size, ProgramFacts& facts) {
  bool header_seen = false;
  bool interpreter = false;
  bool secure = false;
  for (; bytes.size() >= 2 * sizeof(Word); bytes = bytes.subspan(2 * sizeof(Word))) {
    std::array<Word, 2> entry{};
    std::memcpy(entry.data(), bytes.data(), sizeof entry);
    if (entry[0] == AT_NULL) break;
    if (entry[0] == AT_PHENT) header_seen = entry[1] == header_size;
    if (entry[0] == AT_BASE) interpreter = entry[1] != 0;
    if (entry[0] == AT_SECURE) secure = entry[1] != 0;
  }
  if (!header_seen) return false;
  facts.statically_linked = !interpreter;
  facts.more_rights = secure;
  facts.other_word_size = sizeof(Word) != sizeof(void*);
  return true;
}

}  // namespace

bool parse_auxiliary_vector(Bytes bytes, ProgramFacts& facts) {
  return read_vector<std::uint64_t>(bytes, sizeof(Elf64_Phdr), facts) ||
         read_vector<std::uint32_t>(bytes, sizeof(Elf32_Phdr), facts);
}

bool maps_library(std::string_view text) {
  for (std::size_t at = text.find(kLibraryFile); at != std::string_view::npos;
       at = text.find(kLibraryFile, at + 1)) {
    // "... /path/libhpc_ports.so", and " (deleted)" behind it once the file is gone.
    const std::string_view rest = text.substr(at + kLibraryFile.size());
    if (rest.empty() || rest.front() == '\n' || rest.front() == ' ') return true;
  }
  return false;
}

bool preloads_library(std::string_view environment) {
  constexpr std::string_view kPreload = "LD_PRELOAD=";
  while (!environment.empty()) {
    const std::string_view setting = environment.substr(0, environment.find('\0'));
    if (setting.starts_with(kPreload)) {
      return setting.find(kLibraryFile) != std::string_view::npos;
    }
    environment.remove_prefix(std::min(setting.size() + 1, environment.size()));
  }
  return false;
}

std::optional<ProgramFacts> read_program_facts(const std::string& proc, std::int64_t pid) {
  const auto stat = read_process_stat(proc, pid);
  // State D: what lies in its memory may be what it waits for, and we would wait with it.
  if (!stat || stat->state == 'D') return std::nullopt;
  const std::string directory = proc + "/" + std::to_string(pid);
  const auto vector = read_proc_file(directory + "/auxv", kAuxiliaryBytesMax);
  const auto maps = read_proc_file(directory + "/maps", kMapsBytesMax);
  ProgramFacts facts;
  if (!vector || !maps || maps->size() == kMapsBytesMax ||
      !parse_auxiliary_vector(std::as_bytes(std::span(*vector)), facts)) {
    return std::nullopt;
  }
  facts.library_loaded = maps_library(*maps);
  const auto environment = read_proc_file(directory + "/environ", kEnvironmentBytesMax);
  facts.preload_set = environment && preloads_library(*environment);
  return facts;
}

std::string_view unmoved_reason(const ProgramFacts& facts) {
  if (facts.library_loaded) return "it asks the kernel itself, as programs written in Go do";
  if (facts.statically_linked) return "it is statically linked";
  if (facts.other_word_size) return "it is a 32-bit program";
  if (facts.more_rights) return "it was started with more rights than yours (setuid)";
  if (!facts.preload_set) return "it was started without LD_PRELOAD";
  return "it did not load hpc-proxy's library, as programs with another C library do";
}

std::string unmoved_warning(const std::string& name, std::int64_t pid, std::uint16_t port,
                            const ProgramFacts& facts) {
  return "hpc-proxy: " + (name.empty() ? "a program" : name) + " (pid " + std::to_string(pid) +
         ") listens on port " + std::to_string(port) + " without a private address, because " +
         std::string(unmoved_reason(facts)) +
         ": other users of this node cannot use that port number, and can connect to it; hpc-proxy "
         "still lets only you in. --private netns would give it one";
}

}  // namespace hpc
