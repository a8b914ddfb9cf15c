#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "common/loop.h"
#include "common/upstream_pool.h"

namespace hpc {

/// Opens connections to the user's apps: the key is a port in decimal, tried on 127.0.0.1, then on
/// [::1]. The address that worked is remembered until it is refused.
///
/// Errors: kRefused when nothing listens on either address; else what the first one said.
class AppConnector final : public Connector {
 public:
  AppConnector(Loop& loop, std::uint64_t timeout_ms) : loop_(loop), timeout_ms_(timeout_ms) {}
  std::unique_ptr<Pending> connect(const std::string& key, ConnectDone done) override;

 private:
  class Attempt;

  Loop& loop_;
  std::uint64_t timeout_ms_;  // of each address
  // Ports whose app listens on ::1 only; at most as many entries as there are ports.
  std::unordered_map<std::string, bool> prefers_v6_;
};

}  // namespace hpc
