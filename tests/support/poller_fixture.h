#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/log.h"
#include "manager/session/slurm_job_poller.h"
#include "tests/support/fake_logins.h"
#include "tests/support/fake_squeue.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {

/// Writes down what it is told: "listed RUNNING c1", "unlisted", "unknown WHY".
struct RecordingJobWatcher final : JobPoller::Watcher {
  void on_job_listed(const ListedJob& job) override {
    last = job;
    note("listed " + job.state + " " + job.nodes);
  }
  void on_job_unlisted() override { note("unlisted"); }
  void on_job_unknown(const std::string& why) override { note("unknown " + why); }

  void note(const std::string& what) {
    news.push_back(what);
    if (action) action();
  }
  /// And forgets it.
  std::vector<std::string> take() { return std::exchange(news, {}); }

  std::vector<std::string> news;
  ListedJob last;
  std::function<void()> action;  // called from inside each
};

/// A poller over fake logins of alice, bob and carol at the cluster "main"; those of alice and bob
/// are up.
struct PollerFixture : ::testing::Test {
  using Urgency = JobPoller::Urgency;

  PollerFixture() {
    for (const char* user : {"alice", "bob", "carol"}) {
      logins.at(user, "main").site.run = squeue.as(user);
    }
    raise("alice");
    raise("bob");
  }
  ~PollerFixture() override { poller.reset(); }
  PollerFixture(const PollerFixture&) = delete;
  PollerFixture& operator=(const PollerFixture&) = delete;

  /// The user's own sessions hold his login.
  void raise(const std::string& user, const std::string& cluster = "main") {
    auto& holder = holders_[{user, cluster}];
    if (holder == nullptr) holder = std::make_unique<Holder>();
    logins.at(user, cluster).login->watch(*holder);
    scheduler.run();
  }
  void cut(const std::string& user) {
    auto& place = logins.at(user, "main");
    place.connector.answers = false;
    place.connector.current->die("cut");
    scheduler.run();
  }
  FakeSite& site(const std::string& user) { return logins.at(user, "main").site; }

  void job(const std::string& id, const std::string& user) { squeue.jobs[id].user = user; }
  void watch(RecordingJobWatcher& watcher, const std::string& user, const std::string& id,
             Urgency urgency = Urgency::kSteady) {
    poller->watch(watcher, {user, "main", id, urgency});
  }
  /// Moves the clock to the next tick; how long that took.
  std::uint64_t tick() {
    const auto from = scheduler.now_ms();
    const auto before = squeue.questions.size();
    while (squeue.questions.size() == before && scheduler.now_ms() < from + 200'000) {
      scheduler.advance(500);
    }
    return scheduler.now_ms() - from;
  }

  ManualScheduler scheduler;
  FakeLogins logins{scheduler};
  FakeSqueue squeue;
  std::vector<std::string> lines;
  Log log{LogLevel::kInfo, LogFormat::kText,
          [this](std::string_view line) { lines.emplace_back(line); }};
  std::int64_t wall_ms = 1'795'244'400'000;  // 2026-11-21T07:00:00Z
  RecordingJobWatcher first;
  RecordingJobWatcher second;
  RecordingJobWatcher third;
  std::unique_ptr<SlurmJobPoller> poller = std::make_unique<SlurmJobPoller>(
      scheduler, logins, [this] { return wall_ms; }, log, SlurmJobPoller::Options{});

 private:
  struct Holder final : ClusterLogin::Watcher {
    void on_login_up(SshConnection&) override {}
    void on_login_down(const Error&) override {}
    void on_login_stopped(const Error&) override {}
    void on_login_progress(const std::string&) override {}
  };
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Holder>> holders_;
};

using News = std::vector<std::string>;

}  // namespace hpc
