#include "common/upstream_pool.h"

#include <utility>

#include "common/timer.h"

namespace hpc {

namespace {
// How often idle connections are looked at: one timer for all of them, late by at most this much.
constexpr std::uint64_t kSweepMs = 500;
}  // namespace

/// A connection that waits for its next exchange. It has nothing to say: whatever it says ends it.
class UpstreamPool::Idle final : public Stream::Listener {
 public:
  Idle(UpstreamPool& pool, std::string key, std::unique_ptr<Stream> stream, std::uint64_t since_ms)
      : pool_(pool), key_(std::move(key)), stream_(std::move(stream)), since_ms_(since_ms) {
    stream_->start(*this);
  }
  void on_data(Bytes) noexcept override { pool_.drop(key_, this); }
  void on_end() noexcept override { pool_.drop(key_, this); }
  void on_drain() noexcept override {}
  void on_close(const Status&) noexcept override { pool_.drop(key_, this); }

  std::unique_ptr<Stream> release() { return std::move(stream_); }
  std::uint64_t since_ms() const { return since_ms_; }

 private:
  UpstreamPool& pool_;
  std::string key_;
  std::unique_ptr<Stream> stream_;
  std::uint64_t since_ms_;
};

UpstreamPool::UpstreamPool(Loop& loop, Connector& connector, UpstreamPoolOptions options)
    : loop_(loop),
      connector_(connector),
      options_(options),
      sweep_(std::make_unique<Timer>(loop, [this] { sweep(); })) {}

UpstreamPool::~UpstreamPool() = default;

std::unique_ptr<Pending> UpstreamPool::take(const std::string& key, bool fresh_only,
                                            UpstreamLease& lease, Taken taken) {
  if (const auto found = idle_.find(key); !fresh_only && found != idle_.end()) {
    auto idle = std::move(found->second.back());
    found->second.pop_back();
    if (found->second.empty()) idle_.erase(found);
    --idle_count_;
    lease = {idle->release(), true};
    return nullptr;
  }
  return connector_.connect(key, [taken = std::move(taken)](auto stream) {
    if (!stream) return taken(tl::unexpected<Error>(stream.error()));
    taken(UpstreamLease{std::move(*stream), false});
  });
}

void UpstreamPool::give_back(const std::string& key, std::unique_ptr<Stream> stream) {
  if (closed_ || idle_count_ >= options_.idle_max) return loop_.defer_delete(std::move(stream));
  auto& waiting = idle_[key];
  if (waiting.size() >= options_.idle_per_key_max) {
    loop_.defer_delete(std::move(waiting.front()));
    waiting.erase(waiting.begin());
    --idle_count_;
  }
  waiting.push_back(std::make_unique<Idle>(*this, key, std::move(stream), loop_.now_ms()));
  ++idle_count_;
  if (!sweep_->active()) sweep_->start(kSweepMs);
}

void UpstreamPool::close_idle() {
  for (auto& [key, waiting] : idle_) {
    for (auto& idle : waiting) loop_.defer_delete(std::move(idle));
  }
  idle_.clear();
  idle_count_ = 0;
  sweep_->stop();
}

void UpstreamPool::close() {
  closed_ = true;
  close_idle();
}

void UpstreamPool::drop(const std::string& key, Idle* idle) {
  const auto found = idle_.find(key);
  if (found == idle_.end()) return;
  std::erase_if(found->second, [&](std::unique_ptr<Idle>& held) {
    if (held.get() != idle) return false;
    loop_.defer_delete(std::move(held));
    --idle_count_;
    return true;
  });
  if (found->second.empty()) idle_.erase(found);
}

void UpstreamPool::sweep() {
  const auto now = loop_.now_ms();
  for (auto& [key, waiting] : idle_) {
    std::erase_if(waiting, [&](std::unique_ptr<Idle>& held) {
      if (now - held->since_ms() < options_.idle_ms) return false;
      loop_.defer_delete(std::move(held));
      --idle_count_;
      return true;
    });
  }
  std::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
  if (idle_count_ > 0) sweep_->start(kSweepMs);
}

}  // namespace hpc
