#include "manager/slurm/job_actions.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "manager/slurm/job_fate.h"
#include "manager/slurm/job_request.h"
#include "manager/slurm/slurm_answer.h"

namespace hpc {

namespace {

constexpr std::uint64_t kMinutesMax = 525'600;  // a year

// Asks squeue for the user's own jobs of that name, and has scancel compare id and name once more.
// Final states are those of squeue(1); every other one means that the job may still do something.
// Paths are made of checked values, and no symbolic link is followed: rm removes links themselves.
constexpr std::string_view kEndScript = R"sh(hpc_manager_end() {
  SQUEUE_FORMAT='%A %T'
  export SQUEUE_FORMAT
  unset SCANCEL_ACCOUNT SCANCEL_BATCH SCANCEL_CRON SCANCEL_CTLD SCANCEL_FULL SCANCEL_HURRY \
    SCANCEL_INTERACTIVE SCANCEL_NAME SCANCEL_PARTITION SCANCEL_QOS SCANCEL_STATE SCANCEL_USER \
    SCANCEL_VERBOSE SCANCEL_WCKEY
  printf '\n%s begin\n' "$marker"
  set -f
  IFS='
'
  began=$(date +%s)
  round=0
  words=
  seen=$job
  result=
  while [ -z "$result" ]; do
    coming=
    if [ -z "$job" ] &&
      [ -n "$(find "$HOME/.hpc-proxy/sessions/$session/submitting" -mmin -3 2>/dev/null)" ]; then
      coming=SUBMITTING
    fi
    if ! said=$(squeue --me -h -t all -n "$name" 2>&1); then
      words=$said
      result=unasked
      continue
    fi
    live=
    for line in $said; do
      id=${line%% *}
      case $id in '' | *[!0-9]*) continue ;; esac
      if [ -n "$job" ]; then
        [ "$id" = "$job" ] || continue
      else
        seen="$seen
$id"
      fi
      case ${line#* } in
        COMPLETED | CANCELLED | FAILED | TIMEOUT | NODE_FAIL | PREEMPTED | BOOT_FAIL | DEADLINE | \
          OUT_OF_MEMORY | REVOKED) continue ;;
      esac
      live=${line#* }
      if [ $((round % 10)) -eq 0 ] && [ "$live" != COMPLETING ]; then
        words=$(scancel --name="$name" "$id" 2>&1)
      fi
    done
    if [ -z "$live$coming" ]; then
      result=over
    elif [ $(($(date +%s) - began)) -ge 20 ]; then
      result="ends ${live:-$coming}"
    else
      round=$((round + 1))
      sleep 0.5 2>/dev/null || sleep 1
    fi
  done
  if [ "$result" = over ] && cd "$HOME" && [ ! -L .hpc-proxy ] && cd .hpc-proxy; then
    if [ ! -L jobs ]; then
      for id in $seen; do rm -f "jobs/$id.json"; done
    fi
    if [ ! -L sessions ]; then
      rm -rf "sessions/$session" || { sleep 1; rm -rf "sessions/$session"; }
    fi
  fi 2>/dev/null
  printf '%s result %s\n' "$marker" "$result"
  printf '%s\n' "$words"
  printf '\n%s end\n' "$marker"
}
hpc_manager_end </dev/null
exit 0
)sh";

constexpr std::string_view kExtendScript = R"sh(hpc_manager_extend() {
  LC_ALL=C
  export LC_ALL
  printf '\n%s begin\n' "$marker"
  scontrol update JobId="$job" TimeLimit="+$minutes" 2>&1
  printf '\n%s status %s\n' "$marker" "$?"
  printf '%s end\n' "$marker"
}
hpc_manager_extend </dev/null
exit 0
)sh";

// Nothing in the log is looked at or changed; `bytes` says how far it may be read, because it may
// grow meanwhile.
constexpr std::string_view kLogScript = R"sh(hpc_manager_log() {
  LC_ALL=C
  export LC_ALL
  file=$HOME/.hpc-proxy/sessions/$session/job.log
  printf '\n%s begin\n' "$marker"
  if [ -f "$file" ] && [ ! -L "$file" ] && size=$(wc -c <"$file"); then
    size=$((size))
    if [ "$from" = tail ]; then
      from=$((size - bytes))
      if [ "$from" -lt 0 ]; then from=0; fi
    fi
    printf '%s log %s %s\n' "$marker" "$from" "$size"
    tail -c "+$((from + 1))" "$file" | head -c "$bytes"
  else
    printf '%s none\n' "$marker"
  fi
  printf '\n%s end\n' "$marker"
}
hpc_manager_log </dev/null 2>/dev/null
exit 0
)sh";

