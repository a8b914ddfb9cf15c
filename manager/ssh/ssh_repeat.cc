#include "manager/ssh/ssh_repeat.h"

#include <poll.h>

namespace hpc {
namespace {

constexpr int kSliceMs = 100;  // how late a cancellation may be noticed

}  // namespace

bool ssh_session_lives(ssh_session session) {
  return ssh_is_connected(session) != 0 &&
         (ssh_get_status(session) & (SSH_CLOSED | SSH_CLOSED_ERROR)) == 0;
}

int repeat_ssh_call(ssh_session session, const SshAttempt& attempt, int again,
                    const std::function<int()>& call) {
  for (;;) {
    const int rc = call();
    if (rc != again) return rc;
    if (!ssh_session_lives(session) || attempt.cancelled() || attempt.overdue()) return SSH_ERROR;
    const bool write = (ssh_get_poll_flags(session) & SSH_WRITE_PENDING) != 0;
    pollfd wait{ssh_get_fd(session), static_cast<short>(write ? POLLIN | POLLOUT : POLLIN), 0};
    poll(&wait, 1, kSliceMs);
  }
}

}  // namespace hpc
