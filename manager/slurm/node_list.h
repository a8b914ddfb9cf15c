#pragma once
#include <string_view>

namespace hpc {

/// Is `node` one of the nodes of `list`, as SLURM writes lists ("c1", "c[1-3,07],gpu2",
/// "r[1-2]n[01-16]")? Never expands the list, so a hostile one cannot use up memory. A list that
/// is not well formed contains nothing. Ranges keep leading zeros: "c[01-16]" has c08, not c8.
bool node_list_contains(std::string_view list, std::string_view node);

}  // namespace hpc
