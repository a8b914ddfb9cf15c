#pragma once
#include <functional>

#include "manager/ssh/libssh_handles.h"
#include "manager/ssh/ssh_attempt.h"

namespace hpc {

/// Repeats a non-blocking libssh call on a worker thread while it returns `again`, waiting for the
/// socket in between. SSH_ERROR when the session has died, the stage took too long or the attempt
/// was cancelled. libssh's own blocking mode would not notice any of these: after a DISCONNECT it
/// waits for a closed descriptor until its timeout.
int repeat_ssh_call(ssh_session session, const SshAttempt& attempt, int again,
                    const std::function<int()>& call);

/// Whether libssh still believes in the connection.
bool ssh_session_lives(ssh_session session);

}  // namespace hpc
