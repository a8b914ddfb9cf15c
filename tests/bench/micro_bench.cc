// micro_bench: what is asked for every request, and tables of sessions as they grow. Google
// Benchmark prints the time of one call; bench.py holds 10,000 against 100.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/log.h"
#include "common/loop.h"
#include "common/port_route.h"
#include "manager/gateway/user_route.h"
#include "manager/session/launch_queue.h"
#include "manager/session/live_sessions.h"
#include "manager/session/port_pool.h"
#include "manager/slurm/job_listing.h"
#include "tests/support/fake_job_launcher.h"
#include "tests/support/fake_job_poller.h"
#include "tests/support/fake_logins.h"
#include "tests/support/fake_store.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

constexpr std::int64_t kFew = 100;
constexpr std::int64_t kMany = 10'000;

void port_route(benchmark::State& state) {
  const std::string target = "/port/5500/static/js/main.4f2a91c3.js?v=17";
  for ([[maybe_unused]] auto round : state) {
    auto route = parse_port_route(target);
    benchmark::DoNotOptimize(route);
  }
}
BENCHMARK(port_route);

void user_route(benchmark::State& state) {
  const std::string target = "/user/alice/main/vscode/port/5500/static/js/main.4f2a91c3.js?v=17";
  for ([[maybe_unused]] auto round : state) {
    auto route = parse_user_route(target);
    benchmark::DoNotOptimize(route);
  }
}
BENCHMARK(user_route);

/// So many running sessions, 10 of each user, as after a restart.
StoreContents running_sessions(std::int64_t count) {
  StoreContents contents;
  for (std::int64_t i = 0; i < count; ++i) {
    SessionRow row;
    row.id = "s" + std::to_string(1'000'000 + i);
    row.key = {"user" + std::to_string(i / 10), "main", "vscode",
               static_cast<unsigned>(i % 10 + 1)};
    row.state = SessionState::kRunning;
    row.job_id = std::to_string(4'711'000 + i);
    row.node = "c1";
    contents.sessions.push_back({std::move(row), 0});
  }
  return contents;
}

/// What every request to a session asks: its address is read, and the session found by it.
void session_route(benchmark::State& state) {
  Loop loop;
  ManualScheduler scheduler;
  FakeLogins logins(scheduler);
  FakeJobLauncher launcher(scheduler);
  FakeJobPoller poller;
  FakeStore store;
  EventLog events(scheduler, 1);
  Log log(LogLevel::kError, LogFormat::kText, [](auto) {});
  const LiveSession::Parts parts{loop,
                                 scheduler,
                                 logins,
                                 launcher,
                                 poller,
                                 [](std::uint32_t n) { return n - 1; },
                                 [] { return std::int64_t{0}; },
                                 log};
  LiveSessions sessions(parts, store, events, nullptr, {}, [](const auto&, const auto&) {});
  const auto contents = running_sessions(state.range(0));
  sessions.restore(contents);
  std::size_t next = 0;
  for ([[maybe_unused]] auto round : state) {
    // 7,919 is prime: one after the other, and far apart.
    next = (next + 7'919) % contents.sessions.size();
    const auto& key = contents.sessions[next].row.key;
    auto route = parse_user_route("/user/" + key.user + "/main/vscode~" + std::to_string(key.slot) +
                                  "/port/5500/");
    benchmark::DoNotOptimize(route);
    if (!sessions.route(key)) state.SkipWithError("not found");
  }
}
BENCHMARK(session_route)->Arg(kFew)->Arg(kMany);

/// One more launch comes while so many wait, 10 of each user; it is asked for its place, and goes.
void launch_queue(benchmark::State& state) {
  LaunchQueue queue({10, 1, 10, std::nullopt});
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    queue.add("user" + std::to_string(i / 10), "s" + std::to_string(i));
  }
  while (queue.take_next()) {
  }
  for ([[maybe_unused]] auto round : state) {
    if (!queue.may_add("one more")) state.SkipWithError("not taken");
    queue.add("one more", "s");
    auto place = queue.position("s");
    benchmark::DoNotOptimize(place);
    queue.release("s");
  }
}
BENCHMARK(launch_queue)->Arg(kFew)->Arg(kMany)->Unit(benchmark::kMicrosecond);

/// Every port can be had; the pool's own work is what is measured.
class FreeBinder final : public PortBinder {
 public:
  Result<std::unique_ptr<HeldPort>> bind(const std::string&, std::uint16_t) override {
    return std::make_unique<HeldPort>();
  }
};

/// One more session comes and goes while so many have their ports.
void port_pool(benchmark::State& state) {
  FreeBinder binder;
  auto pool = PortPool::make({{"web", 20'000, 39'999}, {"debug", 40'000, 59'999}}, binder);
  if (!pool) {
    state.SkipWithError(pool.error().detail.c_str());
    return;
  }
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    if (!(*pool)->allocate("session-" + std::to_string(i))) state.SkipWithError("no port left");
  }
  for ([[maybe_unused]] auto round : state) {
    auto lease = (*pool)->allocate("one more");
    benchmark::DoNotOptimize(lease);
    (*pool)->release("one more");
  }
}
BENCHMARK(port_pool)->Arg(kFew)->Arg(kMany);

std::vector<std::string> job_ids(std::int64_t count) {
  std::vector<std::string> ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(std::to_string(4'711'000 + i));
  return ids;
}

/// What squeue says of so many jobs, as the poller reads it.
void job_listing(benchmark::State& state) {
  const std::string marker(64, 'a');
  std::string answer = marker + " begin\n";
  for (const auto& id : job_ids(state.range(0))) {
    answer += marker + " job " + id + "|" + id +
              "|alice|RUNNING|c1|2026-03-01T12:00:00|2026-03-01T14:00:00|None|hpc1 c1:40001\n";
  }
  answer += marker + " status 0\n" + marker + " end\n";
  for ([[maybe_unused]] auto round : state) {
    auto listing = parse_job_listing(answer, marker);
    if (std::cmp_not_equal(listing.jobs.size(), state.range(0))) state.SkipWithError("misread");
    benchmark::DoNotOptimize(listing);
  }
}
BENCHMARK(job_listing)->Arg(kFew)->Arg(kMany)->Unit(benchmark::kMicrosecond);

/// The questions about so many jobs, as many in each as one may hold.
void job_questions(benchmark::State& state) {
  const std::string marker(64, 'a');
  const auto ids = job_ids(state.range(0));
  for ([[maybe_unused]] auto round : state) {
    for (std::size_t at = 0; at < ids.size(); at += kListedJobsMax) {
      const auto count = std::min(kListedJobsMax, ids.size() - at);
      auto script = job_listing_script({&ids[at], count}, marker);
      benchmark::DoNotOptimize(script);
    }
  }
}
BENCHMARK(job_questions)->Arg(kFew)->Arg(kMany)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hpc

BENCHMARK_MAIN();
