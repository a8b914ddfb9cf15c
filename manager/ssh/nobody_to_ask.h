#pragma once
#include <optional>
#include <string>

#include "manager/ssh/ssh_connector.h"

namespace hpc {

/// For a program without a terminal: every question of a server stays without an answer, so an
/// unknown host key is refused and a password is never asked for.
class NobodyToAsk final : public SshPrompter {
 public:
  std::optional<std::string> ask(const std::string& /*prompt*/, bool /*echo*/) override {
    return std::nullopt;
  }
  std::optional<bool> confirm(const std::string& /*question*/) override { return std::nullopt; }
};

}  // namespace hpc
