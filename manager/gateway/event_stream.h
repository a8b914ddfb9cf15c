#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/http_head.h"
#include "common/responder.h"
#include "manager/session/event_log.h"
#include "manager/session/scheduler.h"

namespace hpc {

// Contract 2.4. Proxies on the way close what is silent for a minute.
constexpr std::uint64_t kEventCommentMs = 15'000;
// How long a browser waits before it connects again.
constexpr unsigned kEventRetryMs = 2'000;
// What may wait for a slow reader. Past it nothing more is written until it has read; the ring has
// what it misses meanwhile, and where the ring has lost some, it is told so.
constexpr std::size_t kEventQueueBytesMax = std::size_t{256} * 1024;
constexpr std::size_t kEventQueueBytesLow = std::size_t{64} * 1024;
constexpr std::uint64_t kEventCatchUpMs = 100;  // how often a reader that is behind is looked at
// Who has not read down to kEventQueueBytesLow by then reads no more: its connection is cut.
constexpr std::uint64_t kEventSlowReaderMs = 30'000;

/// What one client watches.
struct EventSource {
  std::string session;                 // its events; empty: all of `user`'s
  std::string user;                    // with an empty session
  std::optional<std::uint64_t> after;  // the last number that the client has; nothing: none
  bool head_only = false;              // a HEAD: no body, so it ends at once
  // Asked with every comment: may the client still see this? A login may end, or a token.
  std::function<bool()> still_allowed;
};

/// The number after which the client wants to go on: Last-Event-ID (WHATWG HTML, 9.2.4), or the
/// query's `last-event-id` for tools that cannot set fields. Nothing: neither is there.
/// kBadRequest: it is no number.
Result<std::optional<std::uint64_t>> last_event_number(const FieldList& fields,
                                                       std::string_view query);

/// text/event-stream of events as they come, after those that the client has missed: `id` is the
/// number, `event` the type, `data` one line of JSON. `event: gap`, without an id, where some are
/// lost. A comment every kEventCommentMs.
///
/// The stream of a session that has ended is its events, and then its end; where none is left
/// behind `after`, 204, which tells an EventSource not to come again. 404: the log does not know
/// the session (any more).
///
/// `events` and `scheduler` must outlive the responder.
std::unique_ptr<Responder> make_event_stream(EventLog& events, Scheduler& scheduler,
                                             EventSource source);

}  // namespace hpc
