#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop.h"
#include "manager/ssh/ssh_connection.h"

namespace hpc {

/// Where to and as whom, as the user typed it; everything else comes from `ssh -G` (ssh_config).
struct SshTarget {
  std::string host;                        // name or alias as typed
  std::optional<std::string> user;         // else ssh_config's, else the local user
  std::optional<std::uint16_t> port;       // else ssh_config's, else 22
  std::vector<std::string> identities;     // --identity; else ssh_config's and the agent
  std::optional<std::string> known_hosts;  // --known-hosts; else ssh_config's
  std::optional<std::string> ssh_config;   // --ssh-config, passed to `ssh -G -F`
};

/// Questions that only a person can answer. Called on a connector thread, may block; `nullopt`
/// means nobody is there to ask (no terminal), which makes the step fail with a message that says
/// so.
class SshPrompter {
 public:
  virtual ~SshPrompter() = default;
  virtual std::optional<std::string> ask(const std::string& prompt, bool echo) = 0;
  /// Unknown host key: yes or no.
  virtual std::optional<bool> confirm(const std::string& question) = 0;
};

using SshConnectDone = std::function<void(Result<std::unique_ptr<SshConnection>>)>;

/// Connects and authenticates on threads of its own (DNS, key derivation and agents block), with
/// deadlines 10 s connect / 15 s key exchange / 20 s authentication (not counted while a person is
/// asked), at most 3 at a time to one host, and hands the session to the loop.
class SshConnector {
 public:
  virtual ~SshConnector() = default;
  /// `done` on the loop, once, unless the returned object is destroyed first. Errors, each with the
  /// cause and the next step in `detail`: kNetwork (unreachable, name unknown), kTimeout,
  /// kUnauthorized (no key or password was accepted: do not retry by itself), kForbidden (host key
  /// unknown or changed: do not retry), kConfig (key file unreadable, bad ssh_config), kSsh.
  virtual std::unique_ptr<Pending> connect(const SshTarget& target, SshPrompter& prompter,
                                           SshConnectDone done) = 0;
};

std::unique_ptr<SshConnector> make_ssh_connector(Loop& loop);

}  // namespace hpc
