#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "manager/session/sessions.h"
#include "tests/support/fake_tunnel_view.h"
#include "tests/support/fake_upstream.h"

namespace hpc {

/// Sessions for tests of what stands above them: kept in memory; what was asked for comes true when
/// the test calls run(), unless `refuse` holds an error. `loop` must outlive it.
class FakeSessions final : public Sessions {
 public:
  explicit FakeSessions(Loop& loop) : loop_(loop) {}

  // What the next create(), end() and activate() end with instead.
  std::optional<Error> refuse;
  std::vector<NewSession> asked;   // of create(), in their order
  std::vector<std::string> noted;  // ids of note_activity()
  std::vector<ClusterInfo> known_clusters = {{"main", "login01", "up", ""}};
  std::optional<PortReport> ports;

  /// A session as though it had been made before; its id is the number of it, in 32 hex digits.
  SessionInfo& add(const SessionKey& key, SessionState state = SessionState::kRunning) {
    auto one = std::make_unique<One>(loop_);
    std::string id = std::to_string(sessions_.size() + 1);
    id.insert(0, 32 - id.size(), '0');
    one->info.row.id = id;
    one->info.row.key = key;
    one->info.row.state = state;
    one->info.row.job_id = "4711";
    one->info.row.node = "c1";
    one->info.row.created_at = 1'700'000'000'000 + static_cast<std::int64_t>(sessions_.size());
    one->info.url = "http://127.0.0.1:8000" + path_of(key) + "/";
    JobRecord record;
    record.host = "c1";
    record.job_id = "4711";
    record.token = std::string(64, '7');
    record.program_version = "0.1.0";
    one->tunnel.found = record;
    sessions_.push_back(std::move(one));
    return sessions_.back()->info;
  }
  SessionInfo& info_of(const std::string& id) { return at(id)->info; }
  FakeTunnelView& tunnel_of(const std::string& id) { return at(id)->tunnel; }
  FakeConnector& connector_of(const std::string& id) { return at(id)->connector; }
  UpstreamPool& pool_of(const std::string& id) { return at(id)->pool; }
  void set_active(const std::string& id) {
    for (auto& one : sessions_) {
      if (one->info.row.key.user == at(id)->info.row.key.user) one->info.active = false;
    }
    at(id)->info.active = true;
  }
  /// Plays what is due, as later turns of the loop do.
  void run() {
    while (!due_.empty()) {
      auto task = std::move(due_.front());
      due_.pop_front();
      task();
    }
  }

  void create(const NewSession& wanted, Done done) override {
    asked.push_back(wanted);
    later(std::move(done), [this, wanted]() -> Result<SessionInfo> {
      const SessionKey key{wanted.user, wanted.cluster, wanted.ide, wanted.slot.value_or(1)};
      if (live(key) != nullptr) return fail(Errc::kConflict, "session", "the slot is in use");
      return add(key, SessionState::kQueued);
    });
  }
  void end(const std::string& id, Done done) override {
    later(std::move(done), [this, id]() -> Result<SessionInfo> {
      One* one = at(id);
      if (one == nullptr || ended(*one)) return fail(Errc::kNotFound, "session", "no such session");
      one->info.row.state = SessionState::kEnding;
      return one->info;
    });
  }
  void activate(const std::string& id, Done done) override {
    later(std::move(done), [this, id]() -> Result<SessionInfo> {
      One* one = at(id);
      if (one == nullptr || ended(*one)) return fail(Errc::kNotFound, "session", "no such session");
      set_active(id);
      return one->info;
    });
  }

