#pragma once
#include <string_view>

#include "common/http_head.h"

namespace hpc {

/// X-Forwarded-*, Forwarded and X-HPC-*: fields that say who asks, for whom and where. Whoever is
/// not trusted to say so has them removed (contract 1.4, 2.0). Also with '_' for '-', which some
/// app servers take for the same name.
bool says_who_asks(const Field& field);
inline bool says_who_asks(std::string_view name) {
  return says_who_asks({name, {}, field_id(name)});
}

/// Fields of an answer that an app must not set for everything else that shares its host name
/// (contract 1.4, "Dropped").
bool affects_whole_host(FieldId id);
inline bool affects_whole_host(std::string_view name) { return affects_whole_host(field_id(name)); }

}  // namespace hpc
