#include "node-proxy/run/terminal.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

namespace hpc {

ControllingTerminal::ControllingTerminal()
    : fd_(open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)) {}

pid_t ControllingTerminal::foreground() const {
  const pid_t group = exists() ? tcgetpgrp(fd_.get()) : 0;
  return group > 0 ? group : 0;
}

void ControllingTerminal::hand_to(pid_t group) const {
  if (exists() && group > 0) tcsetpgrp(fd_.get(), group);
}

}  // namespace hpc
