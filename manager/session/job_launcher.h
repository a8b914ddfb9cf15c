#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/upstream_pool.h"
#include "manager/session/session_info.h"
#include "manager/slurm/job_actions.h"

namespace hpc {

/// How sessions come to jobs of their own, and what can be done to those jobs. Everything happens
/// as the session's user. Outlives what it returns; `done` is called once, in a later turn, unless
/// the returned object is destroyed first.
class JobLauncher {
 public:
  using SubmitDone = std::function<void(Result<std::string>)>;
  using FindDone = std::function<void(Result<std::optional<std::string>>)>;
  using Done = std::function<void(Status)>;
  using LogDone = std::function<void(Result<JobLogPart>)>;
  virtual ~JobLauncher() = default;

  /// Can a session of this kind be launched? kNotFound: there is no template of that name, with
  /// those that there are.
  virtual Status can_launch(const std::string& ide) const = 0;

  /// Submits the session's job; the id of it. Errors that are final: kBadRequest (SLURM refused it,
  /// in its own words), kNotFound (no SLURM there, or no template). kUnavailable: sbatch did not
  /// run, or has ended saying that SLURM could not be asked; the job may exist all the same. After
  /// any other error the answer was lost, sbatch may still run, and for as long as
  /// kSbatchSecondsMax a job may still come of it.
  virtual std::unique_ptr<Pending> submit(const SessionRow& session, SubmitDone done) = 0;
  /// Looks for the session's job by its name, and submits nothing; nothing: SLURM knows none.
  virtual std::unique_ptr<Pending> find(const SessionRow& session, FindDone done) = 0;
  /// Cancels the session's own job, never any other, and removes what is left of the session on the
  /// cluster. Success: SLURM says that the job is over. Else: call again.
  virtual std::unique_ptr<Pending> end(const SessionRow& session, Done done) = 0;
  /// Gives the job more time. kForbidden: the site does not allow it, in SLURM's own words.
  virtual std::unique_ptr<Pending> extend(const SessionRow& session, std::uint64_t minutes,
                                          Done done) = 0;
  /// Of the job's log, from `offset` on or (kJobLogTail) its end.
  virtual std::unique_ptr<Pending> read_log(const SessionRow& session, std::uint64_t offset,
                                            LogDone done) = 0;
};

}  // namespace hpc
