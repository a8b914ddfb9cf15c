#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "manager/ssh/ssh_connection.h"
#include "manager/ssh/ssh_link.h"

namespace hpc {

class SshCommand;

/// Runs the commands of one connection, at most kRunningMax at a time and in the order of their
/// arrival.
///
/// Two owners: the connection and each command that has not ended.
class SshExecQueue : public std::enable_shared_from_this<SshExecQueue> {
 public:
  // Servers allow 10 sessions per connection (MaxSessions) and one user may have several of ours.
  static constexpr int kRunningMax = 2;
  // A caller that asks for more has lost its own bound; the answer is kUnavailable.
  static constexpr std::size_t kWaitingMax = 64;

  explicit SshExecQueue(std::shared_ptr<SshLink> link) : link_(std::move(link)) {}
  std::unique_ptr<Pending> add(std::string command, std::string input, std::uint64_t timeout_ms,
                               ExecDone done);

 private:
  friend class SshCommand;
  void start_next();
  void ended(bool was_running);

  std::shared_ptr<SshLink> link_;
  std::deque<std::weak_ptr<SshCommand>> waiting_;
  int running_ = 0;
};

}  // namespace hpc
