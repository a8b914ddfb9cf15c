#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace hpc {

/// What a running hpc-proxy writes about itself to ~/.hpc-proxy/jobs/ID.json (contract 1.1), and
/// what `hpc-manager` reads over SSH and `hpc-proxy status` from disk.
struct JobRecord {
  struct App {
    std::string target;  // "5500" or "unix:/path"
    bool keep_prefix = false;
  };
  /// Of `hpc-proxy run`: where its command's programs listen (contract 1.6).
  struct Private {
    std::string mode;                    // "loopback" or "netns"
    std::vector<std::string> addresses;  // at most 2, of 127.64.0.0/10; none in "netns"
  };
  int version = 1;
  std::string host;
  std::optional<std::string> slurm_node;  // $SLURMD_NODENAME
  std::vector<std::string> addresses;     // numeric, of the node
  std::uint16_t port = 0;                 // 1..65535 when written; 1024..65535 when read
  std::int64_t pid = 0;
  std::uint32_t uid = 0;
  std::string token;   // 64 lower-case hex digits
  std::string job_id;  // SLURM's, or HOST-PID
  std::optional<App> app;
  std::string started_at;              // RFC 3339, UTC
  std::optional<std::string> job_end;  // RFC 3339, UTC
  std::string program_version;
  std::optional<Private> private_ports;  // "private"; not written where it is not there
  // The id of the run whose command started it; not written where it is not there.
  std::optional<std::string> inside_run;
};

// A record is a few hundred bytes; the manager refuses to read more from a file that may be
// hostile.
constexpr std::size_t kJobRecordBytesMax = std::size_t{4} * 1024;

std::string write_job_record(const JobRecord& record);

/// Parses a record as hostile input: at most kJobRecordBytesMax, strict JSON, every field of the
/// right type and range, unknown fields ignored. kBadRequest with the reason in `detail`; the
/// detail never holds the token.
Result<JobRecord> parse_job_record(std::string_view text);

/// "5500" (1..65535, no leading zeros) or "unix:" and an absolute path of at most 107 bytes.
bool is_app_target(std::string_view text);

/// 64 lower-case hex digits.
bool is_token(std::string_view text);

}  // namespace hpc