  // What extend() was asked for, and what read_log() gives a part of.
  std::vector<std::pair<std::string, std::uint64_t>> extended;
  std::map<std::string, std::string> logs;       // by session; none: kNotFound
  std::size_t log_part_bytes = ~std::size_t{0};  // of one read_log() at most
  void extend(const std::string& id, std::uint64_t minutes, Done done) override {
    extended.emplace_back(id, minutes);
    later(std::move(done), [this, id]() -> Result<SessionInfo> {
      One* one = at(id);
      if (one == nullptr || ended(*one)) return fail(Errc::kNotFound, "session", "no such session");
      return one->info;
    });
  }
  std::unique_ptr<Pending> read_log(const std::string& id, std::uint64_t offset,
                                    LogDone done) override {
    auto alive = std::make_shared<bool>(true);
    due_.push_back([this, id, offset, done = std::move(done), weak = std::weak_ptr(alive)] {
      if (weak.expired()) return;
      if (!logs.contains(id)) return done(fail(Errc::kNotFound, "log", "there is no log yet"));
      const std::string& all = logs[id];
      const auto from = offset == kJobLogTail ? 0 : std::min<std::uint64_t>(offset, all.size());
      done(JobLogPart{from, all.size(), all.substr(from, log_part_bytes)});
    });
    struct Held final : Pending {
      explicit Held(std::shared_ptr<bool> held) : held_(std::move(held)) {}
      std::shared_ptr<bool> held_;
    };
    return std::make_unique<Held>(std::move(alive));
  }

  std::optional<SessionInfo> find(const std::string& id) const override {
    const One* one = at(id);
    if (one == nullptr) return std::nullopt;
    return one->info;
  }
  std::optional<SessionInfo> find(const SessionKey& key) const override {
    if (const One* one = live(key)) return one->info;
    for (auto one = sessions_.rbegin(); one != sessions_.rend(); ++one) {
      if ((*one)->info.row.key == key) return (*one)->info;
    }
    return std::nullopt;
  }
  std::vector<SessionInfo> list(const std::optional<std::string>& user) const override {
    std::vector<SessionInfo> found;
    for (const auto& one : sessions_) {
      if (!ended(*one) && (!user || one->info.row.key.user == *user)) found.push_back(one->info);
    }
    return found;
  }
  std::optional<SessionInfo> active_of(const std::string& user) const override {
    for (const auto& one : sessions_) {
      if (one->info.active && !ended(*one) && one->info.row.key.user == user) return one->info;
    }
    return std::nullopt;
  }
  std::optional<SessionRoute> route(const std::string& id) override {
    One* one = at(id);
    if (one == nullptr || ended(*one)) return std::nullopt;
    return SessionRoute{one->info.row.id, one->pool, one->tunnel};
  }
  std::optional<SessionRoute> route(const SessionKey& key) override {
    const One* one = live(key);
    return one == nullptr ? std::nullopt : route(one->info.row.id);
  }
  void note_activity(const std::string& id) override { noted.push_back(id); }
  std::vector<ClusterInfo> clusters(const std::string&) const override { return known_clusters; }
  std::optional<PortReport> port_report() const override { return ports; }

 private:
  struct One {
    explicit One(Loop& loop) : pool(loop, connector) {}
    SessionInfo info;
    FakeTunnelView tunnel;
    FakeConnector connector;
    UpstreamPool pool;
  };

  static bool ended(const One& one) { return one.info.row.state == SessionState::kEnded; }
  One* at(const std::string& id) const {
    for (const auto& one : sessions_) {
      if (one->info.row.id == id) return one.get();
    }
    return nullptr;
  }
  const One* live(const SessionKey& key) const {
    for (const auto& one : sessions_) {
      if (one->info.row.key == key && !ended(*one)) return one.get();
    }
    return nullptr;
  }
  void later(Done done, std::function<Result<SessionInfo>()> act) {
    due_.push_back([this, done = std::move(done), act = std::move(act)] {
      if (!refuse) return done(act());
      done(tl::unexpected(*std::exchange(refuse, std::nullopt)));
    });
  }

  Loop& loop_;
  std::vector<std::unique_ptr<One>> sessions_;
  std::deque<std::function<void()>> due_;
};

}  // namespace hpc
