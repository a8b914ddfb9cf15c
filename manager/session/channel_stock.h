#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "common/stream.h"
#include "common/upstream_pool.h"
#include "manager/session/scheduler.h"
#include "manager/session/waiting_room.h"

namespace hpc {

// Ready before anybody asks, so that a page with a few parallel requests waits for no handshake.
constexpr std::size_t kWarmChannels = 2;
// hpc-proxy closes an idle connection after 75 s; one that we replace before cannot die under a
// request.
constexpr std::uint64_t kWarmChannelMs = 60'000;
// Handshakes at once: enough for a burst, without flooding sshd's session.
constexpr std::size_t kChannelOpeningsMax = 32;
// Contract 2.3: how long a request waits while the tunnel is down.
constexpr std::uint64_t kWaitingRequestMs = 10'000;

/// Proved channels in stock, and the requests that wait for one.
///
/// Owner: the tunnel, which opens the stock while it is up and closes it while it is down. Must
/// outlive every Pending that take() returned.
class ChannelStock {
 public:
  /// Opens one more proved channel.
  using Open = std::function<std::unique_ptr<Pending>(ConnectDone)>;
  /// An opening failed; called in its own turn, may close the stock. Not called for kUnavailable
  /// (the far end is there, but busy).
  using Failed = std::function<void(const Error&)>;

  /// `room`: where requests wait; nullptr: in one of its own.
  ChannelStock(Scheduler& scheduler, Failed failed, std::shared_ptr<WaitingRoom> room = nullptr);
  ~ChannelStock();
  ChannelStock(const ChannelStock&) = delete;
  ChannelStock& operator=(const ChannelStock&) = delete;

  /// The tunnel is up: channels come from `open`.
  void open(Open open);
  /// The tunnel is down: drops the stock; who may not wait gets `why` (kUnavailable).
  void close(Error why);
  /// A channel that was proved elsewhere (while searching).
  void put(std::unique_ptr<Stream> proved);

  /// A proved channel, in a later turn. While the stock is closed: `may_wait` waits up to
  /// kWaitingRequestMs, others fail at once with kUnavailable, as does who finds no seat.
  std::unique_ptr<Pending> take(bool may_wait, ConnectDone done);

  std::size_t warm_count() const { return warm_.size(); }
  std::size_t waiting_count() const { return waiters_.size(); }

 private:
  class Warm;
  class Ticket;
  struct Waiter {
    std::uint64_t number;
    bool may_wait;
    std::uint64_t deadline_ms;
    ConnectDone done;
    std::optional<WaitingRoom::Seat> seat;  // while the stock is closed
  };
  struct Opening {
    std::uint64_t number;
    std::unique_ptr<Pending> pending;
  };

  void plan();
  void serve();
  bool serve_one();
  std::optional<Error> refusal(Waiter& waiter);
  void refill();
  void on_opened(std::uint64_t number, Result<std::unique_ptr<Stream>> stream);
  void drop_stale();
  void set_alarm();
  void forget(std::uint64_t number);
  bool is_open() const { return static_cast<bool>(open_); }

  Scheduler& scheduler_;
  Failed failed_;
  std::shared_ptr<WaitingRoom> room_;
  Open open_;
  Error why_closed_;
  std::list<std::unique_ptr<Warm>> warm_;  // oldest first
  std::list<Waiter> waiters_;              // oldest first
  std::list<Opening> openings_;
  std::unique_ptr<Alarm> alarm_;  // the next deadline of a waiter or a warm channel
  std::uint64_t next_number_ = 0;
  bool planned_ = false;
  // Posted steps find out through this whether we still live.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hpc
