#include "manager/gateway/api_requests.h"

#include <algorithm>

#include "manager/gateway/request_members.h"
#include "manager/session/sessions.h"

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

std::string spec_of(RequestMembers& members, bool attach) {
  const JsonPtr spec(cJSON_CreateObject());
  if (attach) add_bool(spec.get(), "attach", true);
  const auto number = [&](const char* name, std::uint64_t max) {
    if (const auto value = members.number(name, 1, max)) add_number(spec.get(), name, *value);
  };
  const auto keep = [&](const char* name, const std::optional<std::string>& text) {
    if (text) add_text(spec.get(), name, *text);
  };
  number("cpus", kJobCpusMax);
  number("gpus", kJobGpusMax);
  keep("memory", members.text_or_number("memory", is_slurm_memory,
                                        "a size as SLURM writes it: \"4000\" (MiB) or \"4G\""));
  keep("partition", members.text("partition", is_slurm_partition, "the name of one partition"));
  keep("time", members.text_or_number("time", is_slurm_time,
                                      "a time as SLURM writes it: \"90\" (minutes), \"1:30:00\" or "
                                      "\"2-12\" (days-hours)"));
  return spec->child == nullptr ? std::string() : json_line(spec.get());
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
  wanted.spec = spec_of(members, attach);
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
