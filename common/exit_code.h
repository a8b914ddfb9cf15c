#pragma once
#include "common/result.h"

namespace hpc {

/// What either program ends with after a failure (contract 1): 1 failure, 2 usage, 3 not running or
/// not found, 4 not authenticated, 5 timed out, 6 bad configuration.
inline int exit_code(Errc code) {
  switch (code) {
    case Errc::kUsage:
      return 2;
    case Errc::kNotFound:
    case Errc::kRefused:
      return 3;
    case Errc::kUnauthorized:
    case Errc::kForbidden:
      return 4;
    case Errc::kTimeout:
      return 5;
    case Errc::kConfig:
      return 6;
    default:
      return 1;
  }
}

}  // namespace hpc
