#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/loop.h"
#include "node-proxy/child_output.h"

namespace hpc {

/// "hpc1 c1:41234": what is published in the job's comment, for managers whose view of the home
/// lags behind. No secret: every user of the cluster may read it.
std::string job_comment(const std::string& host, std::uint16_t port);

/// Whether a comment, as `squeue -h -o %k` prints it, may be replaced: there is none, or it is one
/// of ours. What a user or a site wrote stays.
bool may_replace_comment(std::string_view printed);

/// Writes the job's comment once, without waiting: asks squeue what is there, then tells scontrol.
class JobCommentWriter {
 public:
  /// Empty: it is written, or was there already. Else why not, for a log line.
  using Done = std::function<void(const std::string& why)>;
  /// `done` comes at most once, in a later turn; not when this object is destroyed before.
  JobCommentWriter(Loop& loop, std::string job_id, std::string comment, Done done);

 private:
  void on_printed(const ChildOutput::Answer& answer);

  Loop& loop_;
  const std::string job_id_;
  const std::string comment_;
  Done done_;
  std::unique_ptr<ChildOutput> asking_;
  std::unique_ptr<ChildOutput> telling_;
};

}  // namespace hpc
