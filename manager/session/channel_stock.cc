#include "manager/session/channel_stock.h"

#include <algorithm>
#include <utility>

namespace hpc {

/// One proved channel that nobody uses yet. Whatever it receives means that it is no good.
class ChannelStock::Warm final : private Stream::Listener {
 public:
  Warm(ChannelStock& stock, std::unique_ptr<Stream> stream)
      : stock_(stock),
        stream_(std::move(stream)),
        stale_at_ms_(stock.scheduler_.now_ms() + kWarmChannelMs) {
    stream_->start(*this);
  }
  std::unique_ptr<Stream> release() { return std::move(stream_); }
  bool dead() const { return dead_; }
  std::uint64_t stale_at_ms() const { return stale_at_ms_; }

 private:
  void on_data(Bytes) noexcept override { die(); }
  void on_end() noexcept override { die(); }
  void on_drain() noexcept override {}
  void on_close(const Status&) noexcept override { die(); }
  void die() {
    dead_ = true;
    stock_.plan();
  }

  ChannelStock& stock_;
  std::unique_ptr<Stream> stream_;
  std::uint64_t stale_at_ms_;
  bool dead_ = false;
};

/// What the taker holds: destroying it withdraws the request.
class ChannelStock::Ticket final : public Pending {
 public:
  Ticket(ChannelStock& stock, std::uint64_t number)
      : stock_(stock), number_(number), stock_alive_(stock.alive_) {}
  ~Ticket() override {
    if (*stock_alive_) stock_.forget(number_);
  }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

 private:
  ChannelStock& stock_;
  std::uint64_t number_;
  std::shared_ptr<bool> stock_alive_;
};

ChannelStock::ChannelStock(Scheduler& scheduler, Failed failed, std::shared_ptr<WaitingRoom> room)
    : scheduler_(scheduler),
      failed_(std::move(failed)),
      room_(room ? std::move(room) : std::make_shared<WaitingRoom>()),
      why_closed_{Errc::kUnavailable, "tunnel", "not connected yet"},
      alarm_(scheduler.make_alarm([this] { serve(); })) {}

ChannelStock::~ChannelStock() { *alive_ = false; }

void ChannelStock::open(Open open) {
  open_ = std::move(open);
  for (auto& waiter : waiters_) waiter.seat.reset();
  plan();
}

void ChannelStock::close(Error why) {
  open_ = nullptr;
  why_closed_ = std::move(why);
  warm_.clear();
  openings_.clear();
  plan();
}

void ChannelStock::put(std::unique_ptr<Stream> proved) {
  warm_.push_back(std::make_unique<Warm>(*this, std::move(proved)));
  plan();
}

std::unique_ptr<Pending> ChannelStock::take(bool may_wait, ConnectDone done) {
  const std::uint64_t number = next_number_++;
  waiters_.push_back(
      {number, may_wait, scheduler_.now_ms() + kWaitingRequestMs, std::move(done), std::nullopt});
  plan();
  return std::make_unique<Ticket>(*this, number);
}

void ChannelStock::forget(std::uint64_t number) {
  waiters_.remove_if([number](const Waiter& waiter) { return waiter.number == number; });
}

// Everything happens in a turn of its own: no callback of a stream or a taker finds the lists in
// the middle of a change.
void ChannelStock::plan() {
  if (planned_) return;
  planned_ = true;
  scheduler_.post([this, alive = alive_] {
    if (*alive) serve();
  });
}

void ChannelStock::serve() {
  planned_ = false;
  const auto alive = alive_;
  drop_stale();
  while (serve_one()) {
    if (!*alive) return;
  }
  refill();
  set_alarm();
}

// The callback may change every list, so each round starts anew. True: one was served.
bool ChannelStock::serve_one() {
  for (auto waiter = waiters_.begin(); waiter != waiters_.end(); ++waiter) {
    const bool has_channel = is_open() && !warm_.empty();
    const auto refused = has_channel ? std::nullopt : refusal(*waiter);
    if (!has_channel && !refused) continue;
    const ConnectDone done = std::move(waiter->done);
    waiters_.erase(waiter);
    if (refused) {
      done(tl::unexpected(*refused));
    } else {
      auto stream = warm_.front()->release();
      warm_.pop_front();
      done(std::move(stream));
    }
    return true;
  }
  return false;
}

// Nothing: it goes on waiting, with a seat while the stock is closed.
std::optional<Error> ChannelStock::refusal(Waiter& waiter) {
  if (scheduler_.now_ms() >= waiter.deadline_ms) {
    if (!is_open()) return why_closed_;
    return Error{Errc::kUnavailable, "tunnel", "no channel within 10 s"};
  }
  if (is_open() || waiter.seat) return std::nullopt;
  if (!waiter.may_wait || room_->full()) return why_closed_;
  waiter.seat.emplace(room_);
  return std::nullopt;
}

void ChannelStock::refill() {
  if (!is_open()) return;
  const std::size_t wanted =
      std::min(waiters_.size() + kWarmChannels, warm_.size() + kChannelOpeningsMax);
  while (warm_.size() + openings_.size() < wanted) {
    const std::uint64_t number = next_number_++;
    openings_.push_back({number, nullptr});
    openings_.back().pending =
        open_([this, number](auto stream) { on_opened(number, std::move(stream)); });
  }
}

void ChannelStock::on_opened(std::uint64_t number, Result<std::unique_ptr<Stream>> stream) {
  openings_.remove_if([number](const Opening& opening) { return opening.number == number; });
  if (stream) return put(std::move(*stream));
  if (stream.error().code != Errc::kUnavailable) return failed_(stream.error());
  // Busy, but there: the oldest request is told so; the stock is filled when the next one comes.
  if (waiters_.empty()) return;
  const ConnectDone done = std::move(waiters_.front().done);
  waiters_.pop_front();
  done(tl::unexpected(stream.error()));
}

void ChannelStock::drop_stale() {
  const std::uint64_t now = scheduler_.now_ms();
  warm_.remove_if([now](const auto& warm) { return warm->dead() || now >= warm->stale_at_ms(); });
}

void ChannelStock::set_alarm() {
  std::optional<std::uint64_t> next;
  const auto consider = [&](std::uint64_t at) { next = std::min(next.value_or(at), at); };
  for (const auto& waiter : waiters_) consider(waiter.deadline_ms);
  for (const auto& warm : warm_) consider(warm->stale_at_ms());
  if (!next) return alarm_->stop();
  const std::uint64_t now = scheduler_.now_ms();
  alarm_->start(*next > now ? *next - now : 0);
}

}  // namespace hpc
