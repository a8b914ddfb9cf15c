#pragma once
#include <optional>
#include <string>

#include "common/job_record.h"

namespace hpc {

/// What the browser side may know of the tunnel, as of now.
class TunnelView {
 public:
  virtual ~TunnelView() = default;
  virtual bool ready() const = 0;
  /// The proxy it leads to, or led to before it went down; nothing before the first.
  virtual const std::optional<JobRecord>& record() const = 0;
  /// Why it is down, in one line for the user; empty while it is up or still starting.
  virtual const std::string& trouble() const = 0;
  /// "login01 as alice".
  virtual std::string destination() const = 0;
};

}  // namespace hpc
