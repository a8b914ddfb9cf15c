#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "manager/session/cluster_login.h"
#include "manager/session/default_account.h"
#include "manager/session/job_launcher.h"
#include "manager/session/job_templates.h"
#include "manager/session/scheduler.h"
#include "manager/slurm/job_submit.h"

namespace hpc {

// sbatch ends by itself before that (kSbatchSecondsMax), so a submit that takes longer is one whose
// answer is lost.
constexpr std::uint64_t kSubmitTimeoutMs = 60'000;
static_assert(kSubmitTimeoutMs > (kSbatchSecondsMax + 5) * 1'000);
// It waits on the login node for the job's end, 20 s at most, and asks SLURM before and after.
constexpr std::uint64_t kEndJobTimeoutMs = 60'000;
// For one question to SLURM, or to the disk.
constexpr std::uint64_t kJobQuestionTimeoutMs = 30'000;

/// The launcher of `serve`: each call is one command over the session user's own login, which is
/// woken for it (login_exec.h). Remembers nothing of jobs; the session's row does.
///
/// `scheduler` and `logins` must outlive it.
class SlurmLauncher final : public JobLauncher {
 public:
  struct Options {
    JobTemplates templates;
    std::string base_url;  // "https://hpc.example.org", where users find the apps of their jobs
  };
  SlurmLauncher(Scheduler& scheduler, ClusterLogins& logins, Options options);
  ~SlurmLauncher() override;
  SlurmLauncher(const SlurmLauncher&) = delete;
  SlurmLauncher& operator=(const SlurmLauncher&) = delete;

  /// After a reload; for jobs that are submitted from now on.
  void set_options(Options options) { options_ = std::move(options); }

  Status can_launch(const std::string& ide) const override;
  std::unique_ptr<Pending> submit(const SessionRow& session, SubmitDone done) override;
  std::unique_ptr<Pending> find(const SessionRow& session, FindDone done) override;
  std::unique_ptr<Pending> end(const SessionRow& session, Done done) override;
  std::unique_ptr<Pending> extend(const SessionRow& session, std::uint64_t minutes,
                                  Done done) override;
  std::unique_ptr<Pending> read_log(const SessionRow& session, std::uint64_t offset,
                                    LogDone done) override;

 private:
  class Submit;

  struct Prepared {
    JobSubmission job;
    std::string script;  // of the template
  };
  Result<Prepared> prepare(const SessionRow& session) const;
  DefaultAccount& account_of(const SessionRow& session);

  /// `script` for `sh -s` as the session's user.
  std::unique_ptr<Pending> ask(const SessionRow& session, std::string script,
                               std::uint64_t timeout_ms, ExecDone done);

  Scheduler& scheduler_;
  ClusterLogins& logins_;
  Options options_;
  // By user and cluster, as many as there are logins.
  std::map<std::pair<std::string, std::string>, std::unique_ptr<DefaultAccount>> accounts_;
};

}  // namespace hpc
