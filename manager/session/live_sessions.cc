#include "manager/session/live_sessions.h"

#include <algorithm>
#include <utility>

#include "common/hello.h"
#include "manager/session/launch_spec.h"
#include "manager/session/next_turn.h"
#include "manager/session/session_words.h"

namespace hpc {

namespace {

constexpr std::size_t kSessionIdDigits = 32;

bool same_place(const SessionRow& a, const SessionRow& b) {
  return a.key.user == b.key.user && a.key.cluster == b.key.cluster;
}

bool is_launching(SessionState state) {
  return state == SessionState::kSubmitting || state == SessionState::kPending ||
         state == SessionState::kStarting;
}

bool is_launch(const NewSession& wanted) {
  const auto spec = parse_launch_spec(wanted.spec);
  return !wanted.job && spec && !spec->attach;
}

tl::unexpected<Error> none_such() {
  return fail(Errc::kNotFound, "sessions", "there is no such session, or it has ended");
}

}  // namespace

LiveSessions::LiveSessions(const LiveSession::Parts& parts, Store& store, EventLog& events,
                           PortPool* ports, Options options, CutTraffic cut_traffic)
    : parts_(parts),
      events_(events),
      ports_(ports),
      options_(std::move(options)),
      cut_traffic_(std::move(cut_traffic)),
      journal_(parts.scheduler, store, events, parts.now, parts.log),
      queue_(options_.launches),
      save_alarm_(parts.scheduler.make_alarm([this] { save_again(); })) {}

LiveSessions::~LiveSessions() { *alive_ = false; }

void LiveSessions::reconfigure(const Options& options) {
  options_.clusters = options.clusters;
  options_.sessions_max = options.sessions_max;
  options_.sessions_per_user_max = options.sessions_per_user_max;
  options_.launches = options.launches;
  queue_.set_limits(options.launches);
  parts_.idle_end_ms = options.idle_end_ms;
  for (auto& [id, entry] : entries_) entry.session->set_idle_end(options.idle_end_ms);
  serve_queue_soon();
}

// ------------------------------------------------------------------------------------- a restart
void LiveSessions::restore(const StoreContents& contents) {
  std::map<std::string, PortLease> leases;
  for (const auto& lease : contents.leases) leases[lease.session][lease.range] = lease.port;
  for (const auto& stored : contents.sessions) {
    const SessionRow& row = stored.row;
    events_.add_session(row.id, row.key.user, stored.lost_through);
    if (row.state == SessionState::kEnded) {
      ended_.add(row);
      continue;
    }
    const auto before = leases.find(row.id);
    std::vector<Change> changes;
    auto lease =
        restore_ports(row.id, before == leases.end() ? PortLease{} : before->second, changes);
    restored_changes_[row.id] = std::move(changes);
    add(row, std::move(lease))->second.stored = true;
  }
  restore_queue(contents.queue);
  for (const Event& event : contents.events) events_.restore(event);
  for (const auto& [user, through] : contents.forgotten_through) {
    events_.restore_forgotten(user, through);
  }
  for (const auto& stored : contents.sessions) {
    if (stored.row.state == SessionState::kEnded) events_.end_session(stored.row.id);
  }
  for (const auto& [user, id] : contents.active) {
    if (entries_.contains(id)) active_[user] = id;
  }
}

// Those that had their turn have it still; the others wait in their old order.
void LiveSessions::restore_queue(const std::vector<QueueRow>& queue) {
  std::vector<const SessionRow*> waiting;
  for (const auto& place : queue) {
    next_queue_place_ = std::max(next_queue_place_, place.position + 1);
    const auto entry = entries_.find(place.session);
    if (entry == entries_.end()) continue;
    entry->second.queue_place = place.position;
    entry->second.submit_begun_at = place.submit_started_at;
    const auto& row = entry->second.session->row();
    if (row.state == SessionState::kQueued) waiting.push_back(&row);
  }
  for (const auto& [id, entry] : entries_) {
    const auto& row = entry.session->row();
    if (!entry.session->launches()) continue;
    if (is_launching(row.state)) queue_.add_launching(row.key.user, id);
    if (row.state == SessionState::kQueued && !entry.queue_place) waiting.push_back(&row);
  }
  for (const auto* row : waiting) {
    if (entries_.at(row->id).session->launches()) queue_.add(row->key.user, row->id);
  }
}

// The same ports; where somebody else has taken one meanwhile, others; where there are none, none.
PortLease LiveSessions::restore_ports(const std::string& id, const PortLease& before,
                                      std::vector<Change>& changes) {
  if (ports_ == nullptr) {
    if (!before.empty()) changes.emplace_back(DropLeases{id});
    return {};
  }
  auto lease = ports_->restore(id, before);
  if (lease && *lease == before) return *lease;
  const std::string cause = lease ? "the ranges have changed" : lease.error().detail;
  if (!lease) lease = ports_->allocate(id);
  parts_.log.warning("a session could not have its ports again",
                     {{"session", id}, {"cause", cause}});
  changes.emplace_back(DropLeases{id});
  if (!lease) return {};
  for (const auto& [range, port] : *lease) changes.emplace_back(PutLease{{id, range, port}});
  return *lease;
}

void LiveSessions::start() {
  for (auto& [id, changes] : std::exchange(restored_changes_, {})) {
    if (!changes.empty()) journal_.record(info(entries_.at(id)), std::move(changes), nullptr);
  }
  std::vector<LiveSession*> all;
  for (auto& [id, entry] : entries_) all.push_back(entry.session.get());
  for (auto* session : all) session->start(entries_.at(session->row().id).submit_begun_at);
  serve_queue_soon();
}

// ------------------------------------------------------------------------------------- changes
Status LiveSessions::may_create(const NewSession& wanted) const {
  const bool known =
      std::any_of(options_.clusters.begin(), options_.clusters.end(),
                  [&](const ClusterName& cluster) { return cluster.name == wanted.cluster; });
  if (!known) {
    return fail(Errc::kNotFound, "sessions", "there is no cluster '" + wanted.cluster + "'");
  }
  const auto own = by_user_.find(wanted.user);
  if (own != by_user_.end() && own->second.size() >= options_.sessions_per_user_max) {
    return fail(Errc::kTooMany, "sessions",
                "you have " + std::to_string(own->second.size()) +
                    " sessions, which is as many as one user may have here; end one first");
  }
  if (entries_.size() >= options_.sessions_max) {
    return fail(Errc::kUnavailable, "sessions",
                "there are " + std::to_string(entries_.size()) +
                    " sessions, which is as many as this manager takes; try again later");
  }
  return {};
}

Status LiveSessions::may_launch(const NewSession& wanted) const {
  if (!is_launch(wanted)) return {};
  if (auto can = parts_.launcher.can_launch(wanted.ide); !can) return can;
  return queue_.may_add(wanted.user);
}

Result<SessionRow> LiveSessions::new_row(const NewSession& wanted) const {
  SessionRow row;
  row.key = {wanted.user, wanted.cluster, wanted.ide, wanted.slot.value_or(1)};
  while (!wanted.slot && by_key_.contains(row.key) && row.key.slot < kSlotMax) ++row.key.slot;
  if (by_key_.contains(row.key)) {
    return fail(Errc::kConflict, "sessions",
                path_of(row.key) +
                    " is in use; end that session first, or leave slot out to get a "
                    "free one");
  }
  if (wanted.job) row.job_id = *wanted.job;
  for (const auto& [id, entry] : entries_) {
    const SessionRow& other = entry.session->row();
    if (!row.job_id.empty() && same_place(row, other) && other.job_id == row.job_id) {
      return fail(Errc::kConflict, "sessions",
                  path_of(other.key) + " is attached to job " + row.job_id + " already");
    }
  }
  row.id = random_hex64().substr(0, kSessionIdDigits);
  // A job that runs already is not started.
  row.spec = wanted.job ? launch_spec_json({true, {}}) : wanted.spec;
  row.created_at = parts_.now();
  row.reason = "waits for its turn";
  return row;
}

void LiveSessions::create(const NewSession& wanted, Done done) {
  if (auto may = may_create(wanted); !may) return answer(done, tl::unexpected(may.error()));
  if (auto may = may_launch(wanted); !may) return answer(done, tl::unexpected(may.error()));
  auto row = new_row(wanted);
  if (!row) return answer(done, tl::unexpected(row.error()));
  PortLease lease;
  if (ports_ != nullptr) {
    auto allocated = ports_->allocate(row->id);
    if (!allocated) return answer(done, tl::unexpected(allocated.error()));
    lease = std::move(*allocated);
  }
  events_.add_session(row->id, row->key.user);
  std::vector<Change> changes;
  for (const auto& [range, port] : lease) changes.emplace_back(PutLease{{row->id, range, port}});
  const std::string id = row->id;
  if (active_.try_emplace(row->key.user, id).second) {
    changes.emplace_back(SetActive{row->key.user, id});
  }
  std::optional<std::int64_t> place;
  if (is_launch(wanted)) {
    queue_.add(row->key.user, id);
    row->reason = queued_words(queue_.position(id).value_or(1));
    place = next_queue_place_++;
    changes.emplace_back(PutQueued{{id, *place, "", std::nullopt}});
  }
  const auto entry = add(std::move(*row), std::move(lease));
  entry->second.queue_place = place;
  journal_.record(
      info(entry->second), std::move(changes),
      [this, id, done = std::move(done)](const Status& stored) { on_created(id, stored, done); });
}

LiveSessions::Entries::iterator LiveSessions::add(SessionRow row, PortLease lease) {
  const std::string id = row.id;
  by_key_[row.key] = id;
  by_user_[row.key.user].insert(id);
  LiveSession::Owner& owner = *this;
  Entry entry;
  auto& room = rooms_[row.key.user];
  if (room == nullptr) room = std::make_shared<WaitingRoom>();
  entry.session = std::make_unique<LiveSession>(parts_, std::move(row), room, owner);
  entry.lease = std::move(lease);
  return entries_.emplace(id, std::move(entry)).first;
}

void LiveSessions::on_created(const std::string& id, const Status& stored, const Done& done) {
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return;
  if (!stored) {
    const Error why{Errc::kUnavailable, "sessions",
                    "the session could not be stored: " + stored.error().detail};
    events_.end_session(id);
    queue_.release(id);
    take_out(entry);
    serve_queue_soon();
    return done(tl::unexpected(why));
  }
  entry->second.stored = true;
  const SessionInfo created = info(entry->second);
  parts_.log.info("session created", {{"session", id}, {"key", text_of(created.row.key)}});
  entry->second.session->start();
  if (entry->second.has_turn) entry->second.session->take_turn();
  serve_queue_soon();
  done(created);
}

void LiveSessions::end(const std::string& id, Done done) {
  const auto entry = entries_.find(id);
  if (entry == entries_.end() || !entry->second.stored) return answer(done, none_such());
  if (entry->second.session->row().state == SessionState::kEnding) {
    return answer(done, info(entry->second));
  }
  entry->second.changed = std::move(done);
  entry->second.session->end("ended by its user");
}

void LiveSessions::activate(const std::string& id, Done done) {
  const auto entry = entries_.find(id);
  if (entry == entries_.end() || !entry->second.stored) return answer(done, none_such());
  const auto& row = entry->second.session->row();
  active_[row.key.user] = id;
  const SessionInfo now = info(entry->second);
  journal_.record(now, {SetActive{row.key.user, id}}, [now, done](const Status& stored) {
    if (!stored) return done(tl::unexpected(stored.error()));
    done(now);
  });
}

void LiveSessions::extend(const std::string& id, std::uint64_t minutes, Done done) {
  const auto entry = entries_.find(id);
  if (entry == entries_.end() || !entry->second.stored) return answer(done, none_such());
  entry->second.session->extend(minutes, [this, alive = alive_, id, done](const Status& extended) {
    if (!*alive) return;
    const auto now = find(id);
    if (!extended) return done(tl::unexpected(extended.error()));
    now ? done(*now) : done(none_such());
  });
}

std::unique_ptr<Pending> LiveSessions::read_log(const std::string& id, std::uint64_t offset,
                                                LogDone done) {
  const auto entry = entries_.find(id);
  if (entry != entries_.end() && entry->second.stored) {
    return entry->second.session->read_log(offset, std::move(done));
  }
  return std::make_unique<NextTurn>(parts_.scheduler, [done = std::move(done)] {
    done(fail(Errc::kNotFound, "sessions",
              "the session has ended, and its job's log went with it; the last lines are among "
              "its events"));
  });
}

// ------------------------------------------------------------------------------------- the queue
// What the store has of a place in the queue goes with the launch: while an answer of sbatch is
// outstanding it tells since when.
void LiveSessions::queue_changes(Entry& entry, std::vector<Change>& changes) {
  for (auto& change : std::exchange(entry.renumbered, {})) changes.push_back(std::move(change));
  if (!entry.queue_place) return;
  const SessionRow& row = entry.session->row();
  if (row.state == SessionState::kQueued) return;
  if (row.state == SessionState::kSubmitting || row.state == SessionState::kEnding) {
    if (!entry.submit_begun_at) entry.submit_begun_at = parts_.now();
    changes.emplace_back(PutQueued{{row.id, *entry.queue_place, "", entry.submit_begun_at}});
    return;
  }
  entry.queue_place.reset();
  changes.emplace_back(DropQueued{row.id});
}

void LiveSessions::on_turn_over(LiveSession& session) {
  queue_.release(session.row().id);
  serve_queue_soon();
}

// From inside the news of one session others are not to be moved.
void LiveSessions::serve_queue_soon() {
  if (std::exchange(queue_due_, true)) return;
  parts_.scheduler.post([this, alive = alive_] {
    if (!*alive) return;
    queue_due_ = false;
    serve_queue();
  });
}

void LiveSessions::serve_queue() {
  while (const auto id = queue_.take_next()) {
    auto& entry = entries_.at(*id);
    // What he has still waiting goes behind all others, after a restart, too (launch_queue.h).
    for (const auto& other : queue_.waiting_of(entry.session->row().key.user)) {
      auto& place = entries_.at(other).queue_place;
      place = next_queue_place_++;
      entry.renumbered.emplace_back(PutQueued{{other, *place, "", std::nullopt}});
    }
    entry.stored ? entry.session->take_turn() : static_cast<void>(entry.has_turn = true);
  }
  unsigned position = 0;
  for (const auto& id : queue_.order()) {
    auto& entry = entries_.at(id);
    ++position;
    if (entry.stored) entry.session->set_queue_position(position);
  }
}

void LiveSessions::on_session_changed(LiveSession& session) {
  const SessionRow& row = session.row();
  const auto entry = entries_.find(row.id);
  if (entry == entries_.end()) return;
  const SessionInfo now = info(entry->second);
  const Done done = std::exchange(entry->second.changed, nullptr);
  parts_.log.info("session", {{"session", row.id},
                              {"key", text_of(row.key)},
                              {"state", state_name(row.state)},
                              {"reason", row.reason}});
  std::vector<Change> more;
  if (session.over()) more = next_active(row.key.user);
  queue_changes(entry->second, more);
  if (row.state != SessionState::kQueued && !is_launching(row.state)) {
    queue_.release(row.id);
    serve_queue_soon();
  }
  journal_.record(now, std::move(more), [this, row, now, done](const Status& stored) {
    on_saved(row, stored);
    // What was asked for has happened, stored or not.
    if (done) done(now);
  });
  if (session.over()) over(entry);
}

void LiveSessions::on_saved(const SessionRow& row, const Status& stored) {
  if (!stored) {
    unsaved_[row.id] = row;
    return save_alarm_->start(kStoreRetryMs);
  }
  const auto entry = entries_.find(row.id);
  if (entry != entries_.end() && entry->second.session->row().state == row.state) {
    entry->second.session->on_stored();
  }
}

void LiveSessions::on_session_expiring(LiveSession& session, unsigned minutes) {
  const SessionRow& row = session.row();
  parts_.log.info("session", {{"session", row.id}, {"ends in minutes", std::to_string(minutes)}});
  journal_.expiring(row, minutes);
}

void LiveSessions::on_session_progress(LiveSession& session, const std::string& text) {
  parts_.log.info("session", {{"session", session.row().id}, {"says", text}});
  journal_.progress(session.row().id, text);
}

bool LiveSessions::job_is_free(const LiveSession& session, const std::string& job) const {
  return std::none_of(entries_.begin(), entries_.end(), [&](const auto& one) {
    const LiveSession& other = *one.second.session;
    return &other != &session && same_place(other.row(), session.row()) &&
           other.row().job_id == job;
  });
}

// Of a user whose session has just ended: the active one is another now only where there is no
// choice.
std::vector<Change> LiveSessions::next_active(const std::string& user) {
  const auto active = active_.find(user);
  if (active == active_.end() || !entries_.at(active->second).session->over()) return {};
  std::vector<std::string> live;
  for (const auto& id : by_user_[user]) {
    if (!entries_.at(id).session->over()) live.push_back(id);
  }
  if (live.size() != 1) {
    active_.erase(active);
    return {SetActive{user, std::nullopt}};
  }
  active->second = live.front();
  return {SetActive{user, live.front()}};
}

void LiveSessions::over(Entries::iterator entry) {
  const SessionRow& row = entry->second.session->row();
  events_.end_session(row.id);
  ended_.add(row);
  cut_traffic_(row.id, {Errc::kUnavailable, "session", "it has ended: " + row.reason});
  take_out(entry);
}

// Its pool and its tunnel may be in use up to the end of this turn; what was cut goes in the next.
void LiveSessions::take_out(Entries::iterator entry) {
  const SessionRow& row = entry->second.session->row();
  const std::string user = row.key.user;
  if (ports_ != nullptr) ports_->release(row.id);
  by_key_.erase(row.key);
  if (auto own = by_user_.find(user); own != by_user_.end()) {
    own->second.erase(row.id);
    if (own->second.empty()) {
      by_user_.erase(own);
      rooms_.erase(user);
    }
  }
  if (const auto active = active_.find(user); active != active_.end() && active->second == row.id) {
    active_.erase(active);
  }
  std::shared_ptr<LiveSession> session = std::move(entry->second.session);
  entries_.erase(entry);
  parts_.scheduler.post([session, scheduler = &parts_.scheduler]() mutable {
    scheduler->post([session = std::move(session)]() mutable { session.reset(); });
  });
}

void LiveSessions::save_again() {
  for (const auto& [id, row] : std::exchange(unsaved_, {})) {
    const auto entry = entries_.find(id);
    const SessionInfo now = entry == entries_.end() ? info(row, {}) : info(entry->second);
    std::vector<Change> more;
    if (entry != entries_.end()) queue_changes(entry->second, more);
    journal_.record(now, std::move(more),
                    [this, row = now.row](const Status& stored) { on_saved(row, stored); });
  }
}

void LiveSessions::answer(const Done& done, Result<SessionInfo> result) {
  parts_.scheduler.post([alive = alive_, done, result = std::move(result)] {
    if (*alive) done(result);
  });
}

void LiveSessions::note_activity(const std::string& id) {
  const auto entry = entries_.find(id);
  if (entry == entries_.end() || !entry->second.stored) return;
  if (entry->second.session->note_activity()) journal_.keep(entry->second.session->row());
}

}  // namespace hpc
