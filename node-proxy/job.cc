#include "node-proxy/job.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/rfc3339.h"
#include "node-proxy/record_dir.h"

namespace hpc {

namespace {

constexpr std::int64_t kSecondMs = 1000;
// Steps with these numbers are the job's own shells (SLURM_INTERACTIVE_STEP, SLURM_BATCH_SCRIPT).
constexpr std::string_view kShellSteps[] = {"4294967290", "4294967291"};

std::optional<std::string> non_empty(const Environment& environment, const char* name) {
  auto value = environment(name);
  if (value && value->empty()) value.reset();
  return value;
}

/// The batch script or the interactive shell of the job's first node.
bool is_first_shell(const Environment& environment) {
  const auto node = non_empty(environment, "SLURM_NODEID");
  const auto step = non_empty(environment, "SLURM_STEP_ID");
  const bool shell_step = !step || std::find(std::begin(kShellSteps), std::end(kShellSteps),
                                             *step) != std::end(kShellSteps);
  return (!node || *node == "0") && shell_step;
}

std::optional<std::string> end_from_epoch(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  std::int64_t seconds = 0;
  const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  constexpr std::int64_t kYear9999 = 253'402'300'799;
  if (failed != std::errc{} || end != text->data() + text->size() || seconds <= 0 ||
      seconds > kYear9999) {
    return std::nullopt;
  }
  return format_rfc3339(seconds * kSecondMs);
}

}  // namespace

Result<JobIdentity> job_identity(const Environment& environment, const std::string& host,
                                 std::int64_t pid, RecordKind kind) {
  JobIdentity identity;
  const std::string own = host + "-" + std::to_string(pid);
  const auto slurm_id = non_empty(environment, "SLURM_JOB_ID");
  identity.in_slurm = slurm_id.has_value();
  identity.job_id = slurm_id.value_or(own);
  identity.in_first_shell = slurm_id && is_first_shell(environment);
  const bool plain = !slurm_id || (identity.in_first_shell && kind == RecordKind::kServe);
  identity.id = plain ? identity.job_id : *slurm_id + "-" + own;
  if (!is_record_id(identity.id)) {
    return fail(Errc::kSystem, "SLURM_JOB_ID", "'" + identity.job_id + "' is not a job's number");
  }
  if (!slurm_id) return identity;
  const auto node = non_empty(environment, "SLURMD_NODENAME");
  if (node && is_record_id(*node)) identity.slurm_node = node;
  identity.job_end = end_from_epoch(non_empty(environment, "SLURM_JOB_END_TIME"));
  return identity;
}

std::optional<std::string> parse_squeue_end(std::string_view text) {
  // "2026-03-01T20:00:00" in local time: as UTC it is a moment whose fields are the ones wanted.
  const auto as_utc = parse_rfc3339(std::string(text.substr(0, text.find('\n'))) + "Z");
  if (!as_utc) return std::nullopt;
  const time_t shifted = *as_utc / kSecondMs;
  tm local{};
  gmtime_r(&shifted, &local);
  local.tm_isdst = -1;  // let the zone's rules say whether it is summer time
  const time_t seconds = mktime(&local);
  if (seconds <= 0) return std::nullopt;
  return format_rfc3339(std::int64_t{seconds} * kSecondMs);
}

JobEndQuery::JobEndQuery(Loop& loop, const std::string& job_id, Done done)
    : query_(loop, {"squeue", "-h", "-j", job_id, "-o", "%e"},
             [done = std::move(done)](const ChildOutput::Answer& answer) {
               done(parse_squeue_end(answer.text));
             }) {}

}  // namespace hpc
