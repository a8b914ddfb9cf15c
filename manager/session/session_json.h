#pragma once
#include "manager/session/json.h"
#include "manager/session/session_info.h"

namespace hpc {

/// The value that session_json() writes, to be put into a larger one (a list).
JsonPtr session_value(const SessionInfo& info);

}  // namespace hpc
