#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "manager/event_text.h"
#include "manager/session/json.h"

namespace hpc {

/// What becomes of a session that was asked for, from its events: a line for people at each step,
/// and how it ends. Pure.
class StartProgress {
 public:
  enum class Outcome : std::uint8_t { kOnItsWay, kRuns, kEnded };
  /// One line, without an end; those that a text has behind its first one are indented. Nothing in
  /// it can fool a terminal.
  using Say = std::function<void(const std::string&)>;
  explicit StartProgress(Say say) : say_(std::move(say)) {}

  /// The session as the API shows it. False: it is none.
  bool see(std::string_view session);
  /// A piece of its events' stream. False: it is enough, as it runs or has ended, or as this is no
  /// stream of events.
  bool take(std::string_view piece);
  /// The stream has ended; take() goes on with a new one, behind last_event().
  void stream_ended() { text_.reset(); }

  Outcome outcome() const { return outcome_; }
  std::uint64_t last_event() const { return last_event_; }
  // Of the session as it was seen last.
  const std::string& id() const { return id_; }
  const std::string& url() const { return url_; }
  const std::string& reason() const { return reason_; }
  const std::string& json() const { return json_; }  // one line

 private:
  void on_item(const EventItem& item);
  bool see_object(const cJSON* session);
  void say_once(const std::string& line);

  Say say_;
  EventText text_;
  Outcome outcome_ = Outcome::kOnItsWay;
  std::uint64_t last_event_ = 0;
  std::string id_, url_, reason_, json_;
  std::string said_;
};

}  // namespace hpc
