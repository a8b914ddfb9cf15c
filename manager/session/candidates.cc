// The judging half of discovery.h: which records may be tried, and what to tell the user.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

#include "common/http_head.h"
#include "manager/session/discovery.h"
#include "manager/slurm/job_fate.h"
#include "manager/slurm/node_list.h"

namespace hpc {

namespace {

constexpr std::size_t kHostBytesMax = 253;  // RFC 1035, 2.3.4

// Letters, digits, '.', '-', '_': nothing that a resolver or a log could take for something else.
bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= kHostBytesMax && text.front() != '-' &&
         text.front() != '.' && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

// An address by which another host could reach the node. Loopback, unspecified, link-local and
// multicast ones would lead the login node to itself or nowhere.
bool is_node_address(const std::string& text) {
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    const std::uint32_t value = ntohl(v4.s_addr);
    const std::uint32_t first = value >> 24U;
    return first != 0 && first != 127 && first < 224 && (value >> 16U) != 0xa9feU;
  }
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return false;
  return !IN6_IS_ADDR_LOOPBACK(&v6) && !IN6_IS_ADDR_UNSPECIFIED(&v6) &&
         !IN6_IS_ADDR_LINKLOCAL(&v6) && !IN6_IS_ADDR_MULTICAST(&v6) && !IN6_IS_ADDR_V4MAPPED(&v6);
}

std::vector<std::string> addresses_to_try(const JobRecord& record, const std::string& ssh_host) {
  if (equals_ignoring_case(record.host, ssh_host)) return {"127.0.0.1"};
  std::vector<std::string> out = {record.host};
  for (const auto& address : record.addresses) {
    if (out.size() == kAddressesMax) break;
    if (is_node_address(address) && std::find(out.begin(), out.end(), address) == out.end()) {
      out.push_back(address);
    }
  }
  return out;
}

const RunningJob* find_job(const DiscoveryReport& report, const std::string& id) {
  for (const auto& job : report.jobs) {
    if (id == job.id || id == job.raw_id) return &job;
  }
  return nullptr;
}

// Empty: the record may be tried.
std::string why_not_slurm(const DiscoveryReport& report, const JobRecord& record) {
  const std::string& node = *record.slurm_node;
  if (report.slurm == SlurmAnswer::kAbsent) {
    return "it belongs to SLURM job " + record.job_id + " on " + node + ", but " + report.host +
           " has no squeue to tell whether that job still runs; connect to a login node of the "
           "cluster";
  }
  if (report.slurm == SlurmAnswer::kFailed) {
    return "SLURM could not be asked about job " + record.job_id + " (" + report.slurm_error + ")";
  }
  const RunningJob* job = find_job(report, record.job_id);
  if (job == nullptr) return "job " + record.job_id + " is not running";
  if (!node_list_contains(job->nodes, node)) {
    return "job " + record.job_id + " runs on " + job->nodes + " now, this record is of " + node;
  }
  return "";
}

std::string why_not(const DiscoveryReport& report, const JobRecord& record) {
  if (record.uid != report.uid) {
    return "it names uid " + std::to_string(record.uid) + ", this login is uid " +
           std::to_string(report.uid);
  }
  if (record.port < 1024) return "its port " + std::to_string(record.port) + " is below 1024";
  if (!is_host_name(record.host)) return "its host is not a host name";
  if (!is_token(record.token)) return "its token is not one";
  if (record.slurm_node) return why_not_slurm(report, record);
  if (!equals_ignoring_case(record.host, report.host)) {
    return "it was started outside SLURM on " + record.host + ", and this is " + report.host +
           "; connect to " + record.host + " instead";
  }
  return "";
}

// `run` calls its record ID-HOST-PID, as a step's or another node's hpc-proxy does, and says how
// its command has ports of its own.
bool is_plain(const Candidate& candidate) {
  return candidate.name == candidate.record.job_id && !candidate.record.private_ports;
}

// Plain records before those of `run`, then the newest. RFC 3339 in UTC sorts as text. One that was
// started inside of a run, at a prompt of the session for example, is not the session's.
bool better(const Candidate& a, const Candidate& b) {
  const bool a_inside = a.record.inside_run.has_value();
  if (a_inside != b.record.inside_run.has_value()) return !a_inside;
  if (is_plain(a) != is_plain(b)) return is_plain(a);
  return a.record.started_at > b.record.started_at;
}

// What hpc-proxy writes into its job's comment; users, too, may write whatever they like there.
std::optional<UnseenProxy> published_by(const RunningJob& job) {
  constexpr std::string_view kMark = "hpc1 ";
  const std::string_view text = job.comment;
  const auto colon = text.rfind(':');
  if (text.substr(0, kMark.size()) != kMark || colon == std::string_view::npos) return std::nullopt;
  UnseenProxy out;
  out.job = job.id;
  out.host = text.substr(kMark.size(), colon - kMark.size());
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, out.port);
  if (error != std::errc() || stop != end || out.port < 1024) return std::nullopt;
  if (!is_host_name(out.host)) return std::nullopt;
  // After a requeue it still names the node of before. SLURM calls nodes by their short names.
  const std::string short_name = out.host.substr(0, out.host.find('.'));
  if (!node_list_contains(job.nodes, out.host) && !node_list_contains(job.nodes, short_name)) {
    return std::nullopt;
  }
  return out;
}

