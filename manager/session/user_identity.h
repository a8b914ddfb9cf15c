#pragma once
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "manager/ssh/ssh_connector.h"

namespace hpc {

/// As whom, and with what, each user of `serve` logs in to a cluster.
///
/// There is no fallback: the SSH user is the session's user and nobody else, a cluster with a fixed
/// USER@ is for that user alone, and with a pattern only his own key is offered, not one of the
/// manager's agent or ssh_config. Without a pattern the agent and ssh_config are as the operator
/// has set them up; the user name is the session's all the same.
///
/// A value. Looks at the key files anew each time.
class UserIdentities {
 public:
  struct Cluster {
    std::string name;
    SshTarget target;  // host, port and, if it is fixed, the user
  };
  struct Options {
    std::vector<Cluster> clusters;
    std::optional<std::string> identity;  // key file, %u is the user's name, %% a percent sign
    std::optional<std::string> known_hosts;
    std::optional<std::string> ssh_config;
    // `--auth ssh`: who has no key of the pattern logs in by a page, never with ssh_config's means.
    bool sign_in = false;
  };
  explicit UserIdentities(Options options) : options_(std::move(options)) {}

  /// Where to, as `user` (a session name), with his key. Errors: kNotFound (no such cluster),
  /// kForbidden (it is another user's alone), kConfig (no key, or one that is not safe to use: the
  /// path, and what to do), kBadRequest (not a session name).
  Result<SshTarget> target_of(const std::string& user, const std::string& cluster) const;
  /// The same for a login page: only a person's answers count. Errors but kConfig, as above.
  Result<SshTarget> sign_in_target(const std::string& user, const std::string& cluster) const;

 private:
  Result<SshTarget> place_of(const std::string& user, const std::string& cluster) const;

  Options options_;
};

/// The path that a pattern names for a user. kConfig: a '%' that is neither %u nor %%.
/// kBadRequest: `user` is not a session name, so it might lead elsewhere.
Result<std::string> identity_path(const std::string& pattern, const std::string& user);

/// Whether a private key may be used for its user: a regular file of our own uid, 0600 or 0400, no
/// link that another user has made, in folders that nobody else can change. Its public half
/// (PATH.pub) and its certificate (PATH-cert.pub), where they exist, must be ours or root's and
/// writable by nobody else. kNotFound: there is none; kConfig: all else, with the command that
/// mends it.
Status check_user_key(const std::string& path);

}  // namespace hpc
