#include "manager/slurm/job_submit.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/text_line.h"
#include "manager/slurm/job_fate.h"
#include "manager/slurm/slurm_answer.h"

namespace hpc {

namespace {

// One line without quotes, backslashes and exclamation marks, because the user's login shell reads
// it between single quotes, and csh and fish have rules of their own there. Standard output stays
// sbatch's, its standard error is kept until it has ended. What the job inherits is as it was: no
// umask, no language. SLURM takes "%%" for one '%' of the home in the log's path, be it relative or
// not. `submitting` says to find_job_script() that a job may still come; a sbatch that hangs is
// ended, so that none comes later than that. A user's own SBATCH_WAIT would keep us until the job's
// end.
static_assert(kSbatchSecondsMax == 45, "the text says so, too");
constexpr std::string_view kSubmitText =
    "exec 3>&1; m=$1; s=.hpc-proxy/sessions/$2; shift 2; unset SBATCH_WAIT SBATCH_ARRAY_INX; "
    "echo; echo \"$m begin\"; "
    "if command -v sbatch >/dev/null 2>&1; then "
    "err=$(exec 2>&1; cd && umask 077 && for d in .hpc-proxy .hpc-proxy/sessions \"$s\"; do "
    "if [ -L \"$d\" ]; then echo \"~/$d is a symbolic link; it must be a directory\"; exit 1; fi; "
    "mkdir -p \"$d\" && chmod 700 \"$d\" || exit 1; done); "
    "if [ $? -ne 0 ]; then r=home; else "
    "cd; t=; if command -v timeout >/dev/null 2>&1; then t=\"timeout -k 5 45\"; fi; "
    "echo $$ >\"$s/submitting\"; l=$(printf %s \"$HOME/$s/job.log\" | sed s/%/%%/g); "
    "err=$($t sbatch \"$@\" --chdir=\"$HOME\" --output=\"$l\" --error=\"$l\" "
    "--open-mode=append 2>&1 >&3 3>&-); r=$?; rm -f \"$s/submitting\"; fi; "
    "else err=; r=127; fi; "
    "echo; echo \"$m status $r\"; printf %s \"$err\"; echo; echo \"$m end\"";

// `submitting` is younger than sbatch may live, with some room for clocks that differ.
constexpr std::string_view kFindScript = R"sh(hpc_manager_find() {
  printf '\n%s begin\n' "$marker"
  for file in "$HOME/.hpc-proxy/sessions/${name##*-}"*/submitting; do
    if [ -n "$(find "$file" -mmin -3 2>/dev/null)" ]; then printf '%s submitting\n' "$marker"; fi
  done
  SQUEUE_FORMAT="$marker job %A" squeue --me -h -t all -n "$name" 2>&1
  printf '\n%s squeue %s\n' "$marker" "$?"
  sacct -n -X -P -S now-7days --name="$name" -o JobIDRaw 2>/dev/null | head -n 100 |
    while read -r id; do printf '\n%s job %s\n' "$marker" "$id"; done
  printf '\n%s end\n' "$marker"
}
hpc_manager_find </dev/null
exit 0
)sh";

bool is_digits(std::string_view text) {
  return !text.empty() && text.size() <= 20 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// "4711" or "4711;cluster": "4711".
std::optional<std::string> job_id_of(std::string_view said) {
  std::string_view last;
  while (!said.empty()) {
    auto line = next_line(said);
    while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
    if (!line.empty()) last = line;
  }
  const auto id = last.substr(0, last.find(';'));
  if (!is_digits(id) || !is_slurm_job_id(id)) return std::nullopt;
  return std::string(id);
}

SubmitAnswer judge(std::string_view status, std::string_view out, std::string_view err) {
  using State = SubmitAnswer::State;
  const auto job = job_id_of(out);
  auto words = slurm_words(err);
  if (status == "0") {
    if (job) return {State::kSubmitted, *job, ""};
    return {State::kUnknown, "", words.empty() ? "sbatch did not say which job it started" : words};
  }
  if (status == "127") return {State::kNoSlurm, "", "there is no sbatch"};
  if (status == "home") return {State::kRefused, "", words};
  int code = 0;
  const auto* end = status.data() + status.size();
  const auto [stop, error] = std::from_chars(status.data(), end, code);
  if (error != std::errc() || stop != end) return {};
  // timeout(1) says 124; from 128 on a signal has ended it.
  if (code == 124 || code >= 128) {
    return {State::kBusy, "", words.empty() ? "sbatch did not end in time" : words};
  }
  if (is_slurm_away(err)) return {State::kBusy, "", words};
  // A wrapper that fails behind sbatch, or in silence: there may be a job.
  if (job || words.empty()) {
    return {State::kUnknown, "", "sbatch ended with status " + std::to_string(code)};
  }
  return {State::kRefused, "", words};
}

/// Is the first number of digits the larger one? Without leading zeros.
bool is_newer(std::string_view id, std::string_view than) {
  return id.size() != than.size() ? id.size() > than.size() : id > than;
}

}  // namespace

Result<std::string> submit_command(const JobSubmission& job, std::string_view marker) {
  if (!is_session_id(job.session) || !is_slurm_job_name(job.name) || !is_marker(marker)) {
    return fail(Errc::kBadRequest, "submit", "the session's id, name or marker is none of ours");
  }
  const auto arguments = sbatch_arguments(job.request);
  if (!arguments) return tl::unexpected(arguments.error());
  std::string command = "sh -c '" + std::string(kSubmitText) + "' hpc-manager ";
  command += std::string(marker) + " " + job.session + " --parsable --job-name=" + job.name;
  for (const auto& argument : *arguments) command += " " + argument;
  return command;
}

SubmitAnswer parse_submit(std::string_view output, std::string_view marker) {
  const auto before = next_marked_part(output, marker);
  if (!before || before->mark != "begin") return {};
  const auto out = next_marked_part(output, marker);
  constexpr std::string_view kStatus = "status ";
  if (!out || !out->mark.starts_with(kStatus)) return {};
  const auto err = next_marked_part(output, marker);
  if (!err || err->mark != "end") return {};
  return judge(out->mark.substr(kStatus.size()), out->text, err->text);
}

std::string find_job_script(std::string_view name, std::string_view marker) {
  if (!is_slurm_job_name(name) || !is_marker(marker)) return std::string(kNoScript);
  return "marker=" + std::string(marker) + "\nname=" + std::string(name) + "\n" +
         std::string(kSlurmDefaults) + std::string(kFindScript);
}

FoundJob parse_find_job(std::string_view output, std::string_view marker) {
  const auto before = next_marked_part(output, marker);
  if (!before || before->mark != "begin") return {};
  constexpr std::string_view kJob = "job ";
  bool answered = false;
  bool submitting = false;
  std::string newest;
  while (const auto part = next_marked_part(output, marker)) {
    if (part->mark == "squeue 0") answered = true;
    if (part->mark == "submitting") submitting = true;
    if (part->mark.starts_with(kJob)) {
      const auto id = part->mark.substr(kJob.size());
      if (is_digits(id) && is_slurm_job_id(id) && is_newer(id, newest)) newest = id;
    }
    if (part->mark != "end") continue;
    if (!newest.empty()) return {FoundJob::State::kFound, newest};
    return {answered && !submitting ? FoundJob::State::kNone : FoundJob::State::kUnknown, ""};
  }
  return {};
}

}  // namespace hpc
