// What a login node prints for the scripts that ask SLURM, and what users ask for: neither gets
// anywhere but where it belongs.
#include <algorithm>
#include <string>

#include "common/text_line.h"
#include "manager/session/launch_spec.h"
#include "manager/slurm/job_actions.h"
#include "manager/slurm/job_fate.h"
#include "manager/slurm/job_listing.h"
#include "manager/slurm/job_submit.h"
#include "manager/slurm/slurm_answer.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace hpc;

// A marker of 64 digits is too long to guess: MARKER stands for it in the inputs.
const std::string kMarker(64, '5');
const std::string kSession(32, 'a');

void require_printable(const std::string& text, std::size_t most) {
  require(text.size() <= most, "a text within its limit");
  require(std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; }),
          "no control bytes for the terminal");
}

void check_submit(const SubmitAnswer& answer) {
  require_printable(answer.words, kSlurmWordsBytesMax);
  const bool submitted = answer.state == SubmitAnswer::State::kSubmitted;
  require(submitted == is_slurm_job_id(answer.job), "an id if it was submitted, and only then");
}

void check_listing(const JobListing& listing) {
  require(listing.jobs.size() <= 10 * kListedJobsMax, "jobs within their limit");
  require(listing.answered == listing.trouble.empty(), "an answer or a reason");
  require(listing.answered || listing.jobs.empty(), "no job without an answer");
  require_printable(listing.trouble, kSlurmWordsBytesMax);
  for (const auto& job : listing.jobs) {
    require(is_slurm_job_id(job.id), "an id");
    for (const auto& text : {job.user, job.state, job.nodes, job.reason, job.comment}) {
      require_printable(text, 300);
    }
  }
}

/// The first end counts: what follows an answer does not change it, and a part of one is none.
void check_answers(std::string_view text, std::size_t cut) {
  const auto part = text.substr(0, cut);
  const auto submit = parse_submit(text, kMarker);
  check_submit(submit);
  const auto cut_submit = parse_submit(part, kMarker);
  require(cut_submit == SubmitAnswer{} || cut_submit == submit, "a cut submit");
  const auto found = parse_find_job(text, kMarker);
  require((found.state == FoundJob::State::kFound) == is_slurm_job_id(found.job), "a job found");
  const auto cut_found = parse_find_job(part, kMarker);
  require(cut_found.state == FoundJob::State::kUnknown || cut_found.job == found.job, "a cut find");
  const auto listing = parse_job_listing(text, kMarker);
  check_listing(listing);
  const auto cut_listing = parse_job_listing(part, kMarker);
  require(!cut_listing.answered || cut_listing.jobs == listing.jobs, "a cut listing");
  const auto fate = parse_job_fate(text, kMarker);
  require_printable(fate.word, kJobStateBytesMax);
  const auto ended = parse_end_job(text, kMarker);
  if (!ended) require_printable(ended.error().detail, 2 * kSlurmWordsBytesMax);
  require(!parse_end_job(part, kMarker) || ended, "a cut end");
  const auto extended = parse_extend_job(text, kMarker);
  if (!extended) require_printable(extended.error().detail, 2 * kSlurmWordsBytesMax);
  const auto log = parse_job_log(text, kMarker);
  if (log) require(log->bytes.size() <= kJobLogBytesMax, "a part of a log within its limit");
}

std::string next(std::string_view& text) { return std::string(next_line(text)); }

/// Each line is a value of a user's.
void check_values(std::string_view text) {
  constexpr std::string_view kWordBytes =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-=: ";
  JobSubmission job;
  job.session = kSession;
  job.name = session_job_name(next(text), kSession);
  job.request.partition = next(text);
  job.request.account = next(text);
  job.request.time = next(text);
  job.request.memory = next(text);
  if (const auto command = submit_command(job, kMarker)) {
    const auto words = command->substr(command->rfind('\'') + 1);
    require(words.find_first_not_of(kWordBytes) == std::string::npos, "plain words");
    // hpc-manager, the marker, the session, --parsable and --job-name are always there.
    const auto wanted = 5 + !job.request.partition.empty() + !job.request.account.empty() +
                        !job.request.time.empty() + !job.request.memory.empty();
    require(std::count(words.begin(), words.end(), ' ') == wanted, "one word for each value");
  }
  const LaunchSpec spec{false, job.request};
  if (sbatch_arguments(job.request)) {
    const auto again = parse_launch_spec(launch_spec_json(spec));
    require(again && *again == spec, "a spec comes back");
  }
  const auto line = next(text);
  if (is_slurm_job_id(line)) {
    require(line.find_first_not_of("0123456789_") == std::string::npos, "a job's id");
  } else {
    require(end_job_script(line, job.name, kSession, kMarker) == kNoScript || line.empty(),
            "no script");
  }
  if (const auto read = parse_launch_spec(text)) {
    require(sbatch_arguments(read->job).has_value(), "what is stored can be submitted");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz_text(data, size);
  std::string text(input);
  for (auto at = text.find("MARKER"); at != std::string::npos; at = text.find("MARKER", at)) {
    text.replace(at, 6, kMarker);
  }
  check_answers(text, FuzzCuts(input).next());
  if (!text.empty()) check_answers(text, size * 7919 % text.size());
  check_values(input);
  return 0;
}
