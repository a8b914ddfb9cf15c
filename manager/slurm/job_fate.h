#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace hpc {

/// What has become of a job, as far as its session goes.
enum class JobFate : std::uint8_t {
  kUnknown,  // SLURM did not say: not a sign of anything
  kWaiting,  // pending, requeued, held, suspended: it may run again
  kRunning,  // or just ending
  kGone,     // for good
};

struct JobFateAnswer {
  JobFate fate = JobFate::kUnknown;
  // SLURM's own: "TIMEOUT", "CANCELLED by 20001" (uid); empty when it knows the job no more.
  std::string word;
};

// A state word of SLURM; longer ones are no answer.
constexpr std::size_t kJobStateBytesMax = 32;

/// Of one of SLURM's state words ("PENDING"); kUnknown for any other.
JobFate job_fate_of(std::string_view word);

/// "4711", "4711_3": nothing that a shell or squeue could take for something else.
bool is_slurm_job_id(std::string_view text);

/// What to give to `sh -s` on stdin: asks squeue and scontrol, and sacct where squeue does not know
/// the job any more. `job` must be a job id; `marker` as in discovery.h.
std::string job_fate_script(std::string_view job, std::string_view marker);

/// Gone only where SLURM says so: a final state, from sacct only if squeue answers "Invalid job
/// id"; or squeue and scontrol both answer that. Whatever else is in between, or no markers at all,
/// is kUnknown.
JobFateAnswer parse_job_fate(std::string_view output, std::string_view marker);

}  // namespace hpc
