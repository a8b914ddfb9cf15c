#include "manager/wall_clock.h"

#include <uv.h>

namespace hpc {

std::int64_t unix_now_ms() {
  uv_timeval64_t now{};
  uv_gettimeofday(&now);
  return now.tv_sec * 1000 + now.tv_usec / 1000;
}

}  // namespace hpc
