#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/job_record.h"
#include "common/result.h"

namespace hpc {

// How the manager finds the user's hpc-proxy (contract 2.0, "Discovery"): one script run over SSH,
// its output taken apart, the records in it judged. Pure text in, values out; whatever comes from
// the far end is treated as hostile.

// A user has one record per running session; this leaves room for a directory of stale ones.
constexpr std::size_t kRecordsMax = 64;
// Running jobs of one user that are looked at.
constexpr std::size_t kRunningJobsMax = 1000;
// Records that are tried with a hello, the first that proves itself wins.
constexpr std::size_t kCandidatesMax = 5;
// Names of the node to try for one record: its host, then its addresses.
constexpr std::size_t kAddressesMax = 4;

// Of a job's comment; a host name and a port fit.
constexpr std::size_t kJobCommentBytesMax = 255;

/// One line of `squeue -o '%i %N %A %k'`.
struct RunningJob {
  std::string id;         // "4711", "4711_3"
  std::string nodes;      // "c1", "c[1-3]"
  std::string raw_id;     // unique per array element, what $SLURM_JOB_ID says; may be empty
  std::string comment{};  // its beginning, printable; anybody's text, unless it is hpc-proxy's
};

enum class SlurmAnswer : std::uint8_t { kAbsent, kFailed, kAnswered };

/// What the script printed.
struct DiscoveryReport {
  std::string host;  // of the machine the script ran on
  std::uint32_t uid = 0;
  SlurmAnswer slurm = SlurmAnswer::kAbsent;
  std::string slurm_error;  // with kFailed: squeue's first line, at most 200 bytes, all printable
  std::vector<RunningJob> jobs;
  bool has_directory = false;  // ~/.hpc-proxy/jobs exists and is readable
  struct RecordFile {
    std::string name;  // "4711.json"
    std::string text;  // at most kJobRecordBytesMax + 1
  };
  std::vector<RecordFile> records;
};

/// A record that may be tried.
struct Candidate {
  std::string name;  // of its file, without ".json"
  JobRecord record;
  std::vector<std::string> addresses;  // to open the channel to, in this order; 1..kAddressesMax
};

struct RefusedRecord {
  std::string name;
  std::string reason;  // a sentence part for the user: "job 4711 is not running any more"
};

struct Candidates {
  std::vector<Candidate> accepted;  // best first, at most kCandidatesMax
  std::vector<RefusedRecord> refused;
};

/// What to give to `sh -s` on stdin. `marker`: 64 hex digits, fresh for every run, so that nothing
/// that was printed before can look like the report.
std::string discovery_script(std::string_view marker);

/// kSsh when the markers are not there (the login shell did not run the script, or the output was
/// cut); kBadRequest when host or uid are missing in between.
Result<DiscoveryReport> parse_discovery_report(std::string_view output, std::string_view marker);

/// Whether a record may be used at all: with several sessions of one user each has its own.
using MayUseRecord = std::function<bool(const JobRecord&)>;

/// Judges every record. `job`: only this one. `may_use`: the last word; empty: every record.
Candidates choose_candidates(const DiscoveryReport& report, const std::optional<std::string>& job,
                             const MayUseRecord& may_use = {});

/// Whether SLURM has answered and has no running job of that id. Never for what cannot be the id of
/// a SLURM job ("login01-4711" stands for a session outside SLURM).
bool job_not_listed(const DiscoveryReport& report, const std::string& job);

/// What a hpc-proxy has published in its job's comment, "hpc1 c1:41234", while no record of that
/// job on that node is to be seen here. For people, and to look again soon; never a way to
/// anything.
struct UnseenProxy {
  std::string job;
  std::string host;
  std::uint16_t port = 0;

  bool operator==(const UnseenProxy&) const = default;
};
/// Of the running jobs (of `job` only), at most kCandidatesMax.
std::vector<UnseenProxy> unseen_proxies(const DiscoveryReport& report,
                                        const std::optional<std::string>& job);

/// Why there is nothing to connect to, what was refused, and what to do next: several lines for
/// the user's terminal.
std::string explain_no_candidate(const DiscoveryReport& report, const Candidates& candidates,
                                 const std::optional<std::string>& job);

}  // namespace hpc
