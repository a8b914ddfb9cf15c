#pragma once
#include <cstdint>

namespace hpc {

/// Milliseconds since 1970, for what is stored and shown as a date. It may jump; deadlines and ages
/// are of the loop's clock. From any thread.
std::int64_t unix_now_ms();

}  // namespace hpc
