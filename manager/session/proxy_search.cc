#include "manager/session/proxy_search.h"

#include <utility>

#include "common/hello.h"

namespace hpc {

std::string describe_record(const JobRecord& record) {
  if (record.slurm_node) return "job " + record.job_id + " on " + *record.slurm_node;
  return "the session on " + record.host;
}

ProxySearch::ProxySearch(Scheduler& scheduler, SshConnection& connection, Wanted wanted, Done done)
    : scheduler_(scheduler),
      connection_(connection),
      wanted_(std::move(wanted)),
      done_(std::move(done)),
      marker_(random_hex64()) {
  step_ = connection_.exec("sh -s", discovery_script(marker_), kSearchTimeoutMs,
                           [this](auto output) { on_report(std::move(output)); });
}

void ProxySearch::on_report(Result<ExecOutput> output) {
  if (!output) return finish(tl::unexpected(output.error()));
  auto report = parse_discovery_report(output->out, marker_);
  if (!report) return finish(tl::unexpected(report.error()));
  job_not_listed_ = wanted_.job && hpc::job_not_listed(*report, *wanted_.job);
  candidates_ = choose_candidates(*report, wanted_.job, wanted_.may_use);
  if (candidates_.accepted.empty()) {
    record_is_late_ = !unseen_proxies(*report, wanted_.job).empty();
    return finish(fail(Errc::kNotFound, "discovery",
                       explain_no_candidate(*report, candidates_, wanted_.job)));
  }
  try_next();
}

void ProxySearch::try_next() {
  const auto& candidate = candidates_.accepted[candidate_];
  step_ = std::make_unique<ChannelOpening>(
      scheduler_, connection_,
      ProxyEndpoint{candidate.addresses, candidate.record.port, candidate.record.token},
      [this](auto opened) { on_channel(std::move(opened)); });
}

void ProxySearch::on_channel(Result<ChannelOpening::Opened> opened) {
  auto& candidate = candidates_.accepted[candidate_];
  if (opened && wanted_.may_use && !wanted_.may_use(candidate.record)) {
    opened = fail(Errc::kNotFound, "discovery", "another session of yours has it");
  }
  if (opened) {
    ProxyEndpoint endpoint{
        {candidate.addresses[opened->address]}, candidate.record.port, candidate.record.token};
    return finish(FoundProxy{std::move(candidate.record), std::move(endpoint),
                             std::move(opened->stream), passed_over()});
  }
  failures_ += "\n  " + describe_record(candidate.record) + ", port " +
               std::to_string(candidate.record.port) + ": " + opened.error().detail;
  if (!worst_ || opened.error().code == Errc::kForbidden) worst_ = opened.error();
  if (++candidate_ < candidates_.accepted.size()) return try_next();
  all_failed();
}

std::string ProxySearch::passed_over() const {
  std::string out = failures_;
  for (const auto& refused : candidates_.refused) {
    out += "\n  " + refused.name + ": " + refused.reason;
  }
  return out;
}

void ProxySearch::all_failed() {
  std::string detail = "no hpc-proxy could be reached" + passed_over();
  if (worst_->code == Errc::kRefused) {
    detail +=
        "\nit may have ended, or a firewall between login and compute nodes drops its port "
        "(hpc-proxy --port 9000-9099 stays within a range)";
  }
  finish(fail(worst_->code, "discovery", std::move(detail)));
}

void ProxySearch::finish(Result<FoundProxy> result) {
  const Done done = std::move(done_);
  done(std::move(result));  // may destroy us
}

}  // namespace hpc
