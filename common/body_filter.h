#pragma once
#include <string>
#include <string_view>

namespace hpc {

/// Changes the body of one answer on its way to the client, piece by piece. Made by the policy,
/// owned by the exchange. What it writes is sent, and counted against the client's queue, at once;
/// so it keeps back no more than it must, and bounds what it keeps.
class BodyFilter {
 public:
  virtual ~BodyFilter() = default;
  /// `bytes` are the next of the body, cut anywhere. Appends to `out` what may go on now.
  virtual void feed(std::string_view bytes, std::string& out) noexcept = 0;
  /// The body's end; the last call. Not called for a body that is cut off.
  virtual void finish(std::string& out) noexcept = 0;
};

}  // namespace hpc
