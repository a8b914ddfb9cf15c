#pragma once
#include <optional>
#include <string>

#include "common/unique_fd.h"
#include "manager/ssh/ssh_connector.h"

namespace hpc {

/// Asks the person at the controlling terminal (/dev/tty), whatever stdin and stderr are. nullopt
/// where there is none. A hidden answer is typed without echo; the terminal is put back on every
/// way out, also when a signal ends or stops the program, because the signals stay with the loop:
/// `main` calls cancel() before it leaves.
class TerminalPrompter final : public SshPrompter {
 public:
  explicit TerminalPrompter(std::string tty_path = "/dev/tty");
  std::optional<std::string> ask(const std::string& prompt, bool echo) override;
  std::optional<bool> confirm(const std::string& question) override;
  void cancel() noexcept override;

 private:
  std::optional<std::string> read_line(int tty);

  std::string tty_path_;
  UniqueFd cancel_event_;
};

}  // namespace hpc
