#pragma once
#include <optional>
#include <string>

#include "manager/session/tunnel_view.h"

namespace hpc {

/// A tunnel that is up, or down, as the test says.
struct FakeTunnelView final : TunnelView {
  bool ready() const override { return up; }
  const std::optional<JobRecord>& record() const override { return found; }
  const std::string& trouble() const override { return why_down; }
  std::string destination() const override { return "login01 as alice"; }
  bool up = true;
  std::optional<JobRecord> found;
  std::string why_down;
};

}  // namespace hpc
