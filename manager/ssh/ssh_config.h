#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace hpc {

/// Who is at the keyboard: what ssh_config's values refer to.
struct SshLocalUser {
  std::string name;
  std::string home;
  std::string uid;
  /// Value of an environment variable, empty where there is none.
  std::function<std::string(const std::string&)> environment = [](const std::string&) {
    return std::string();
  };
};

/// StrictHostKeyChecking. `no` counts as kAsk: we never go on with a key that nobody has looked at.
enum class StrictHostKey : std::uint8_t { kYes, kAsk, kAcceptNew };

/// The values of ssh_config that this client follows, paths expanded.
struct SshConfig {
  std::string host;  // as typed
  std::string hostname;
  std::string user;
  std::uint16_t port = 22;
  std::vector<std::string> identity_files;
  std::vector<std::string> certificate_files;
  std::string agent_socket;  // empty: no agent
  bool identities_only = false;
  std::vector<std::string> user_known_hosts;
  std::vector<std::string> global_known_hosts;
  std::string host_key_alias;
  StrictHostKey strict_host_key = StrictHostKey::kAsk;
  bool hash_known_hosts = false;
  std::vector<std::string> jump_hosts;  // ProxyJump, first hop first
  std::string proxy_command;
  std::vector<std::string> preferred_methods;  // empty: publickey, keyboard-interactive, password
  bool public_key_allowed = true;
  bool keyboard_interactive_allowed = true;
  bool password_allowed = true;
  bool batch_mode = false;  // never ask for a password or passphrase
  int prompts_max = 3;      // 1..10
};

/// Reads what `ssh -G` prints: one keyword in lower case and its value per line. Unknown keywords
/// are passed over. kConfig: no host name, or a port that is none.
Result<SshConfig> parse_ssh_config(std::string_view text, const SshLocalUser& local);

/// What OpenSSH would do without any configuration file.
SshConfig default_ssh_config(const std::string& host, const SshLocalUser& local);

/// One element of ProxyJump: [user@]host[:port], [user@][v6]:port or an ssh:// URL of these.
struct SshJump {
  std::string host;
  std::optional<std::string> user;
  std::optional<std::uint16_t> port;
};
/// kConfig where it is none of these.
Result<SshJump> parse_ssh_jump(std::string_view text);

}  // namespace hpc
