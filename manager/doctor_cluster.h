#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/loop.h"
#include "manager/doctor_report.h"
#include "manager/session/discovery.h"
#include "manager/session/proxy_search.h"
#include "manager/session/scheduler.h"
#include "manager/ssh/ssh_connector.h"

namespace hpc {

/// Name and TCP of the first server on the way to `target` (its jump host, if it has one), with the
/// values that ssh_config gives. Blocks for up to 10 s. False: nothing further can work.
bool examine_network(const SshTarget& target, DoctorReport& report);

/// The steps of `doctor` on the login host, one after the other: host key, login, commands,
/// forwarding, SLURM, records, and hello of the hpc-proxy that is found.
///
/// Everything handed to the constructor must outlive it. `done` is called once, in a later turn.
class DoctorCluster {
 public:
  DoctorCluster(Scheduler& scheduler, SshConnector& connector, SshPrompter& prompter,
                SshTarget target, DoctorReport& report, std::function<void()> done);
  DoctorCluster(const DoctorCluster&) = delete;
  DoctorCluster& operator=(const DoctorCluster&) = delete;
  void start();

 private:
  void on_connected(Result<std::unique_ptr<SshConnection>> connection);
  void on_report(Result<ExecOutput> output);
  void tell_report(const DiscoveryReport& found);
  void on_channel(const Status& opened);
  void on_search(Result<FoundProxy> found);
  void finish();

  Scheduler& scheduler_;
  SshConnector& connector_;
  SshPrompter& prompter_;
  SshTarget target_;
  DoctorReport& report_;
  std::function<void()> done_;
  std::string marker_;
  std::unique_ptr<SshConnection> connection_;
  std::unique_ptr<Pending> step_;
};

}  // namespace hpc
