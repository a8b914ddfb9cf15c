#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
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
  // Nothing but `identities` may be offered: no other key of the agent, none of ssh_config's.
  bool only_identities = false;
  // Nothing but a person's answers counts: no key, and no server that lets in without a question.
  // One wrong answer ends it. Jump hosts on the way ask nothing.
  bool only_prompts = false;
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
  /// Called on the loop thread when an attempt is given up while a question is asked (or just about
  /// to be): it must return `nullopt` soon. Later questions are asked as before.
  virtual void cancel() noexcept {}
};

using SshConnectDone = std::function<void(Result<std::unique_ptr<SshConnection>>)>;

/// Connects and authenticates on threads of its own (DNS, key derivation and agents block), with
/// deadlines 10 s connect / 15 s key exchange / 20 s authentication (not counted while a person is
/// asked), at most connects_per_host_max at a time to one host, and hands the session to the loop.
class SshConnector {
 public:
  virtual ~SshConnector() = default;
  /// `done` on the loop, once, unless the returned object is destroyed first. Errors, each with the
  /// cause and the next step in `detail`: kNetwork (unreachable, name unknown), kTimeout,
  /// kUnauthorized (no key or password was accepted: do not retry by itself), kForbidden (host key
  /// unknown or changed: do not retry), kConfig (key file unreadable, bad ssh_config), kSsh.
  virtual std::unique_ptr<Pending> connect(const SshTarget& target,
                                           std::shared_ptr<SshPrompter> prompter,
                                           SshConnectDone done) = 0;
  /// With a prompter that outlives the connector.
  std::unique_ptr<Pending> connect(const SshTarget& target, SshPrompter& prompter,
                                   SshConnectDone done) {
    return connect(target, std::shared_ptr<SshPrompter>(std::shared_ptr<SshPrompter>(), &prompter),
                   std::move(done));
  }
};

struct SshConnectorOptions {
  std::uint64_t connect_timeout_ms = 10'000;       // name lookup and TCP
  std::uint64_t key_exchange_timeout_ms = 15'000;  // up to the server's host key
  std::uint64_t auth_timeout_ms = 20'000;          // all methods, without the time of questions
  std::uint64_t keepalive_ms = 15'000;             // three unanswered ones end a connection
  std::string ssh_program = "ssh";                 // asked for the values of ssh_config (ssh -G)
  // At a time, 1 or more. Three of ours leave others room under sshd's MaxStartups of 10.
  int connects_per_host_max = 3;
  /// Something the user should know that does not stop anything; called on the loop.
  std::function<void(const std::string&)> notice = {};
};

/// The destructor waits for the threads (at most a second; what may take longer is cut).
std::unique_ptr<SshConnector> make_ssh_connector(Loop& loop, SshConnectorOptions options = {});

}  // namespace hpc
