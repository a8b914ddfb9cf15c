#pragma once
#include <sys/types.h>

#include "common/unique_fd.h"

namespace hpc {

/// The terminal that controls this process, if there is one. Opened for each question: it may go
/// away at any time.
class ControllingTerminal {
 public:
  ControllingTerminal();
  bool exists() const { return fd_.get() >= 0; }
  /// The process group that reads from it; 0: none.
  pid_t foreground() const;
  /// Hands it to another group. SIGTTOU must be blocked: we may be in the background ourselves.
  void hand_to(pid_t group) const;

 private:
  UniqueFd fd_;
};

}  // namespace hpc
