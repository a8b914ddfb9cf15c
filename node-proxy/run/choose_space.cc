#include "node-proxy/run/choose_space.h"

#include "node-proxy/run/network_space.h"

namespace hpc {

SpaceChoice choose_space(const Status& probe) {
  if (probe) {
    return {PrivateMode::kNetns,
            "--private auto: the command gets a network namespace of its own (netns)"};
  }
  std::string why = probe.error().detail;
  if (why.ends_with(kLoopbackAdvice)) why.resize(why.size() - kLoopbackAdvice.size());
  return {
      PrivateMode::kLoopback,
      "--private auto: the command gets loopback addresses of its own (loopback), because " + why};
}

}  // namespace hpc
