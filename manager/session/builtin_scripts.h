#pragma once
#include <span>
#include <string_view>

namespace hpc {

/// A file of slurm-scripts/, as it was when this program was built.
struct BuiltinScript {
  std::string_view name;  // "vscode.sbatch", "hpc-proxy.sh"
  std::string_view text;
};

/// All of them; they live as long as the program. cmake/EmbedFiles.cmake writes it.
std::span<const BuiltinScript> builtin_scripts();

}  // namespace hpc
