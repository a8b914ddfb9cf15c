#include "manager/doctor_cluster.h"

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include "common/hello.h"
#include "manager/ssh/ssh_handshake.h"
#include "manager/ssh/tcp_dial.h"

namespace hpc {

namespace {

constexpr std::uint64_t kNetworkMs = 10'000;
constexpr std::uint64_t kChannelMs = 10'000;
// sshd's own port is where something listens on every login host.
constexpr std::uint16_t kSshPort = 22;

// The addresses of a name, as text; empty: there are none.
std::string addresses_of(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return "";
  std::string text;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> name{};
    if (getnameinfo(one->ai_addr, one->ai_addrlen, name.data(), name.size(), nullptr, 0,
                    NI_NUMERICHOST) == 0) {
      text += (text.empty() ? "" : ", ") + std::string(name.data());
    }
  }
  freeaddrinfo(list);
  return text;
}

}  // namespace

bool examine_network(const SshTarget& target, DoctorReport& report) {
  SshAttempt attempt;
  bool no_program = false;
  const auto hops = plan_ssh_route(target, "ssh", attempt, no_program);
  if (!hops) {
    report.problem("ssh config", hops.error().code, hops.error().detail);
    return false;
  }
  if (no_program) {
    report.note("ssh config", "no ssh program is installed: ~/.ssh/config is not read");
  }
  const auto& first = hops->front().config;
  const auto host = first.hostname + " port " + std::to_string(first.port);
  const std::string way = hops->size() > 1 ? " (the jump host on the way)" : "";
  const auto addresses = addresses_of(first.hostname);
  if (addresses.empty()) {
    report.problem("name", Errc::kNetwork,
                   first.hostname + " is not known" + way +
                       "; check the spelling in --cluster, or give the host a HostName in "
                       "~/.ssh/config");
    return false;
  }
  report.ok("name", first.hostname + " is " + addresses + way);
  attempt.begin("connect", kNetworkMs);
  if (const auto fd = dial_tcp(first.hostname, first.port, attempt); !fd) {
    report.problem("network", fd.error().code, fd.error().detail);
    return false;
  }
  report.ok("network", host + " answers");
  return true;
}

DoctorCluster::DoctorCluster(Scheduler& scheduler, SshConnector& connector, SshPrompter& prompter,
                             SshTarget target, DoctorReport& report, std::function<void()> done)
    : scheduler_(scheduler),
      connector_(connector),
      prompter_(prompter),
      target_(std::move(target)),
      report_(report),
      done_(std::move(done)),
      marker_(random_hex64()) {}

void DoctorCluster::start() {
  step_ = connector_.connect(target_, prompter_,
                             [this](auto connection) { on_connected(std::move(connection)); });
}

void DoctorCluster::on_connected(Result<std::unique_ptr<SshConnection>> connection) {
  if (!connection) {
    const auto& error = connection.error();
    // The host key comes before the login; what is left is the connection itself.
    const bool key = error.code == Errc::kForbidden;
    const bool login = error.code == Errc::kUnauthorized || error.code == Errc::kConfig;
    if (login) report_.ok("host key", "is known");
    report_.problem(key ? "host key" : (login ? "login" : "ssh"), error.code, error.detail);
    return finish();
  }
  connection_ = std::move(*connection);
  report_.ok("host key", "is known");
  report_.ok("login", "accepted");
  step_ = connection_->exec("sh -s", discovery_script(marker_), kSearchTimeoutMs,
                            [this](auto output) { on_report(std::move(output)); });
}

void DoctorCluster::on_report(Result<ExecOutput> output) {
  if (!output) {
    report_.problem("commands", output.error().code,
                    output.error().detail + "; the account needs a login shell that runs commands");
    return finish();
  }
  const auto found = parse_discovery_report(output->out, marker_);
  if (!found) {
    report_.problem("commands", found.error().code, found.error().detail);
    return finish();
  }
  tell_report(*found);
  step_ = connection_->open_channel("127.0.0.1", kSshPort, kChannelMs, [this](auto stream) {
    on_channel(stream ? Status{} : tl::unexpected(stream.error()));
  });
}

void DoctorCluster::tell_report(const DiscoveryReport& found) {
  report_.ok("commands", "run on " + found.host + " as uid " + std::to_string(found.uid));
  switch (found.slurm) {
    case SlurmAnswer::kAnswered:
      report_.ok("slurm", "squeue answers; running jobs: " + std::to_string(found.jobs.size()));
      break;
    case SlurmAnswer::kFailed:
      report_.problem("slurm", Errc::kSlurm,
                      "squeue fails: " + found.slurm_error +
                          "; until it answers, jobs cannot be told from dead ones");
      break;
    case SlurmAnswer::kAbsent:
      report_.note("slurm", found.host +
                                " has no squeue in the PATH of a login; without it only an "
                                "hpc-proxy on the login host itself is found");
      break;
  }
  const auto candidates = choose_candidates(found, std::nullopt);
  std::string text = std::to_string(candidates.accepted.size()) + " of " +
                     std::to_string(found.records.size()) + " may be tried";
  for (const auto& refused : candidates.refused)
    text += "\n" + refused.name + ": " + refused.reason;
  if (!found.has_directory) text = "~/.hpc-proxy/jobs is not there: no hpc-proxy has run yet";
  candidates.refused.empty() ? report_.ok("records", text) : report_.note("records", text);
}

void DoctorCluster::on_channel(const Status& opened) {
  // A refused connect shows that the server would have forwarded.
  if (!opened && opened.error().code != Errc::kRefused) {
    report_.problem("forwarding", opened.error().code, opened.error().detail);
    return finish();
  }
  report_.ok("forwarding", "the server allows it");
  step_ = std::make_unique<ProxySearch>(scheduler_, *connection_, ProxySearch::Wanted{},
                                        [this](auto found) { on_search(std::move(found)); });
}

void DoctorCluster::on_search(Result<FoundProxy> found) {
  if (found) {
    report_.ok("hpc-proxy", describe_record(found->record) + ": hpc-proxy " +
                                found->record.program_version + " answers and has proved itself");
  } else if (found.error().code == Errc::kNotFound) {
    report_.note("hpc-proxy", found.error().detail);
  } else {
    report_.problem("hpc-proxy", found.error().code, found.error().detail);
  }
  finish();
}

// The steps call from inside their own callbacks.
void DoctorCluster::finish() {
  scheduler_.post([done = std::move(done_)] { done(); });
}

}  // namespace hpc
