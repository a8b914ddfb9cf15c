#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/clock.h"

namespace hpc {

// Contract 2.4. A thousand changes of one session are more than anybody resumes over.
constexpr std::size_t kEventsPerSessionMax = 1000;
constexpr std::size_t kEventBytesPerSessionMax = std::size_t{256} * 1024;
constexpr std::uint64_t kEventsKeptAfterEndMs = 3'600'000;

/// One change of a session. Numbers rise over all sessions of the manager, so that one number is
/// enough to resume a stream of several sessions; between two of one stream there may be gaps.
struct Event {
  std::uint64_t number = 0;  // from 1
  std::int64_t unix_ms = 0;
  std::string session;  // its opaque id
  std::string type;     // "state", "queue", ...: a word, no line ends
  std::string data;     // one line of JSON
};

/// The latest events of every session, for those who watch and for those who come back: the ring
/// of the architecture. Pure: time from the clock, durability from its owner.
///
/// An event is shown to nobody before it is stored: append() gives it a number, commit() shows it.
/// Memory: at most kEventsPerSessionMax events and kEventBytesPerSessionMax bytes a session, the
/// oldest go first; nothing is left of a session kEventsKeptAfterEndMs after its end.
class EventLog {
 public:
  /// Gets events in the order of their numbers, for the first time inside watch_*(). Its calls may
  /// not change the log, except by destroying a subscription that watch_*() has returned.
  class Subscriber {
   public:
    virtual void on_event(const Event& event) = 0;
    /// Events behind the number asked for are not there any more; what follows is all there is.
    virtual void on_gap() = 0;

   protected:
    ~Subscriber() = default;
  };

  /// Ends with its destruction. The log and the subscriber must outlive it.
  class Subscription {
   public:
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    friend class EventLog;
    bool wants(const std::string& session, const std::string& user) const {
      return session_.empty() ? user_ == user : session_ == session;
    }
    Subscription(EventLog& log, std::string session, std::string user, Subscriber& subscriber);
    EventLog& log_;
    const std::string session_;  // empty: all of the user's
    const std::string user_;     // with an empty session_
    Subscriber& subscriber_;
  };

  /// `clock` must outlive the log. `next_number`: one more than the highest ever given.
  explicit EventLog(const Clock& clock, std::uint64_t next_number = 1)
      : clock_(clock), next_number_(next_number) {}

  /// A session begins, or is known again after a restart: then `lost_through` is the highest number
  /// of its events that the store does not have any more.
  void add_session(const std::string& session, const std::string& user,
                   std::uint64_t lost_through = 0);
  /// No more events come; what there is goes after kEventsKeptAfterEndMs.
  void end_session(const std::string& session);
  /// An event that was stored before a restart, in the order of the numbers.
  void restore(Event event);
  /// Before a restart the events of a session of this user, up to this number, were forgotten with
  /// the session: who resumes behind one of them is told of the gap.
  void restore_forgotten(const std::string& user, std::uint64_t through);

  /// Gives `event` its number, which is returned; 0 for a session that is not known or has ended.
  std::uint64_t append(Event event);
  /// All events up to `number` are stored: subscribers get them.
  void commit(std::uint64_t number);
  /// The event could not be stored: nobody will ever see it. Not after its commit().
  void discard(std::uint64_t number);

  /// Replays what is there behind `after` (nothing: only what comes), then what comes. A number
  /// that was never given is a gap, too: it is of another store. nullptr: no such session.
  std::unique_ptr<Subscription> watch_session(const std::string& session,
                                              std::optional<std::uint64_t> after,
                                              Subscriber& subscriber);
  /// The same over all sessions of `user`, those included that begin later.
  std::unique_ptr<Subscription> watch_user(const std::string& user,
                                           std::optional<std::uint64_t> after,
                                           Subscriber& subscriber);

  /// The highest number that subscribers were shown: after it comes only what is new.
  std::uint64_t last_shown() const { return committed_; }
  /// The session has ended, or is not known any more, and all of its events were shown.
  bool is_over(const std::string& session) const;

  /// Forgets sessions whose time has come; call it now and then.
  void expire();

  std::size_t session_count() const { return rings_.size(); }
  std::size_t subscriber_count() const { return subscriptions_.size(); }
  /// Of all rings: text and bookkeeping of the events.
  std::size_t bytes() const { return bytes_; }

 private:
  struct Ring {
    std::string user;
    std::deque<Event> events;  // rising numbers, committed or not
    std::size_t bytes = 0;
    std::uint64_t lost_through = 0;  // the highest number that is not there any more
    std::optional<std::uint64_t> ended_at_ms;
  };

  void keep(Ring& ring, Event event);
  void drop_oldest(Ring& ring);
  std::unique_ptr<Subscription> watch(std::string session, std::string user,
                                      std::optional<std::uint64_t> after, Subscriber& subscriber);
  void replay(const Subscription& subscription, std::uint64_t after);
  void show(const std::string& session, std::uint64_t number);

  const Clock& clock_;
  std::uint64_t next_number_;
  std::uint64_t committed_ = 0;  // the highest number that subscribers were shown
  std::map<std::string, Ring> rings_;
  std::map<std::uint64_t, std::string> pending_;  // number and session, not committed yet
  std::set<Subscription*> subscriptions_;
  // Per user: the highest number of a session that was forgotten. As many as there are users.
  std::map<std::string, std::uint64_t> forgotten_through_;
  std::size_t bytes_ = 0;
};

}  // namespace hpc
