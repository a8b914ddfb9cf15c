#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "manager/session/scheduler.h"
#include "manager/slurm/account_query.h"
#include "manager/ssh/ssh_connection.h"

namespace hpc {

// sacctmgr asks a database that may be on the other side of the site.
constexpr std::uint64_t kAccountTimeoutMs = 30'000;
// Defaults change a few times a year, and a job with the old one is refused with a clear text.
constexpr std::uint64_t kAccountKnownMs = 3'600'000;
// Not for every launch of a burst while the database is down, and no longer.
constexpr std::uint64_t kAccountUnknownMs = 30'000;

/// The default SLURM account of one login, remembered for a while. Belongs to whoever launches jobs
/// over that login.
class DefaultAccount {
 public:
  using Done = std::function<void(const AccountAnswer&)>;
  /// `user`: the login's name on the cluster. `scheduler` must outlive it.
  DefaultAccount(Scheduler& scheduler, std::string user)
      : scheduler_(scheduler), user_(std::move(user)) {}

  /// Gives `input` to `sh -s` as that user, for kAccountTimeoutMs at most; as login_exec() does.
  using Exec = std::function<std::unique_ptr<Pending>(std::string input, ExecDone done)>;
  /// Calls `done` once, in a later turn, unless the returned object is destroyed first, which must
  /// not outlive this. `exec` is called at once, or not at all.
  std::unique_ptr<Pending> ask(const Exec& exec, Done done);

 private:
  void remember(AccountAnswer answer);

  Scheduler& scheduler_;
  std::string user_;
  AccountAnswer answer_;
  std::uint64_t good_until_ms_ = 0;
};

}  // namespace hpc
