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

/// What may be used to log in besides, or instead of, what ssh_config names (see SshTarget).
struct SshMeans {
  std::vector<std::string> keys;  // --identity: tried before the agent, and must exist
  bool only_keys = false;
  bool only_prompts = false;
};

/// Logs in: keys of the agent, key files with their certificates, keyboard-interactive, password,
/// in the order of ssh_config's PreferredAuthentications.
///
/// Blocks: for connector threads. Errors: kUnauthorized (nothing was accepted: says what the server
/// takes and what was tried), kConfig (a key file is missing or readable by others), kForbidden
/// (with only_prompts: the server asks nothing), kTimeout, kSsh (the server hung up).
class SshAuthenticator {
 public:
  SshAuthenticator(ssh_session session, const SshConfig& config, const SshMeans& means,
                   AttemptPrompter& prompter, SshAttempt& attempt);
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
  int tries_max() const { return means_.only_prompts ? 1 : config_.prompts_max; }
  bool server_takes(unsigned method) const;
  Error refused_error() const;
  Error wrong_answer_error() const;
  std::string methods_taken() const;
  Error lost_error() const;
  std::string login() const { return config_.user + "@" + config_.hostname; }

  ssh_session session_;
  const SshConfig& config_;
  const SshMeans& means_;
  AttemptPrompter& prompter_;
  SshAttempt& attempt_;
  std::vector<std::string> tried_;      // in words, for the message
  std::optional<Error> first_problem_;  // a key file that could not be used
  std::optional<Error> fatal_;          // ends the whole login
  int answers_ = 0;                     // that a person has given
};

}  // namespace hpc
