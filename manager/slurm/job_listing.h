#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hpc {

// Jobs that one question asks for; the command must fit into what the login node passes on.
constexpr std::size_t kListedJobsMax = 1000;

/// One job as squeue shows it. Texts hold printable ASCII only and are cut at their bounds.
struct ListedJob {
  std::string id;                         // as asked for
  std::string user;                       // its owner, by his name on the cluster
  std::string state;                      // SLURM's word: "PENDING", "RUNNING"
  std::string nodes;                      // "c1"; empty while it has none
  std::string reason;                     // why it waits: "Priority", "Resources"; empty for none
  std::string comment;                    // the user's own text, never to be believed
  std::optional<std::int64_t> starts_at;  // unix ms: began, or is expected to; nothing: N/A
  std::optional<std::int64_t> ends_at;    // unix ms; nothing: N/A, or no limit

  bool operator==(const ListedJob&) const = default;
};

/// What to give to `sh -s` on stdin: one squeue for all of `jobs` (is_slurm_job_id(), at most
/// kListedJobsMax), whoever they belong to. What is no such id is left out: one strange session
/// must not keep the others from being asked for. Times in UTC. Each line begins with the marker,
/// which goes to squeue through its environment and not through an argument: another user's comment
/// with a line end in it cannot look like a line of its own.
std::string job_listing_script(std::span<const std::string> jobs, std::string_view marker);

struct JobListing {
  bool answered = false;        // else nothing is known: never a sign that a job is gone
  std::vector<ListedJob> jobs;  // those of the question that squeue still knows
  std::string trouble;          // without an answer: squeue's first line, printable, or why
};
JobListing parse_job_listing(std::string_view output, std::string_view marker);

}  // namespace hpc
