#pragma once
#include "common/upstream_pool.h"
#include "manager/session/channel_stock.h"

namespace hpc {

/// Of a pool whose connections are channels to hpc-proxy: one that has carried a request stays as
/// long as a warm one, for the same reason.
inline UpstreamPoolOptions channel_pool_options() {
  UpstreamPoolOptions options;
  options.idle_ms = kWarmChannelMs;
  return options;
}

}  // namespace hpc
