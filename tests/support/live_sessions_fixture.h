#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "manager/session/launch_spec.h"
#include "manager/session/live_sessions.h"
#include "tests/support/fake_job_launcher.h"
#include "tests/support/fake_job_poller.h"
#include "tests/support/fake_logins.h"
#include "tests/support/fake_store.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {

inline const std::string kLiveToken(64, '7');

inline const std::string kAttach = launch_spec_json({true, {}});

inline std::string job_lines(const std::string& id, const std::string& node) {
  JobRecord record;
  record.host = record.slurm_node.emplace(node);
  record.port = 40'000;
  record.pid = 77;
  record.uid = 1000;
  record.token = kLiveToken;
  record.job_id = id;
  record.started_at = "2026-11-21T07:00:00Z";
  record.job_end = "2026-11-21T09:00:00Z";
  record.program_version = "0.1.0";
  return "record " + id + ".json\n|" + write_job_record(record) + "\n";
}

using Jobs = std::vector<std::pair<std::string, std::string>>;  // id and node

inline std::string report_of(const Jobs& jobs) {
  std::string out = "host login01\nuid 1000\nsqueue 0\n";
  for (const auto& [id, node] : jobs) out += "=" + id + " " + node + " " + id + "\n";
  out += "directory yes\n";
  for (const auto& [id, node] : jobs) out += job_lines(id, node);
  return out;
}

struct FakeHeldPort final : HeldPort {};

struct TestBinder final : PortBinder {
  Result<std::unique_ptr<HeldPort>> bind(const std::string&, std::uint16_t port) override {
    if (refused.contains(port)) return fail(Errc::kSystem, "bind", "address in use");
    return std::make_unique<FakeHeldPort>();
  }
  std::set<std::uint16_t> refused;
};

/// LiveSessions over fakes of everything below. Sessions that create() makes attach to the jobs of
/// run_jobs(); launch() makes those that SLURM starts.
struct LiveSessionsFixture : LoopFixture {
  LiveSessionsFixture() { options.base_url = "https://hpc.example.org"; }
  void TearDown() override {
    sessions.reset();
    scheduler.run();
    settle(loop);
  }

  void make(const StoreContents& contents = {}) {
    if (contents.last_event_number != 0) {
      events.~EventLog();
      new (&events) EventLog(scheduler, contents.last_event_number + 1);
    }
    const LiveSession::Parts parts{loop,
                                   scheduler,
                                   logins,
                                   launcher,
                                   poller,
                                   [](std::uint32_t n) { return n - 1; },
                                   [this] { return wall_ms; },
                                   log,
                                   idle_end_ms};
    options.clusters = {{"main", "login01"}, {"gpu", "login02"}};
    sessions = std::make_unique<LiveSessions>(
        parts, store, events, ports.get(), options,
        [this](const std::string& id, const Error&) { cut.push_back(id); });
    sessions->restore(contents);
    sessions->start();
    play();
  }
  void make_ports(std::uint16_t first, std::uint16_t last) {
    ports = std::move(*PortPool::make({{LiveSessions::kLocalRange, first, last}}, binder));
  }
  // Turns and transactions until nothing moves.
  void play() {
    for (int i = 0; i < 20; ++i) {
      scheduler.run();
      store.commit(disk);
    }
  }
  void advance(std::uint64_t ms) {
    scheduler.advance(ms);
    play();
  }
  void run_jobs(const std::string& user, const Jobs& jobs, const std::string& cluster = "main") {
    auto& site = logins.at(user, cluster).site;
    site.report = report_of(jobs);
    site.token = kLiveToken;
  }
  Result<SessionInfo> create(NewSession wanted) {
    std::optional<Result<SessionInfo>> out;
    sessions->create(wanted, [&](auto result) { out = std::move(result); });
    EXPECT_FALSE(out) << "in a later turn";
    play();
    return out ? *out : tl::unexpected(Error{Errc::kSystem, "test", "no answer"});
  }
  Result<SessionInfo> create(const std::string& user, const std::string& ide = "vscode") {
    return create({user, "main", ide, std::nullopt, std::nullopt, kAttach});
  }
  Result<SessionInfo> launch(const std::string& user, const std::string& ide = "vscode") {
    return create({user, "main", ide, std::nullopt, std::nullopt, ""});
  }
  Status end(const std::string& id) {
    std::optional<Status> out;
    sessions->end(id, [&](const auto& r) { out = r ? Status() : tl::unexpected(r.error()); });
    play();
    return out.value_or(fail(Errc::kSystem, "test", "no answer"));
  }
  SessionRow row(const std::string& id) { return sessions->find(id)->row; }
  std::string state(const std::string& id) { return std::string(state_name(row(id).state)); }
  Errc code(const Result<SessionInfo>& result) {
    return result ? Errc::kUsage : result.error().code;
  }
  StoreContents stored() const {
    StoreContents out;
    std::map<std::string, SessionRow> rows;
    std::vector<std::string> order;
    std::map<std::pair<std::string, std::string>, std::uint16_t> leases;
    std::map<std::string, QueueRow> queue;
    for (const auto& change : store.stored) {
      if (const auto* put = std::get_if<PutSession>(&change)) {
        if (!rows.contains(put->row.id)) order.push_back(put->row.id);
        rows[put->row.id] = put->row;
      } else if (const auto* lease = std::get_if<PutLease>(&change)) {
        leases[{lease->row.session, lease->row.range}] = lease->row.port;
      } else if (const auto* active = std::get_if<SetActive>(&change)) {
        out.active.erase(active->user);
        if (active->session) out.active[active->user] = *active->session;
      } else if (const auto* queued = std::get_if<PutQueued>(&change)) {
        queue[queued->row.session] = queued->row;
      } else if (const auto* dropped = std::get_if<DropQueued>(&change)) {
        queue.erase(dropped->session);
      } else if (const auto* event = std::get_if<AppendEvent>(&change)) {
        out.events.push_back(event->event);
        out.last_event_number = event->event.number;
      }
    }
    for (const auto& [id, place] : queue) out.queue.push_back(place);
    std::sort(out.queue.begin(), out.queue.end(),
              [](const auto& a, const auto& b) { return a.position < b.position; });
    for (const auto& id : order) out.sessions.push_back({rows[id], 0});
    for (const auto& [key, port] : leases) {
      if (rows[key.first].state != SessionState::kEnded) {
        out.leases.push_back({key.first, key.second, port});
      }
    }
    return out;
  }

  ManualScheduler scheduler;
  FakeStore store;
  Status disk;
  FakeLogins logins{scheduler};
  FakeJobLauncher launcher{scheduler};
  FakeJobPoller poller;
  std::uint64_t idle_end_ms = 0;
  EventLog events{scheduler};
  TestBinder binder;
  std::unique_ptr<PortPool> ports;
  std::string logged;
  Log log{LogLevel::kInfo, LogFormat::kText, [this](auto line) { logged += line; }};
  std::int64_t wall_ms = 1'790'000'000'000;
  LiveSessions::Options options;
  std::vector<std::string> cut;
  std::unique_ptr<LiveSessions> sessions;
};

}  // namespace hpc
