#include "common/relay.h"

#include <utility>

namespace hpc {

Relay::Relay(std::unique_ptr<Stream> client, std::unique_ptr<Stream> target, BufferBudget* budget,
             Owner* owner)
    : client_stream_(std::move(client)),
      target_stream_(std::move(target)),
      owner_(owner),
      budget_(budget) {}

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
  const std::size_t size = bytes.size();
  if (relay_.owner_ != nullptr) {
    relay_.owner_->on_relay_bytes(is_client() ? size : 0, is_client() ? 0 : size);
  }
  Stream& other = peer();
  other.write(bytes);
  if (other.queued_bytes() >= kQueueBytesMax) self().pause_read(PauseReason::kPeerQueueFull);
  relay_.check_budget();
}

// Our queue is short again, so the other side may read again.
void Relay::Side::on_drain() noexcept {
  peer().resume_read(PauseReason::kPeerQueueFull);
  relay_.check_budget();
}

void Relay::Side::on_end() noexcept { peer().shutdown_write(); }

// A clean end must not cut off bytes the peer is still flushing; a failure must.
void Relay::Side::on_close(const Status& why) noexcept {
  if (!why) peer().abort(why.error());
  relay_.side_closed(why);
}

void Relay::check_budget() {
  if (budget_ == nullptr) return;
  const std::size_t down = client_stream_->queued_bytes();
  const std::size_t up = target_stream_->queued_bytes();
  if (!share_) {
    if (down + up == 0) return;
    share_ = std::make_unique<BudgetShare>(*budget_, [this] { on_budget(); });
  }
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
  if (!why && !first_failure_) first_failure_ = std::make_unique<Error>(why.error());
  if (--open_sides_ > 0) return check_budget();
  if (share_) share_->release();
  budget_ = nullptr;
  if (owner_ == nullptr) return;
  owner_->on_relay_done(first_failure_ ? Status(tl::unexpect, *first_failure_) : Status());
}

}  // namespace hpc
