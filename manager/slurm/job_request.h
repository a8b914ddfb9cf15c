#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace hpc {

// What a job is asked for with, and who may write what: every value of a user passes one of these
// whitelists before it comes near a command line. None of them lets a byte through that a shell,
// sbatch or squeue could take for anything but the value.

// Larger than any node there is; a site's own limits are SLURM's to hold.
constexpr std::uint64_t kJobCpusMax = 4096;
constexpr std::uint64_t kJobGpusMax = 64;

/// Nothing, and empty texts: as the template or the site has it.
struct JobRequest {
  std::optional<std::uint64_t> cpus;  // --cpus-per-task, 1 to kJobCpusMax
  std::optional<std::uint64_t> gpus;  // --gres=gpu:N, 1 to kJobGpusMax
  std::string memory;                 // --mem
  std::string time;                   // --time
  std::string partition;
  std::string account;

  bool operator==(const JobRequest&) const = default;
};

/// SLURM's forms of --time: minutes, minutes:seconds, hours:minutes:seconds, days-hours,
/// days-hours:minutes, days-hours:minutes:seconds. At most 32 bytes.
bool is_slurm_time(std::string_view text);
/// SLURM's forms of --mem: "4000", "4G": 1 to 9 digits and one of K, M, G, T.
bool is_slurm_memory(std::string_view text);
/// One partition, not a list: [A-Za-z0-9][A-Za-z0-9._-]{0,63}.
bool is_slurm_partition(std::string_view text);
/// The same for a job's name.
bool is_slurm_job_name(std::string_view text);

/// "hpc-vscode-0123456789abcdef": the job of one session and of no other, by which a job whose
/// submit was never answered is found again. `ide` is a session name, of which the end goes where
/// the whole would be too long for SLURM; `session` an id of 32 hex digits, the first 16 the key.
std::string session_job_name(std::string_view ide, std::string_view session);

/// Arguments of sbatch for these values, checked once more. kBadRequest names the first that does
/// not pass.
Result<std::vector<std::string>> sbatch_arguments(const JobRequest& request);

}  // namespace hpc
