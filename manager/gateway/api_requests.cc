#include "manager/gateway/api_requests.h"

#include <algorithm>

#include "manager/gateway/request_members.h"
#include "manager/session/launch_spec.h"
#include "manager/session/sessions.h"
#include "manager/slurm/account_query.h"

namespace hpc {

namespace {

constexpr std::size_t kJobIdBytesMax = 64;
// Ten years: past it "never" is meant.
constexpr std::uint64_t kTokenSecondsMax = std::uint64_t{3650} * 24 * 3600;

constexpr std::string_view kNameTakes =
    "a name of a-z, 0-9, '.', '_' and '-', at most 64 characters, the first a letter or a digit";

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Also of an array ("4711_3") and of a heterogeneous job ("4711+1").
bool is_job_id(std::string_view text) {
  return !text.empty() && text.size() <= kJobIdBytesMax && is_letter_or_digit(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter_or_digit(c) ||
                  std::string_view("._-+").find(c) != std::string_view::npos;
         });
}

/// What the job is to have: the members of the request that are the job's.
JobRequest job_request_of(RequestMembers& members) {
  JobRequest job;
  job.cpus = members.number("cpus", 1, kJobCpusMax);
  job.gpus = members.number("gpus", 1, kJobGpusMax);
  job.memory = members
                   .text_or_number("memory", is_slurm_memory,
                                   "a size as SLURM writes it: \"4000\" (MiB) or \"4G\"")
                   .value_or("");
  job.time = members
                 .text_or_number("time", is_slurm_time,
                                 "a time as SLURM writes it: \"90\" (minutes), \"1:30:00\" or "
                                 "\"2-12\" (days-hours)")
                 .value_or("");
  job.partition =
      members.text("partition", is_slurm_partition, "the name of one partition").value_or("");
  job.account = members.text("account", is_account_name, "the name of one account").value_or("");
  return job;
}

}  // namespace

Result<NewSession> parse_new_session(std::string_view body) {
  RequestMembers members(body);
  NewSession wanted;
  wanted.cluster = members.text("cluster", is_session_name, kNameTakes, true).value_or("");
  wanted.ide = members.text("ide", is_session_name, kNameTakes, true).value_or("");
  if (const auto slot = members.number("slot", 1, kSlotMax)) {
    wanted.slot = static_cast<unsigned>(*slot);
  }
  wanted.job = members.text_or_number("job", is_job_id,
                                      "the id of a job that runs already, such as \"4711\"");
  wanted.user = members.text("user", is_session_name, kNameTakes).value_or("");
  // A job that is named is one to attach to, whatever else is said.
  const bool attach = members.boolean("attach").value_or(false) || wanted.job.has_value();
  wanted.spec = launch_spec_json({attach, job_request_of(members)});
  if (auto status = members.finish(); !status) return tl::unexpected(status.error());
  return wanted;
}

Result<std::uint64_t> parse_extend_request(std::string_view body) {
  RequestMembers members(body);
  const auto minutes = members.number("minutes", 1, kExtendMinutesMax, true);
  if (auto status = members.finish(); !status) return tl::unexpected(status.error());
  return *minutes;
}

Result<TokenRequest> parse_token_request(std::string_view body) {
  RequestMembers members(body);
  TokenRequest wanted;
  // How long it may be is the table's to say.
  wanted.label = members
                     .text(
                         "label", [](std::string_view) { return true; }, "a text")
                     .value_or("");
  wanted.expires_in_s = members.number("expires_in", 1, kTokenSecondsMax);
  wanted.user = members.text("user", is_session_name, kNameTakes).value_or("");
  if (auto status = members.finish(); !status) return tl::unexpected(status.error());
  return wanted;
}

}  // namespace hpc
