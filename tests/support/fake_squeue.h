#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/fake_ssh.h"

namespace hpc {

/// Answers the question of job_listing.h as squeue of one cluster does; for FakeSite::run.
class FakeSqueue {
 public:
  struct Job {
    std::string user;
    std::string state = "RUNNING";
    std::string nodes = "c1";
    std::string starts = "2026-11-21T07:00:00";
    std::string reason = "None";
    std::string comment = "(null)";
    std::string as_id;  // not its own, as a liar shows it
  };
  std::map<std::string, Job> jobs;  // by id
  /// May the user see it? (PrivateData)
  std::function<bool(const std::string& user, const Job&)> visible;
  std::optional<Result<ExecOutput>> instead;     // of every answer
  std::string error;                             // squeue fails with this line
  std::vector<std::set<std::string>> questions;  // the jobs of each
  std::vector<std::string> askers;               // and whose login it came over

  std::optional<Result<ExecOutput>> answer(const std::string& user, const FakeCommand& asked) {
    const auto from = asked.input.find("\njobs=");
    if (from == std::string::npos) return std::nullopt;
    const auto list = asked.input.substr(from + 6, asked.input.find('\n', from + 1) - from - 6);
    std::set<std::string> ids;
    for (std::size_t at = 0; at < list.size();) {
      const auto comma = std::min(list.find(',', at), list.size());
      ids.insert(list.substr(at, comma - at));
      at = comma + 1;
    }
    questions.push_back(ids);
    askers.push_back(user);
    if (instead) return instead;
    const auto mark = asked.marker() + " ";
    std::string out = "Welcome to login01\n\n" + mark + "begin\n" + rows(user, ids, mark);
    if (!error.empty()) out += error + "\n";
    out += "\n" + mark + "status " + (error.empty() ? "0" : "1") + "\n\n" + mark + "end\n";
    return ExecOutput{out, "", 0};
  }
  /// For one user's site.
  auto as(const std::string& user) {
    return [this, user](const FakeCommand& asked) { return answer(user, asked); };
  }

 private:
  std::string rows(const std::string& user, const std::set<std::string>& ids,
                   const std::string& mark) const {
    std::string out;
    for (const auto& id : ids) {
      const auto found = jobs.find(id);
      if (found == jobs.end()) continue;
      const Job& job = found->second;
      if (visible && !visible(user, job)) continue;
      const auto& shown = job.as_id.empty() ? id : job.as_id;
      out += mark + "job " + shown + "|" + shown + "|" + job.user + "|" + job.state + "|" +
             job.nodes + "|" + job.starts + "|2026-11-21T09:00:00|" + job.reason + "|" +
             job.comment + "\n";
    }
    return out;
  }
};

}  // namespace hpc
