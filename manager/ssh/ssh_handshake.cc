#include "manager/ssh/ssh_handshake.h"

#include <utility>

#include "manager/ssh/host_key_check.h"
#include "manager/ssh/ssh_auth.h"
#include "manager/ssh/ssh_repeat.h"
#include "manager/ssh/tcp_dial.h"

namespace hpc {
namespace {

// GCM first: twice the speed of chacha20, which libssh and OpenSSH would agree on by themselves.
constexpr const char* kCiphers =
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,"
    "aes256-ctr,aes192-ctr,aes128-ctr";

bool set_options(ssh_session session, const SshHop& hop, int fd, const std::string& algorithms) {
  const auto& config = hop.config;
  const bool no = false;
  const unsigned port = config.port;
  const auto text = [session](ssh_options_e option, const char* value) {
    return ssh_options_set(session, option, value) == SSH_OK;
  };
  // The values come from `ssh -G`, and libssh must neither read nor write files of its own choice.
  return ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no) == SSH_OK &&
         text(SSH_OPTIONS_HOST, config.hostname.c_str()) &&
         text(SSH_OPTIONS_USER, config.user.c_str()) &&
         ssh_options_set(session, SSH_OPTIONS_PORT, &port) == SSH_OK &&
         text(SSH_OPTIONS_KNOWNHOSTS, "/dev/null") &&
         text(SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null") &&
         text(SSH_OPTIONS_CIPHERS_C_S, kCiphers) && text(SSH_OPTIONS_CIPHERS_S_C, kCiphers) &&
         text(SSH_OPTIONS_HOSTKEYS, algorithms.c_str()) &&
         ssh_options_set(session, SSH_OPTIONS_FD, &fd) == SSH_OK;
}

Error exchange_error(const SshHop& hop, ssh_session session, const SshAttempt& attempt) {
  const std::string where = hop.config.hostname + " port " + std::to_string(hop.config.port);
  if (const auto overdue = attempt.overdue()) {
    return {Errc::kTimeout, "ssh.connect",
            where + ": " + *overdue + "; is this an SSH server, and is it overloaded?"};
  }
  return {Errc::kSsh, "ssh.connect",
          where + ": " + ssh_error_text(session) +
              "; if the server drops connections under load (MaxStartups), try again in a minute"};
}

/// Lets the attempt cut a descriptor, until the end of the scope.
class Watched {
 public:
  Watched(SshAttempt& attempt, int fd) : attempt_(attempt) { attempt_.watch(fd); }
  ~Watched() {
    attempt_.end();
    attempt_.watch(-1);
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

 private:
  SshAttempt& attempt_;
};

}  // namespace

Result<SshSessionPtr> open_ssh_session(const SshHop& hop, UniqueFd fd, AttemptPrompter& prompter,
                                       SshAttempt& attempt, const SshConnectorOptions& options) {
  const auto records = read_host_key_records(hop.config);
  if (!records) return tl::unexpected(records.error());
  if (!fd) {
    attempt.begin("connecting", options.connect_timeout_ms);
    auto dialled = dial_tcp(hop.config.hostname, hop.config.port, attempt);
    attempt.end();
    if (!dialled) return tl::unexpected(dialled.error());
    fd = std::move(*dialled);
  }
  SshSessionPtr session(ssh_new());
  if (!session || !set_options(session.get(), hop, fd.get(),
                               host_key_algorithms(records->files, records->name))) {
    return fail(Errc::kSystem, "ssh.connect",
                "cannot set up a session: " +
                    (session ? ssh_error_text(session.get()) : std::string("out of memory")));
  }
  const Watched watched(attempt, fd.get());
  attempt.begin("the key exchange", options.key_exchange_timeout_ms);
  fd.release();  // the session's from here on
  ssh_set_blocking(session.get(), 0);
  const int rc = repeat_ssh_call(session.get(), attempt, SSH_AGAIN,
                                 [&session] { return ssh_connect(session.get()); });
  attempt.end();
  if (rc != SSH_OK) return tl::unexpected(exchange_error(hop, session.get(), attempt));
  if (auto known = check_host_key(session.get(), hop.config, *records, prompter); !known) {
    return tl::unexpected(known.error());
  }
  attempt.begin("logging in", options.auth_timeout_ms);
  const Status login =
      SshAuthenticator(session.get(), hop.config, hop.means, prompter, attempt).run();
  if (!login) return tl::unexpected(login.error());
  return session;
}

}  // namespace hpc
