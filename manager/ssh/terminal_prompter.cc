#include "manager/ssh/terminal_prompter.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string_view>
#include <utility>

#include "manager/ssh/libssh_handles.h"

namespace hpc {
namespace {

// Longer answers are no passwords; the rest of the line is dropped.
constexpr std::size_t kAnswerBytesMax = 1024;

/// Switches the terminal's echo off and puts it back.
class HiddenInput {
 public:
  HiddenInput(int tty, bool hide) : tty_(tty) {
    if (!hide || tcgetattr(tty, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHOE | ECHOK);
    quiet.c_lflag |= ECHONL;
    hidden_ = tcsetattr(tty, TCSAFLUSH, &quiet) == 0;
  }
  ~HiddenInput() {
    if (hidden_) tcsetattr(tty_, TCSAFLUSH, &before_);
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;

 private:
  int tty_;
  termios before_{};
  bool hidden_ = false;
};

void put(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

/// Control bytes of a server's prompt could repaint the screen.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f ? '?' : c;
  }
  return out;
}

}  // namespace

TerminalPrompter::TerminalPrompter(std::string tty_path)
    : tty_path_(std::move(tty_path)), cancel_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

std::optional<std::string> TerminalPrompter::ask(const std::string& prompt, bool echo) {
  const UniqueFd tty(open(tty_path_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!tty || isatty(tty.get()) == 0) return std::nullopt;
  const HiddenInput hidden(tty.get(), !echo);
  put(tty.get(), printable(prompt));
  return read_line(tty.get());
}

std::optional<std::string> TerminalPrompter::read_line(int tty) {
  std::string line;
  line.reserve(kAnswerBytesMax);  // never moved, so that no copy of a secret stays behind
  for (;;) {
    std::array<pollfd, 2> fds{{{tty, POLLIN, 0}, {cancel_event_.get(), POLLIN, 0}}};
    if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) break;
    if (fds[1].revents != 0) {
      std::uint64_t taken = 0;
      [[maybe_unused]] const auto count = ::read(cancel_event_.get(), &taken, sizeof taken);
      break;
    }
    if (fds[0].revents == 0) continue;
    char c = 0;
    const ssize_t count = ::read(tty, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    if (c == '\n') return line;
    if (line.size() < kAnswerBytesMax) line += c;
  }
  wipe(line);
  return std::nullopt;
}

std::optional<bool> TerminalPrompter::confirm(const std::string& question) {
  std::string prompt = question + " (yes/no) ";
  for (;;) {
    const auto answer = ask(prompt, /*echo=*/true);
    if (!answer) return std::nullopt;
    if (*answer == "yes") return true;
    if (*answer == "no") return false;
    prompt = "Please type 'yes' or 'no': ";
  }
}

void TerminalPrompter::cancel() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(cancel_event_.get(), &one, sizeof one);
}

}  // namespace hpc
