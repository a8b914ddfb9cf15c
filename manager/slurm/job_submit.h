#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "manager/slurm/job_request.h"

namespace hpc {

/// One job to be submitted.
struct JobSubmission {
  std::string session;  // opaque id: 32 hex digits
  std::string name;     // session_job_name()
  JobRequest request;
};

// sbatch is stopped (by timeout(1), with SIGKILL 5 s later) on the login node after so long: an
// answer that is later than that is none, and no job comes of it any more.
constexpr unsigned kSbatchSecondsMax = 45;

/// The command to run over SSH; the job script goes on its stdin, as it is. It makes the session's
/// directory ~/.hpc-proxy/sessions/ID (0700, all of the way), where the job's log `job.log` goes,
/// and runs sbatch --parsable with open-mode append. Fixed text and checked values only, the same
/// for sh, bash, zsh, csh and fish as login shells. kBadRequest: a value does not pass.
Result<std::string> submit_command(const JobSubmission& job, std::string_view marker);

struct SubmitAnswer {
  enum class State : std::uint8_t {
    kUnknown,    // the answer is missing or cut: the job may exist
    kSubmitted,  // `job` is its id
    kBusy,       // SLURM's controller could not be asked, or took too long: the job may exist
    kRefused,    // for good, and no job exists
    kNoSlurm,    // there is no sbatch
  };
  State state = State::kUnknown;
  std::string job;    // "4711", without the cluster behind ';'
  std::string words;  // SLURM's own, one line, printable, at most 300 bytes

  bool operator==(const SubmitAnswer&) const = default;
};
SubmitAnswer parse_submit(std::string_view output, std::string_view marker);

/// What to give to `sh -s`: looks for the user's own job of that name in any state, by squeue, and
/// by sacct where that works. `name` as is_slurm_job_name(). While a sbatch of that session runs,
/// on whatever login node, the answer is kUnknown rather than kNone.
std::string find_job_script(std::string_view name, std::string_view marker);

struct FoundJob {
  enum class State : std::uint8_t {
    kUnknown,  // squeue did not answer
    kNone,     // there is none, and there was none as far as SLURM still knows
    kFound,
  };
  State state = State::kUnknown;
  std::string job;  // the newest, with kFound
};
FoundJob parse_find_job(std::string_view output, std::string_view marker);

}  // namespace hpc
