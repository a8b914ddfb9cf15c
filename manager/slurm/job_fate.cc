#include "manager/slurm/job_fate.h"

#include <algorithm>
#include <array>
#include <optional>

#include "common/text_line.h"
#include "manager/slurm/slurm_answer.h"

namespace hpc {

namespace {

constexpr std::size_t kJobIdBytesMax = 40;

struct Word {
  std::string_view word;
  JobFate fate;
};

// squeue(1), "JOB STATE CODES". COMPLETING is not over: a requeued job passes through it.
constexpr auto kWords = std::to_array<Word>({
    {"PENDING", JobFate::kWaiting},      {"CONFIGURING", JobFate::kWaiting},
    {"REQUEUED", JobFate::kWaiting},     {"REQUEUE_FED", JobFate::kWaiting},
    {"REQUEUE_HOLD", JobFate::kWaiting}, {"RESV_DEL_HOLD", JobFate::kWaiting},
    {"SPECIAL_EXIT", JobFate::kWaiting}, {"SUSPENDED", JobFate::kWaiting},
    {"STOPPED", JobFate::kWaiting},      {"RUNNING", JobFate::kRunning},
    {"COMPLETING", JobFate::kRunning},   {"RESIZING", JobFate::kRunning},
    {"SIGNALING", JobFate::kRunning},    {"STAGE_OUT", JobFate::kRunning},
    {"COMPLETED", JobFate::kGone},       {"CANCELLED", JobFate::kGone},
    {"FAILED", JobFate::kGone},          {"TIMEOUT", JobFate::kGone},
    {"NODE_FAIL", JobFate::kGone},       {"PREEMPTED", JobFate::kGone},
    {"BOOT_FAIL", JobFate::kGone},       {"DEADLINE", JobFate::kGone},
    {"OUT_OF_MEMORY", JobFate::kGone},   {"REVOKED", JobFate::kGone},
});

// The accounting is asked only for a job that is not in the controller's list any more, and not for
// long: where its database hangs, what the others said must still arrive.
constexpr std::string_view kScript = R"sh(hpc_manager_job() {
  printf '\n%s begin\n' "$marker"
  said=$(squeue -h -t all -o '%T' -j "$job" 2>&1 | head -n 20)
  printf '%s\n' "$said" | sed 's/^/q=/'
  scontrol -o show job "$job" 2>&1 | head -n 20 | tr ' ' '\n' |
    sed -n -e 's/^JobState=/s=/p' -e 's/^Invalid$/s=Invalid/p' | head -n 20
  case $said in
    *Invalid*)
      limit=
      if command -v timeout >/dev/null 2>&1; then limit='timeout 8'; fi
      $limit sacct -n -X -P -j "$job" -o State 2>/dev/null | head -n 20 | sed 's/^/a=/'
      ;;
  esac
  printf '%s end\n' "$marker"
}
hpc_manager_job </dev/null
exit 0
)sh";

/// What one of the commands said.
struct Said {
  std::optional<JobFateAnswer> answer;  // the most alive state of the lines
  bool unknown_job = false;
};

/// Of sacct's "CANCELLED by 20001", too: "CANCELLED".
std::string_view state_of(std::string_view word) {
  constexpr std::string_view kBy = " by ";
  const auto by = word.find(kBy);
  if (by == std::string_view::npos) return word;
  const auto who = word.substr(by + kBy.size());
  const bool number = !who.empty() && std::all_of(who.begin(), who.end(),
                                                  [](char c) { return c >= '0' && c <= '9'; });
  return number ? word.substr(0, by) : word;
}

void take(Said& said, std::string_view word) {
  if (word.find("Invalid") != std::string_view::npos) said.unknown_job = true;
  const JobFate fate =
      word.size() <= kJobStateBytesMax ? job_fate_of(state_of(word)) : JobFate::kUnknown;
  if (fate == JobFate::kUnknown) return;
  // An array or a job with several parts lives as long as one of them does.
  if (!said.answer || fate < said.answer->fate) said.answer = {fate, std::string(word)};
}

}  // namespace

JobFate job_fate_of(std::string_view word) {
  if (word.size() > kJobStateBytesMax) return JobFate::kUnknown;
  const auto* const found = std::find_if(kWords.begin(), kWords.end(),
                                         [&](const Word& known) { return known.word == word; });
  return found == kWords.end() ? JobFate::kUnknown : found->fate;
}

bool is_slurm_job_id(std::string_view text) {
  if (text.empty() || text.size() > kJobIdBytesMax) return false;
  if (text.front() < '1' || text.front() > '9' || text.back() == '_') return false;
  return std::count(text.begin(), text.end(), '_') <= 1 &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || c == '_'; });
}

std::string job_fate_script(std::string_view job, std::string_view marker) {
  return "marker=" + std::string(marker) + "\njob=" + std::string(job) + "\n" +
         std::string(kSlurmDefaults) + std::string(kScript);
}

JobFateAnswer parse_job_fate(std::string_view output, std::string_view marker) {
  const auto text = marked_text(output, marker);
  if (!text) return {};
  Said squeue;
  Said scontrol;
  Said sacct;
  for (auto rest = *text; !rest.empty();) {
    const auto line = next_line(rest);
    if (line.starts_with("q=")) take(squeue, line.substr(2));
    if (line.starts_with("s=")) take(scontrol, line.substr(2));
    if (line.starts_with("a=")) take(sacct, line.substr(2));
  }
  if (squeue.answer) return *squeue.answer;
  if (scontrol.answer) return *scontrol.answer;
  // What is not final there is old news: the end of a job reaches the accounting later.
  const bool final_word = sacct.answer && sacct.answer->fate == JobFate::kGone;
  if (squeue.unknown_job && final_word) return *sacct.answer;
  if (squeue.unknown_job && scontrol.unknown_job) return {JobFate::kGone, ""};
  return {};
}

}  // namespace hpc
