#include "manager/session/job_texts.h"

#include <algorithm>
#include <array>
#include <vector>

#include "common/rfc3339.h"

namespace hpc {

namespace {

constexpr std::size_t kLastLineBytes = 200;

struct Meaning {
  std::string_view word, means;
};

constexpr auto kMeanings = std::to_array<Meaning>({
    {"TIMEOUT", "it reached its time limit"},
    {"CANCELLED", "it was cancelled"},
    {"NODE_FAIL", "its node failed"},
    {"PREEMPTED", "another job took its place"},
    {"OUT_OF_MEMORY", "it used more memory than it had asked for"},
    {"BOOT_FAIL", "its node did not start"},
    {"DEADLINE", "it could not be done before its deadline"},
    {"COMPLETED", "its script came to its end"},
    {"FAILED", "its script failed"},
});

// "2026-11-21T14:05:30Z" or with milliseconds: date and time to the minute.
std::string date_of(std::int64_t unix_ms) { return format_rfc3339(unix_ms).substr(0, 10); }
std::string minute_of(std::int64_t unix_ms) { return format_rfc3339(unix_ms).substr(11, 5); }

}  // namespace

std::string waiting_text(const ListedJob& job, std::int64_t now_ms) {
  std::string text = "pending";
  if (!job.state.empty() && job.state != "PENDING") text += " (" + job.state + ")";
  if (!job.reason.empty() && job.reason != "None") text += ": " + job.reason;
  if (job.starts_at && *job.starts_at > now_ms) {
    text += text.find(':') == std::string::npos ? ": " : ", ";
    text += "starts about ";
    if (date_of(*job.starts_at) != date_of(now_ms)) text += date_of(*job.starts_at) + " ";
    text += minute_of(*job.starts_at) + " UTC";
  }
  return text;
}

std::string job_over_text(std::string_view job, std::string_view word) {
  std::string text = "job " + std::string(job) + " has ended";
  if (word.empty()) return text;
  text += " (" + std::string(word) + ")";
  for (const auto& [known, means] : kMeanings) {
    if (word == known || (word.starts_with(known) && word[known.size()] == ' ')) {
      return text + ": " + std::string(means);
    }
  }
  return text;
}

std::string log_tail(std::string_view log) {
  std::vector<std::string> lines;
  while (!log.empty() && lines.size() < kLogTailLines) {
    const auto end = log.rfind('\n');
    std::string line(end == std::string_view::npos ? log : log.substr(end + 1));
    log = end == std::string_view::npos ? std::string_view() : log.substr(0, end);
    for (char& c : line) {
      if (c == '\t') c = ' ';
      if (c < ' ' || c > '~') c = c == '\r' ? ' ' : '?';
    }
    line.erase(line.find_last_not_of(' ') + 1);
    if (!line.empty()) lines.push_back(std::move(line));
  }
  std::reverse(lines.begin(), lines.end());
  std::string out;
  for (const auto& line : lines) out += (out.empty() ? "" : "\n") + line;
  return out.size() <= kLogTailBytes ? out : out.substr(out.size() - kLogTailBytes);
}

std::string last_line(std::string_view tail) {
  std::string line(tail.substr(tail.rfind('\n') + 1));
  return line.size() <= kLastLineBytes ? line : line.substr(0, kLastLineBytes) + "...";
}

}  // namespace hpc