std::string assign(std::string_view name, std::string_view value) {
  return std::string(name) + "=" + std::string(value) + "\n";
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

tl::unexpected<Error> cut_answer(const char* where) {
  return fail(Errc::kUnavailable, where, "the answer of the login node was cut short");
}

/// What stands between the lines "begin" and "end": one marked line, and the text behind it.
struct OneAnswer {
  std::string_view before;  // of the marked line
  std::string_view mark;
  std::string_view behind;
};
std::optional<OneAnswer> one_answer(std::string_view output, std::string_view marker) {
  const auto begin = next_marked_part(output, marker);
  if (!begin || begin->mark != "begin") return std::nullopt;
  const auto said = next_marked_part(output, marker);
  const auto end = said ? next_marked_part(output, marker) : std::nullopt;
  if (!end || end->mark != "end") return std::nullopt;
  return OneAnswer{said->text, said->mark, end->text};
}

}  // namespace

std::string end_job_script(std::string_view job, std::string_view name, std::string_view session,
                           std::string_view marker) {
  if ((!job.empty() && !is_slurm_job_id(job)) || !is_slurm_job_name(name) ||
      !is_session_id(session) || !is_marker(marker)) {
    return std::string(kNoScript);
  }
  return assign("marker", marker) + assign("job", job) + assign("name", name) +
         assign("session", session) + std::string(kSlurmDefaults) + std::string(kEndScript);
}

Status parse_end_job(std::string_view output, std::string_view marker) {
  constexpr const char* kWhere = "end job";
  constexpr std::string_view kEnds = "result ends ";
  const auto answer = one_answer(output, marker);
  if (!answer) return cut_answer(kWhere);
  if (answer->mark == "result over") return {};
  const auto words = slurm_words(answer->behind);
  if (!answer->mark.starts_with(kEnds)) {
    return fail(Errc::kUnavailable, kWhere,
                words.empty() ? "SLURM did not answer" : "SLURM did not answer: " + words);
  }
  const auto state = printable_line(answer->mark.substr(kEnds.size()), kJobStateBytesMax);
  return fail(Errc::kUnavailable, kWhere,
              "the job still ends (" + state + ")" + (words.empty() ? "" : ": " + words));
}

std::string extend_job_script(std::string_view job, std::uint64_t minutes,
                              std::string_view marker) {
  if (!is_slurm_job_id(job) || minutes < 1 || minutes > kMinutesMax || !is_marker(marker)) {
    return std::string(kNoScript);
  }
  return assign("marker", marker) + assign("job", job) +
         assign("minutes", std::to_string(minutes)) + std::string(kExtendScript);
}

Status parse_extend_job(std::string_view output, std::string_view marker) {
  constexpr const char* kWhere = "extend job";
  constexpr std::string_view kStatus = "status ";
  const auto answer = one_answer(output, marker);
  if (!answer || !answer->mark.starts_with(kStatus)) return cut_answer(kWhere);
  const auto status = answer->mark.substr(kStatus.size());
  if (status == "0") return {};
  if (status == "127") return fail(Errc::kUnavailable, kWhere, "there is no scontrol");
  auto words = slurm_words(answer->before);
  if (words.empty() || is_slurm_away(answer->before)) {
    return fail(Errc::kUnavailable, kWhere,
                "SLURM did not answer" + (words.empty() ? "" : ": " + words));
  }
  const bool over = is_unknown_job(words) ||
                    words.find("Job has already finished") != std::string::npos ||
                    words.find("already completing or completed") != std::string::npos;
  return fail(over ? Errc::kConflict : Errc::kForbidden, kWhere, std::move(words));
}

std::string job_log_script(std::string_view session, std::uint64_t offset,
                           std::string_view marker) {
  if (!is_session_id(session) || !is_marker(marker)) return std::string(kNoScript);
  // The shell counts with signed numbers, and one is added.
  constexpr std::uint64_t kOffsetMax = std::numeric_limits<std::int64_t>::max() - 1;
  const auto from = offset == kJobLogTail ? "tail" : std::to_string(std::min(offset, kOffsetMax));
  return assign("marker", marker) + assign("session", session) + assign("from", from) +
         assign("bytes", std::to_string(kJobLogBytesMax)) + std::string(kLogScript);
}

Result<JobLogPart> parse_job_log(std::string_view output, std::string_view marker) {
  constexpr const char* kWhere = "job log";
  constexpr std::string_view kLog = "log ";
  const auto answer = one_answer(output, marker);
  if (!answer) return cut_answer(kWhere);
  if (answer->mark == "none") return fail(Errc::kNotFound, kWhere, "there is no log of this job");
  if (!answer->mark.starts_with(kLog)) return cut_answer(kWhere);
  const auto figures = answer->mark.substr(kLog.size());
  const auto blank = std::min(figures.find(' '), figures.size());
  const auto offset = number_of(figures.substr(0, blank));
  const auto size = number_of(figures.substr(std::min(blank + 1, figures.size())));
  if (!offset || !size || answer->behind.size() > kJobLogBytesMax) return cut_answer(kWhere);
  JobLogPart part{*offset, *size, std::string(answer->behind)};
  // It may have grown between the two looks.
  if (part.offset <= part.size) part.size = std::max(part.size, part.offset + part.bytes.size());
  return part;
}

}  // namespace hpc
