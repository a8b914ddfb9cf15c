#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "manager/ssh/libssh_handles.h"
#include "manager/ssh/ssh_attempt.h"
#include "manager/ssh/ssh_config.h"

namespace hpc {

/// Logs in: keys of the agent, key files with their certificates, keyboard-interactive, password,
/// in the order of ssh_config's PreferredAuthentications. `explicit_keys` (--identity) are tried
/// before the agent and must exist.
///
/// Blocks: for connector threads. Errors: kUnauthorized (nothing was accepted: says what the server
/// takes and what was tried), kConfig (a key file is missing or readable by others), kTimeout, kSsh
/// (the server hung up).
class SshAuthenticator {
 public:
  SshAuthenticator(ssh_session session, const SshConfig& config,
                   const std::vector<std::string>& explicit_keys, AttemptPrompter& prompter,
                   SshAttempt& attempt);
  Status run();

 private:
  // What one step came to; kPartial: right, but the server wants another method as well.
  enum class Step : std::uint8_t { kDone, kPartial, kRefused, kLost };

  Status try_methods(Step& step);
  Step method(const std::string& name);
  Step public_keys();
  Step agent_keys(const std::vector<std::string>& files, bool only);
  Step key_files(const std::vector<std::string>& paths, bool is_explicit);
  Step key_file(const std::string& path, bool is_explicit);
  Step offer(const std::string& path, ssh_key public_key, ssh_key certificate);
  Step sign(const std::string& path, ssh_key certificate);
  Step keyboard_interactive();
  Step answer_questions(bool& asked);
  Step password();
  int call(const std::function<int()>& userauth);
  Step step_of(int rc);
  bool may_ask() const { return !config_.batch_mode; }
  bool server_takes(unsigned method) const;
  Error refused_error() const;
  Error lost_error() const;
  std::string login() const { return config_.user + "@" + config_.hostname; }

  ssh_session session_;
  const SshConfig& config_;
  const std::vector<std::string>& explicit_keys_;
  AttemptPrompter& prompter_;
  SshAttempt& attempt_;
  std::vector<std::string> tried_;      // in words, for the message
  std::optional<Error> first_problem_;  // a key file that could not be used
  std::optional<Error> fatal_;          // ends the whole login
};

}  // namespace hpc
