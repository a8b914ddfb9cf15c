#include "manager/slurm/slurm_answer.h"

#include <algorithm>
#include <array>

#include "common/text_line.h"

namespace hpc {

namespace {

constexpr std::size_t kSessionIdBytes = 32;
constexpr std::size_t kMarkerBytesMax = 64;

// Of slurm_errno.c, of the network below it, and of the munge and name services that it needs; as
// lower case, because versions differ. Refusals say something else: SLURM has looked at the job.
constexpr auto kAway = std::to_array<std::string_view>({
    "unable to contact slurm",
    "failed to contact",
    "socket timed out",
    "zero bytes were transmitted",
    "resource temporarily unavailable",
    "temporarily unable to accept",
    "job queue full",
    "sleeping and retrying",
    "standby mode",
    "communication connection failure",
    "communication shutdown failure",
    "message receive failure",
    "message send failure",
    "unexpected message received",
    "connection refused",
    "connection timed out",
    "connection reset",
    "broken pipe",
    "network is unreachable",
    "no route to host",
    "transport endpoint is not connected",
    "unable to resolve",
    "configuration source",
    "unable to process configuration file",
    "protocol authentication error",
    "munge",
    "cannot allocate memory",
});

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

/// "sbatch: error: Invalid partition" becomes "Invalid partition".
std::string_view without_prefixes(std::string_view line) {
  constexpr auto kPrefixes = std::to_array<std::string_view>(
      {"sbatch: ", "squeue: ", "scontrol: ", "scancel: ", "error: ", "fatal: ",
       "slurm_load_jobs error: ", "Batch job submission failed: ", "slurm_update error: "});
  for (const auto prefix : kPrefixes) {
    if (line.starts_with(prefix)) line.remove_prefix(prefix.size());
  }
  return line;
}

}  // namespace

std::optional<MarkedPart> next_marked_part(std::string_view& rest, std::string_view marker) {
  const std::string mark = std::string(marker) + " ";
  std::size_t text_end = 0;
  std::size_t mark_begin = 0;
  if (!rest.starts_with(mark)) {
    text_end = rest.find("\n" + mark);
    if (text_end == std::string_view::npos) return std::nullopt;
    mark_begin = text_end + 1;
  }
  const auto line_end = rest.find('\n', mark_begin);
  if (line_end == std::string_view::npos) return std::nullopt;
  mark_begin += mark.size();
  const MarkedPart part{rest.substr(0, text_end), rest.substr(mark_begin, line_end - mark_begin)};
  rest.remove_prefix(line_end + 1);
  return part;
}

std::optional<std::string_view> marked_text(std::string_view output, std::string_view marker) {
  const auto before = next_marked_part(output, marker);
  if (!before || before->mark != "begin") return std::nullopt;
  const auto part = next_marked_part(output, marker);
  if (!part || part->mark != "end") return std::nullopt;
  return part->text;
}

std::string printable_line(std::string_view text, std::size_t most) {
  const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  text = text.substr(0, most);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

std::string slurm_words(std::string_view said) {
  std::string words;
  while (!said.empty() && words.size() < kSlurmWordsBytesMax) {
    const auto line = printable_line(next_line(said), kSlurmWordsBytesMax * 2);
    const auto part = without_prefixes(line);
    if (part.empty()) continue;
    if (!words.empty()) words += "; ";
    words += part;
  }
  return printable_line(words, kSlurmWordsBytesMax);
}

bool is_slurm_away(std::string_view said) {
  const auto text = lower(said);
  return std::any_of(kAway.begin(), kAway.end(),
                     [&](std::string_view words) { return text.find(words) != std::string::npos; });
}

bool is_unknown_job(std::string_view said) {
  return said.find("Invalid job id specified") != std::string_view::npos ||
         said.find("Invalid job id ") != std::string_view::npos;
}

bool is_session_id(std::string_view text) {
  return text.size() == kSessionIdBytes && is_lower_hex(text);
}

bool is_marker(std::string_view text) {
  return !text.empty() && text.size() <= kMarkerBytesMax && is_lower_hex(text);
}

}  // namespace hpc
