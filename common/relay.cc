#include "common/relay.h"

#include <utility>

namespace hpc {

Relay::Relay(std::unique_ptr<Stream> client, std::unique_ptr<Stream> target, BufferBudget* budget,
             Done done, Count count)
    : client_stream_(std::move(client)),
      target_stream_(std::move(target)),
      client_(*this, *client_stream_, *target_stream_),
      target_(*this, *target_stream_, *client_stream_),
      done_(std::move(done)),
      count_(std::move(count)) {
  if (budget != nullptr) share_.emplace(*budget, [this] { on_budget(); });
}

void Relay::start(Bytes early_from_client, Bytes early_from_target) {
  client_stream_->start(client_);
  target_stream_->start(target_);
  if (!early_from_client.empty()) client_.on_data(early_from_client);
  if (!early_from_target.empty()) target_.on_data(early_from_target);
}

void Relay::abort(const Error& why) {
  client_stream_->abort(why);
  target_stream_->abort(why);
}

void Relay::Side::on_data(Bytes bytes) noexcept {
  relay_.count(*this, bytes.size());
  peer_.write(bytes);
  if (peer_.queued_bytes() >= kQueueBytesMax) self_.pause_read(PauseReason::kPeerQueueFull);
  relay_.check_budget();
}

// Our queue is short again, so the other side may read again.
void Relay::Side::on_drain() noexcept {
  peer_.resume_read(PauseReason::kPeerQueueFull);
  relay_.check_budget();
}

void Relay::Side::on_end() noexcept { peer_.shutdown_write(); }

// A clean end must not cut off bytes the peer is still flushing; a failure must.
void Relay::Side::on_close(const Status& why) noexcept {
  if (!why) peer_.abort(why.error());
  relay_.side_closed(why);
}

void Relay::count(const Side& side, std::size_t bytes) {
  if (!count_) return;
  const bool from_client = &side == &client_;
  count_(from_client ? bytes : 0, from_client ? 0 : bytes);
}

void Relay::check_budget() {
  if (!share_) return;
  const std::size_t down = client_stream_->queued_bytes();
  const std::size_t up = target_stream_->queued_bytes();
  share_->hold(down + up);
  if (!share_->budget_full() || down + up == 0) return;
  if (down > 0) target_stream_->pause_read(PauseReason::kMemoryBound);
  if (up > 0) client_stream_->pause_read(PauseReason::kMemoryBound);
  share_->wait();
}

void Relay::on_budget() {
  target_stream_->resume_read(PauseReason::kMemoryBound);
  client_stream_->resume_read(PauseReason::kMemoryBound);
}

void Relay::side_closed(const Status& why) {
  if (!why && first_failure_) first_failure_ = why;
  if (--open_sides_ > 0) return check_budget();
  if (share_) share_->release();
  done_(first_failure_);
}

}  // namespace hpc
