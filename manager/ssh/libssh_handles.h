#pragma once
#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include <memory>
#include <string>

namespace hpc {

/// Says goodbye to the server without waiting and frees the session and its descriptor. libssh does
/// not close a descriptor that was given to it, unless it has found it dead before.
struct SshSessionFree {
  void operator()(ssh_session session) const noexcept;
};
using SshSessionPtr = std::unique_ptr<ssh_session_struct, SshSessionFree>;

struct SshKeyFree {
  void operator()(ssh_key key) const noexcept { ssh_key_free(key); }
};
using SshKeyPtr = std::unique_ptr<ssh_key_struct, SshKeyFree>;

struct SshStringFree {
  void operator()(char* text) const noexcept { ssh_string_free_char(text); }
};
using SshCharPtr = std::unique_ptr<char, SshStringFree>;

/// The last error of a session, in words. libssh keeps one per session and overwrites it, so it has
/// to be copied right after the call that failed.
std::string ssh_error_text(ssh_session session);

/// "SHA256:..." as OpenSSH prints it; empty if libssh cannot compute it.
std::string ssh_fingerprint(ssh_key key);

/// Overwrites a secret before its memory is given back.
void wipe(std::string& secret) noexcept;

}  // namespace hpc
