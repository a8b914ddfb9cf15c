#include "manager/session/event_log.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace hpc {

namespace {

std::size_t bytes_of(const Event& event) {
  return sizeof event + event.session.size() + event.type.size() + event.data.size();
}

}  // namespace

EventLog::Subscription::Subscription(EventLog& log, std::string session, std::string user,
                                     Subscriber& subscriber)
    : log_(log), session_(std::move(session)), user_(std::move(user)), subscriber_(subscriber) {
  log_.subscriptions_.insert(this);
}

EventLog::Subscription::~Subscription() { log_.subscriptions_.erase(this); }

void EventLog::add_session(const std::string& session, const std::string& user,
                           std::uint64_t lost_through) {
  Ring& ring = rings_[session];
  ring.user = user;
  ring.lost_through = lost_through;
}

void EventLog::end_session(const std::string& session) {
  const auto found = rings_.find(session);
  if (found == rings_.end() || found->second.ended_at_ms) return;
  found->second.ended_at_ms = clock_.now_ms();
}

void EventLog::restore(Event event) {
  const auto found = rings_.find(event.session);
  if (found == rings_.end()) return;
  next_number_ = std::max(next_number_, event.number + 1);
  committed_ = std::max(committed_, event.number);
  keep(found->second, std::move(event));
}

void EventLog::restore_forgotten(const std::string& user, std::uint64_t through) {
  auto& forgotten = forgotten_through_[user];
  forgotten = std::max(forgotten, through);
  next_number_ = std::max(next_number_, through + 1);
  committed_ = std::max(committed_, through);
}

bool EventLog::is_over(const std::string& session) const {
  const auto found = rings_.find(session);
  if (found == rings_.end()) return true;
  const Ring& ring = found->second;
  return ring.ended_at_ms && (ring.events.empty() || ring.events.back().number <= committed_);
}

std::uint64_t EventLog::append(Event event) {
  const auto found = rings_.find(event.session);
  if (found == rings_.end() || found->second.ended_at_ms) return 0;
  event.number = next_number_++;
  const auto number = event.number;
  pending_.emplace(number, event.session);
  keep(found->second, std::move(event));
  return number;
}

void EventLog::keep(Ring& ring, Event event) {
  const std::size_t size = bytes_of(event);
  ring.bytes += size;
  bytes_ += size;
  ring.events.push_back(std::move(event));
  while (ring.events.size() > kEventsPerSessionMax || ring.bytes > kEventBytesPerSessionMax) {
    drop_oldest(ring);
  }
}

void EventLog::drop_oldest(Ring& ring) {
  const Event& oldest = ring.events.front();
  ring.lost_through = std::max(ring.lost_through, oldest.number);
  const std::size_t size = bytes_of(oldest);
  ring.bytes -= size;
  bytes_ -= size;
  ring.events.pop_front();
}

void EventLog::commit(std::uint64_t number) {
  while (!pending_.empty() && pending_.begin()->first <= number) {
    const auto next = pending_.extract(pending_.begin());
    committed_ = next.key();
    show(next.mapped(), next.key());
  }
}

void EventLog::discard(std::uint64_t number) {
  const auto pending = pending_.extract(number);
  if (pending.empty()) return;
  const auto found = rings_.find(pending.mapped());
  if (found == rings_.end()) return;
  Ring& ring = found->second;
  std::erase_if(ring.events, [&](const Event& event) {
    if (event.number != number) return false;
    ring.bytes -= bytes_of(event);
    bytes_ -= bytes_of(event);
    return true;
  });
}

// A subscriber may end any subscription from inside its call, so the set is looked at anew.
void EventLog::show(const std::string& session, std::uint64_t number) {
  const auto found = rings_.find(session);
  if (found == rings_.end()) return;
  const auto& events = found->second.events;
  const auto event =
      std::lower_bound(events.begin(), events.end(), number,
                       [](const Event& one, std::uint64_t other) { return one.number < other; });
  const bool lost = event == events.end() || event->number != number;
  const std::vector<Subscription*> now(subscriptions_.begin(), subscriptions_.end());
  for (Subscription* one : now) {
    if (subscriptions_.count(one) == 0 || !one->wants(session, found->second.user)) continue;
    if (lost) {
      one->subscriber_.on_gap();
    } else {
      one->subscriber_.on_event(*event);
    }
  }
}

std::unique_ptr<EventLog::Subscription> EventLog::watch_session(const std::string& session,
                                                                std::optional<std::uint64_t> after,
                                                                Subscriber& subscriber) {
  if (rings_.count(session) == 0) return nullptr;
  return watch(session, {}, after, subscriber);
}

std::unique_ptr<EventLog::Subscription> EventLog::watch_user(const std::string& user,
                                                             std::optional<std::uint64_t> after,
                                                             Subscriber& subscriber) {
  return watch({}, user, after, subscriber);
}

std::unique_ptr<EventLog::Subscription> EventLog::watch(std::string session, std::string user,
                                                        std::optional<std::uint64_t> after,
                                                        Subscriber& subscriber) {
  std::unique_ptr<Subscription> subscription(
      new Subscription(*this, std::move(session), std::move(user), subscriber));
  if (after) replay(*subscription, *after);
  return subscription;
}

void EventLog::replay(const Subscription& subscription, std::uint64_t after) {
  const bool foreign_number = after >= next_number_;
  if (foreign_number) after = 0;
  bool gap = foreign_number;
  const auto forgotten = forgotten_through_.find(subscription.user_);
  if (forgotten != forgotten_through_.end()) gap = gap || forgotten->second > after;
  std::vector<const Event*> found;
  for (const auto& [session, ring] : rings_) {
    if (!subscription.wants(session, ring.user)) continue;
    gap = gap || ring.lost_through > after;
    for (const Event& event : ring.events) {
      if (event.number > after && event.number <= committed_) found.push_back(&event);
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Event* one, const Event* two) { return one->number < two->number; });
  if (gap) subscription.subscriber_.on_gap();
  for (const Event* event : found) subscription.subscriber_.on_event(*event);
}

void EventLog::expire() {
  for (auto at = rings_.begin(); at != rings_.end();) {
    Ring& ring = at->second;
    if (!ring.ended_at_ms || clock_.now_ms() - *ring.ended_at_ms < kEventsKeptAfterEndMs) {
      ++at;
      continue;
    }
    while (!ring.events.empty()) drop_oldest(ring);
    auto& forgotten = forgotten_through_[ring.user];
    forgotten = std::max(forgotten, ring.lost_through);
    at = rings_.erase(at);
  }
}

}  // namespace hpc
