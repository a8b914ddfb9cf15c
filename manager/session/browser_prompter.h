#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/loop.h"
#include "common/loop_mailbox.h"
#include "manager/ssh/ssh_connector.h"

namespace hpc {

/// The questions of one connect, brought from the connector's thread to the loop, and the answers
/// back. Who asks waits, on his thread, until there is an answer, the time is up, or it was closed;
/// from then on every question stays without an answer. Unknown host keys are refused.
///
/// Owners: whoever answers, and the connect, whose thread may hold it a moment longer.
class BrowserPrompter : public SshPrompter {
 public:
  struct Question {
    std::string text;  // the server's words, as they came
    bool echo = false;
  };
  /// On the loop; never after close().
  using Asked = std::function<void(Question)>;

  /// On the loop: answers the question that is being asked. The text is overwritten wherever it
  /// was. Nothing happens where nobody asks (any more).
  virtual void answer(std::string text) = 0;
  /// On the loop: nobody answers any more. May be called twice.
  virtual void close() = 0;
  /// Whether a question stayed without an answer for too long.
  virtual bool overdue() const = 0;
};

/// `answer_ms`: how long a question may wait.
using MakePrompter = std::function<std::shared_ptr<BrowserPrompter>(BrowserPrompter::Asked asked)>;

/// Makes those of a program. `loop` must outlive every one of them; the mailbox behind it is closed
/// when the last copy of what this returns has gone.
MakePrompter browser_prompters(Loop& loop, std::uint64_t answer_ms);

}  // namespace hpc
