#pragma once
#include <string_view>

namespace hpc {

/// X-Forwarded-*, Forwarded and X-HPC-*: fields that say who asks, for whom and where. Whoever is
/// not trusted to say so has them removed (contract 1.4, 2.0). Also with '_' for '-', which some
/// app servers take for the same name.
bool says_who_asks(std::string_view name);

/// Fields of an answer that an app must not set for everything else that shares its host name
/// (contract 1.4, "Dropped").
bool affects_whole_host(std::string_view name);

}  // namespace hpc
