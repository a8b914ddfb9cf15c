#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "manager/session/back_off.h"
#include "manager/session/cluster_login.h"
#include "manager/session/scheduler.h"
#include "manager/session/ssh_login.h"
#include "manager/ssh/ssh_connector.h"

namespace hpc {

// One login is a few hundred bytes until somebody watches it; the sessions have bounds of their
// own. This one only keeps a proxy in front that invents users from filling the memory.
constexpr std::size_t kLoginsMax = 4096;

/// The logins of all users at all clusters, each made when first asked for, each living as long as
/// this: one SSH connection per user and cluster, however many sessions he has there.
class SshLogins final : public ClusterLogins {
 public:
  /// Where to and as whom this user logs in; errors as ClusterLogins::login().
  using Target =
      std::function<Result<SshTarget>(const std::string& user, const std::string& cluster)>;
  struct Options {
    Target target;
    /// A user without a key gets a login all the same, stopped until a login page gives it a
    /// connection (`--auth ssh`).
    bool adopts = false;
  };

  /// Everything but the options must outlive it; the prompter belongs to nobody (NobodyToAsk).
  SshLogins(Scheduler& scheduler, SshConnector& connector, SshPrompter& prompter,
            BackOff::Random random, Options options);
  SshLogins(const SshLogins&) = delete;
  SshLogins& operator=(const SshLogins&) = delete;

  Result<ClusterLogin*> login(const std::string& user, const std::string& cluster) override;
  const ClusterLogin* find(const std::string& user, const std::string& cluster) const override;

  /// How many are in which state.
  std::map<ClusterLogin::State, std::size_t> count_by_state() const;

 private:
  using Key = std::pair<std::string, std::string>;

  Scheduler& scheduler_;
  SshConnector& connector_;
  SshPrompter& prompter_;
  BackOff::Random random_;
  Options options_;
  std::map<Key, std::unique_ptr<SshLogin>> logins_;
};

}  // namespace hpc
