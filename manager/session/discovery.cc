#include "manager/session/discovery.h"

#include <algorithm>
#include <charconv>

#include "common/text_line.h"

namespace hpc {

namespace {

constexpr std::size_t kHostBytesMax = 253;  // RFC 1035, 2.3.4
constexpr std::size_t kSlurmErrorBytesMax = 200;

// Run by whatever `sh` the login host has. The function is read as a whole before it starts, and
// reads /dev/null, so no command in it can eat the rest of the script. Every line of foreign text
// gets a prefix of its own, so a record cannot forge a line of ours.
constexpr std::string_view kScript = R"sh(hpc_manager_report() {
  LC_ALL=C
  export LC_ALL
  printf '\n%s begin\n' "$marker"
  printf 'host %s\n' "$(hostname 2>/dev/null || uname -n)"
  printf 'uid %s\n' "$(id -u)"
  if command -v squeue >/dev/null 2>&1; then
    # A job's comment (%k) is any text, with line ends too, so squeue's own lines begin with the
    # marker. A squeue that is none, but prints jobs, is taken at its word.
    jobs=$(squeue --me -h -t R -o "$marker %i %N %A %k" 2>&1)
    printf 'squeue %s\n' "$?"
    case $jobs in
      *"$marker "*) printf '%s\n' "$jobs" |
        sed -n "s/^$marker \([^ ]* [^ ]* [^ ]*\) \{0,1\}\(.\{0,255\}\).*/=\1 \2/p" | head -n 1000 ;;
      *) printf '%s\n' "$jobs" | head -n 1000 | sed 's/^/=/' ;;
    esac
  else
    printf 'squeue none\n'
  fi
  if cd "$HOME/.hpc-proxy/jobs" 2>/dev/null; then
    printf 'directory yes\n'
    # Whole records by what the shell itself has: two programs for each of them were most of what
    # a search costs the login node. What is longer is cut by programs.
    whole="$(find . ! -name . -prune -type f -size -9 2>/dev/null)
"
    ls -1t | {
      count=0
      while [ "$count" -lt 64 ] && IFS= read -r name; do
        case $name in
          .* | -* | *[!A-Za-z0-9._-]*) continue ;;
          *.json) count=$((count + 1)) ;;
          *) continue ;;
        esac
        if [ ! -f "$name" ] || [ -L "$name" ]; then continue; fi
        printf 'record %s\n' "$name"
        case $whole in
          *"./$name
"*) while IFS= read -r line || [ -n "$line" ]; do printf '|%s\n' "$line"; done <"$name" ;;
          *) head -c 4097 "$name" | sed 's/^/|/' ;;
        esac
        printf '\n'
      done
    }
  else
    printf 'directory no\n'
  fi
  printf '%s end\n' "$marker"
}
hpc_manager_report </dev/null
exit 0
)sh";

std::string_view next_word(std::string_view& line) {
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  const auto end = line.find(' ');
  const auto word = line.substr(0, end);
  line.remove_prefix(end == std::string_view::npos ? line.size() : end);
  return word;
}

bool starts(std::string_view line, std::string_view prefix) {
  return line.substr(0, prefix.size()) == prefix;
}

// Host, job and file names and errors are shown on the user's terminal: an escape sequence must not
// get there.
std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

// Collects the lines of a report; `uid` is optional until it was seen.
class ReportReader {
 public:
  void line(std::string_view line) {
    if (starts(line, "|")) return record_line(line.substr(1));
    own_line(printable(line));
  }

  Result<DiscoveryReport> take() {
    if (report_.host.empty() || report_.host.size() > kHostBytesMax || !has_uid_) {
      return fail(Errc::kBadRequest, "discovery", "the far end did not say its host name and uid");
    }
    return std::move(report_);
  }

 private:
  void own_line(std::string_view line) {
    if (starts(line, "=")) return squeue_line(line.substr(1));
    if (starts(line, "host ")) {
      report_.host = line.substr(5, kHostBytesMax + 1);
    } else if (starts(line, "uid ")) {
      has_uid_ = parse_uid(line.substr(4));
    } else if (starts(line, "squeue ")) {
      const auto status = line.substr(7);
      report_.slurm = status == "none" ? SlurmAnswer::kAbsent
                      : status == "0"  ? SlurmAnswer::kAnswered
                                       : SlurmAnswer::kFailed;
    } else if (line == "directory yes") {
      report_.has_directory = true;
    } else if (starts(line, "record ") && report_.records.size() < kRecordsMax) {
      report_.records.push_back({std::string(line.substr(7, 255)), ""});
    }
  }

  void record_line(std::string_view line) {
    if (report_.records.empty()) return;
    auto& text = report_.records.back().text;
    if (!text.empty()) text += '\n';
    text += line;
    // One byte past the limit is enough to be refused.
    if (text.size() > kJobRecordBytesMax + 1) text.resize(kJobRecordBytesMax + 1);
  }

  void squeue_line(std::string_view line) {
    if (report_.slurm == SlurmAnswer::kFailed) {
      if (report_.slurm_error.empty()) report_.slurm_error = line.substr(0, kSlurmErrorBytesMax);
      return;
    }
    RunningJob job;
    job.id = next_word(line);
    job.nodes = next_word(line);
    job.raw_id = next_word(line);
    job.comment = line.substr(std::min<std::size_t>(line.size(), 1), kJobCommentBytesMax);
    if (job.nodes.empty() || report_.jobs.size() >= kRunningJobsMax) return;
    report_.jobs.push_back(std::move(job));
  }

  bool parse_uid(std::string_view text) {
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, report_.uid);
    return error == std::errc() && stop == end;
  }

  DiscoveryReport report_;
  bool has_uid_ = false;
};

}  // namespace

std::string discovery_script(std::string_view marker) {
  return "marker=" + std::string(marker) + "\n" + std::string(kScript);
}

Result<DiscoveryReport> parse_discovery_report(std::string_view output, std::string_view marker) {
  const std::string begin = std::string(marker) + " begin";
  const std::string end = std::string(marker) + " end";
  ReportReader reader;
  bool begun = false;
  while (!output.empty()) {
    const auto line = next_line(output);
    if (!begun) {
      begun = line == begin;
    } else if (line == end) {
      return reader.take();
    } else {
      reader.line(line);
    }
  }
  if (begun) {
    return fail(Errc::kSsh, "discovery", "the answer of the far end was cut short");
  }
  return fail(Errc::kSsh, "discovery",
              "the login shell of this account did not run our script (a forced command, or a "
              "shell that is not one?): `ssh HOST sh -s` must work");
}

}  // namespace hpc
