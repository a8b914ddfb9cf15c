#include "manager/slurm/job_listing.h"

#include <algorithm>

#include "common/rfc3339.h"
#include "common/text_line.h"
#include "manager/slurm/job_fate.h"
#include "manager/slurm/slurm_answer.h"

namespace hpc {

namespace {

constexpr std::size_t kUserBytesMax = 64;
constexpr std::size_t kNodesBytesMax = 256;
constexpr std::size_t kReasonBytesMax = 200;
constexpr std::size_t kCommentBytesMax = 300;
// A job of the question may be an array, each of whose tasks has a line of its own.
constexpr std::size_t kRowsMax = 10 * kListedJobsMax;

// awk bounds what one line, and what is none of ours, can take: a comment is as long as its user
// likes.
constexpr std::string_view kScript = R"sh(hpc_manager_jobs() {
  TZ=UTC
  SLURM_TIME_FORMAT=standard
  SQUEUE_FORMAT="$marker job %A|%i|%u|%T|%N|%S|%e|%r|%k"
  export TZ SLURM_TIME_FORMAT SQUEUE_FORMAT marker
  printf '\n%s begin\n' "$marker"
  {
    squeue -h -t all -j "$jobs" 2>&1
    printf '\n%s status %s\n' "$marker" "$?"
  } | awk 'index($0, ENVIRON["marker"]) == 1 { print substr($0, 1, 1600); next }
    others++ < 20 { print substr($0, 1, 300) }'
  printf '\n%s end\n' "$marker"
}
hpc_manager_jobs </dev/null
exit 0
)sh";

std::string_view next_field(std::string_view& row) {
  const auto end = row.find('|');
  const auto field = row.substr(0, end);
  row.remove_prefix(end == std::string_view::npos ? row.size() : end + 1);
  return field;
}

bool is_state(std::string_view text) {
  return !text.empty() && text.size() <= kJobStateBytesMax &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
}

/// "N/A", "NONE", "Unknown" and "UNLIMITED" are no times.
std::optional<std::int64_t> time_of(std::string_view text) {
  return parse_rfc3339(std::string(text.substr(0, 32)) + "Z");
}

std::string text_of_field(std::string_view field, std::size_t most) {
  if (field == "None" || field == "(null)" || field == "N/A") return "";
  return printable_line(field, most);
}

void add_row(JobListing& listing, std::string_view row) {
  const auto raw_id = next_field(row);
  const auto id = next_field(row);
  ListedJob job;
  job.user = printable_line(next_field(row), kUserBytesMax);
  job.state = next_field(row);
  job.nodes = text_of_field(next_field(row), kNodesBytesMax);
  job.starts_at = time_of(next_field(row));
  job.ends_at = time_of(next_field(row));
  job.reason = text_of_field(next_field(row), kReasonBytesMax);
  job.comment = text_of_field(row, kCommentBytesMax);
  if (!is_state(job.state)) return;
  const auto add = [&](std::string_view one) {
    if (!is_slurm_job_id(one) || listing.jobs.size() >= kRowsMax) return;
    job.id = one;
    listing.jobs.push_back(job);
  };
  // A task of an array has an id of each kind, and the question may have had either.
  add(raw_id);
  if (id != raw_id) add(id);
}

std::string trouble_of(std::string_view said, std::string_view status) {
  if (status == "127") return "there is no squeue";
  while (!said.empty()) {
    auto words = slurm_words(next_line(said));
    if (!words.empty()) return words;
  }
  return "squeue ended with status " + printable_line(status, 8);
}

}  // namespace

std::string job_listing_script(std::span<const std::string> jobs, std::string_view marker) {
  if (jobs.size() > kListedJobsMax || !is_marker(marker)) return std::string(kNoScript);
  std::string list;
  for (const auto& job : jobs) {
    if (!is_slurm_job_id(job)) continue;
    if (!list.empty()) list += ',';
    list += job;
  }
  if (list.empty()) return std::string(kNoScript);
  return "marker=" + std::string(marker) + "\njobs=" + list + "\n" + std::string(kSlurmDefaults) +
         std::string(kScript);
}

JobListing parse_job_listing(std::string_view output, std::string_view marker) {
  constexpr std::string_view kJob = "job ";
  constexpr std::string_view kStatus = "status ";
  JobListing listing;
  listing.trouble = "the answer of the login node was cut short";
  const auto before = next_marked_part(output, marker);
  if (!before || before->mark != "begin") return listing;
  std::string_view said;
  std::optional<std::string_view> status;
  while (const auto part = next_marked_part(output, marker)) {
    if (said.empty()) said = part->text;
    if (part->mark.starts_with(kJob)) add_row(listing, part->mark.substr(kJob.size()));
    if (part->mark.starts_with(kStatus)) status = part->mark.substr(kStatus.size());
    if (part->mark != "end" || !status) continue;
    // What squeue says where the only job of the question is one that it does not know.
    const bool none_known = listing.jobs.empty() && is_unknown_job(said);
    listing.answered = *status == "0" || none_known;
    listing.trouble = listing.answered ? "" : trouble_of(said, *status);
    break;
  }
  if (!listing.answered) listing.jobs.clear();
  return listing;
}

}  // namespace hpc