// A record of this run of the job, whatever else it says: it wins over the comment.
bool has_record(const DiscoveryReport& report, const RunningJob& job) {
  return std::any_of(report.records.begin(), report.records.end(), [&](const auto& file) {
    const auto record = parse_job_record(file.text);
    return record && (record->job_id == job.id || record->job_id == job.raw_id) &&
           record->slurm_node && node_list_contains(job.nodes, *record->slurm_node);
  });
}

std::string stem(const std::string& file) {
  constexpr std::string_view kSuffix = ".json";
  if (file.size() > kSuffix.size() &&
      file.compare(file.size() - kSuffix.size(), kSuffix.size(), kSuffix) == 0) {
    return file.substr(0, file.size() - kSuffix.size());
  }
  return file;
}

}  // namespace

bool job_not_listed(const DiscoveryReport& report, const std::string& job) {
  return is_slurm_job_id(job) && report.slurm == SlurmAnswer::kAnswered &&
         report.jobs.size() < kRunningJobsMax && find_job(report, job) == nullptr;
}

Candidates choose_candidates(const DiscoveryReport& report, const std::optional<std::string>& job,
                             const MayUseRecord& may_use) {
  Candidates out;
  for (const auto& file : report.records) {
    const std::string name = stem(file.name);
    auto record = parse_job_record(file.text);
    if (!record) {
      out.refused.push_back({name, "its record is not valid: " + record.error().detail});
      continue;
    }
    if (job && *job != record->job_id && *job != name) {
      out.refused.push_back({name, "--job asks for " + *job});
      continue;
    }
    if (auto reason = why_not(report, *record); !reason.empty()) {
      out.refused.push_back({name, std::move(reason)});
      continue;
    }
    if (may_use && !may_use(*record)) {
      out.refused.push_back({name, "another session of yours has it"});
      continue;
    }
    auto addresses = addresses_to_try(*record, report.host);
    out.accepted.push_back({name, std::move(*record), std::move(addresses)});
  }
  std::stable_sort(out.accepted.begin(), out.accepted.end(), better);
  while (out.accepted.size() > kCandidatesMax) {
    out.refused.push_back({out.accepted.back().name, "there are newer ones"});
    out.accepted.pop_back();
  }
  return out;
}

std::vector<UnseenProxy> unseen_proxies(const DiscoveryReport& report,
                                        const std::optional<std::string>& job) {
  std::vector<UnseenProxy> out;
  for (const auto& running : report.jobs) {
    if (out.size() == kCandidatesMax) break;
    if (job && *job != running.id && *job != running.raw_id) continue;
    auto published = published_by(running);
    if (published && !has_record(report, running)) out.push_back(std::move(*published));
  }
  return out;
}

std::string explain_no_candidate(const DiscoveryReport& report, const Candidates& candidates,
                                 const std::optional<std::string>& job) {
  std::string out = "no hpc-proxy of yours runs";
  if (job) out += " in job " + *job;
  out += " (asked on " + report.host + ")";
  for (const auto& refused : candidates.refused) {
    out += "\n  " + refused.name + ": " + refused.reason;
  }
  if (report.slurm == SlurmAnswer::kAnswered && report.jobs.empty()) {
    out += "\n  you have no running job";
  }
  if (report.slurm == SlurmAnswer::kFailed) {
    out += "\n  squeue failed: " + report.slurm_error;
  }
  const auto unseen = unseen_proxies(report, job);
  for (const auto& proxy : unseen) {
    out += "\n  hpc-proxy of job " + proxy.job + " says that it listens on " + proxy.host + ":" +
           std::to_string(proxy.port) + ", but its record is not visible here yet";
  }
  if (!unseen.empty()) {
    return out +
           "\na file system that shows new files late shows it within a minute or so; if it "
           "does not, look whether the home on the node is the one of " +
           report.host;
  }
  out +=
      "\nstart it inside your job, before the app, and connect again (or connect with --wait):"
      "\n  hpc-proxy --daemon && eval \"$(hpc-proxy env)\"";
  return out;
}

}  // namespace hpc
