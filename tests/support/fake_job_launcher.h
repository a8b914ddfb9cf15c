#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "manager/session/job_launcher.h"
#include "manager/session/scheduler.h"

namespace hpc {

/// Jobs for tests of what stands above them: each call is noted, and answered in a later turn with
/// what the test has set by then; while `hold` is set, not before release().
class FakeJobLauncher final : public JobLauncher {
 public:
  explicit FakeJobLauncher(Scheduler& scheduler) : scheduler_(scheduler) {}

  struct Call {
    std::string what;  // "submit", "find", "end", "extend", "log"
    SessionRow session;
    std::uint64_t number = 0;  // minutes, or the log's offset
  };
  std::vector<Call> calls;

  // By session id; "" is for every session that has none of its own. Without either: submits give
  // job 4711, 4712 ..., which is found from then on, the rest succeeds, and there is no log.
  std::map<std::string, Result<std::string>> submits;
  std::map<std::string, Result<std::optional<std::string>>> finds;
  std::map<std::string, Status> ends;
  std::map<std::string, Status> extends;
  std::map<std::string, Result<JobLogPart>> logs;
  Status launchable;  // an error: of can_launch()
  bool hold = false;

  std::size_t count(const std::string& what) const {
    std::size_t out = 0;
    for (const auto& call : calls) out += call.what == what ? 1 : 0;
    return out;
  }
  /// Questions that are neither answered nor given up.
  std::size_t waiting() const {
    std::size_t out = 0;
    for (const auto& one : held_) out += *one.alive ? 1 : 0;
    return out;
  }
  /// Answers in the next turn what waits for this session, or ("") everything.
  void release(const std::string& session = "") {
    std::deque<Held> kept;
    for (auto& one : std::exchange(held_, {})) {
      if (session.empty() || one.session == session) {
        post(std::move(one));
      } else {
        kept.push_back(std::move(one));
      }
    }
    held_ = std::move(kept);
  }

  Status can_launch(const std::string&) const override { return launchable; }

  std::unique_ptr<Pending> submit(const SessionRow& session, SubmitDone done) override {
    calls.push_back({"submit", session, 0});
    return later(session.id, [this, id = session.id, done = std::move(done)] {
      if (const auto set = find_in(submits, id)) return done(*set);
      jobs_[id] = std::to_string(next_job_++);
      done(jobs_[id]);
    });
  }
  std::unique_ptr<Pending> find(const SessionRow& session, FindDone done) override {
    calls.push_back({"find", session, 0});
    return later(session.id, [this, id = session.id, done = std::move(done)] {
      if (const auto set = find_in(finds, id)) return done(*set);
      done(find_in(jobs_, id));
    });
  }
  std::unique_ptr<Pending> end(const SessionRow& session, Done done) override {
    calls.push_back({"end", session, 0});
    return later(session.id, [this, id = session.id, done = std::move(done)] {
      done(find_in(ends, id).value_or(Status()));
    });
  }
  std::unique_ptr<Pending> extend(const SessionRow& session, std::uint64_t minutes,
                                  Done done) override {
    calls.push_back({"extend", session, minutes});
    return later(session.id, [this, id = session.id, done = std::move(done)] {
      done(find_in(extends, id).value_or(Status()));
    });
  }
  std::unique_ptr<Pending> read_log(const SessionRow& session, std::uint64_t offset,
                                    LogDone done) override {
    calls.push_back({"log", session, offset});
    return later(session.id, [this, id = session.id, done = std::move(done)] {
      const auto set = find_in(logs, id);
      done(set ? *set : Result<JobLogPart>(fail(Errc::kNotFound, "log", "there is no log yet")));
    });
  }

 private:
  struct Held {
    std::string session;
    std::shared_ptr<bool> alive;
    std::function<void()> answer;
  };
  struct Question final : Pending {
    ~Question() override { *alive = false; }
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  };

  std::unique_ptr<Pending> later(const std::string& session, std::function<void()> answer) {
    auto question = std::make_unique<Question>();
    Held one{session, question->alive, std::move(answer)};
    if (hold) {
      held_.push_back(std::move(one));
    } else {
      post(std::move(one));
    }
    return question;
  }
  void post(Held one) {
    scheduler_.post([one = std::move(one)] {
      if (*one.alive) one.answer();
    });
  }
  template <class T>
  static std::optional<T> find_in(const std::map<std::string, T>& set, const std::string& id) {
    auto found = set.find(id);
    if (found == set.end()) found = set.find("");
    return found == set.end() ? std::nullopt : std::optional<T>(found->second);
  }

  Scheduler& scheduler_;
  std::deque<Held> held_;
  std::map<std::string, std::string> jobs_;  // by session id
  int next_job_ = 4711;
};

}  // namespace hpc
