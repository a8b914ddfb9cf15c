#include "common/upstream_pool.h"

#include <utility>

#include "common/discard_stream.h"
#include "common/timer.h"

namespace hpc {

namespace {
// How often idle connections are looked at: one timer for all of them, late by at most this much.
constexpr std::uint64_t kSweepMs = 500;
}  // namespace

/// A connection that waits for its next exchange. It has nothing to say: whatever it says ends it.
/// As an element of spare_ it has no connection and is nobody's listener.
class UpstreamPool::Idle final : public Stream::Listener {
 public:
  explicit Idle(UpstreamPool& pool) : pool_(pool) {}

  /// `self` is this element of `waiting`.
  void hold(std::unique_ptr<Stream> stream, IdleList& waiting, IdleList::iterator self) {
    stream_ = std::move(stream);
    waiting_ = &waiting;
    self_ = self;
    since_ms_ = pool_.loop_.now_ms();
    stream_->start(*this);
  }
  std::unique_ptr<Stream> release() { return std::move(stream_); }
  std::uint64_t since_ms() const { return since_ms_; }

  void on_data(Bytes) noexcept override { pool_.close_one(*waiting_, self_); }
  void on_end() noexcept override { pool_.close_one(*waiting_, self_); }
  void on_drain() noexcept override {}
  void on_close(const Status&) noexcept override { pool_.close_one(*waiting_, self_); }

 private:
  UpstreamPool& pool_;
  std::unique_ptr<Stream> stream_;
  IdleList* waiting_ = nullptr;  // the list that this element is in, and where it is there
  IdleList::iterator self_;
  std::uint64_t since_ms_ = 0;
};

UpstreamPool::UpstreamPool(Loop& loop, Connector& connector, UpstreamPoolOptions options)
    : loop_(loop),
      connector_(connector),
      options_(options),
      sweep_(std::make_unique<Timer>(loop, [this] { sweep(); })) {}

UpstreamPool::~UpstreamPool() = default;

std::unique_ptr<Pending> UpstreamPool::take(const std::string& key, bool fresh_only,
                                            UpstreamLease& lease, Taken taken) {
  const auto found = fresh_only ? idle_.end() : idle_.find(key);
  if (found != idle_.end() && !found->second.empty()) {
    auto& waiting = found->second;
    lease = {waiting.back().release(), true};
    spare_.splice(spare_.end(), waiting, std::prev(waiting.end()));
    --idle_count_;
    return nullptr;
  }
  return connector_.connect(key, [taken = std::move(taken)](auto stream) {
    if (!stream) return taken(tl::unexpected<Error>(stream.error()));
    taken(UpstreamLease{std::move(*stream), false});
  });
}

void UpstreamPool::give_back(const std::string& key, std::unique_ptr<Stream> stream) {
  if (closed_ || idle_count_ >= options_.idle_max) return close_stream(loop_, std::move(stream));
  auto& waiting = idle_[key];
  if (waiting.size() >= options_.idle_per_key_max) close_one(waiting, waiting.begin());
  if (spare_.empty()) spare_.emplace_back(*this);
  waiting.splice(waiting.end(), spare_, spare_.begin());
  const auto last = std::prev(waiting.end());
  last->hold(std::move(stream), waiting, last);
  ++idle_count_;
  if (!sweep_->active()) sweep_->start(kSweepMs);
}

void UpstreamPool::close_idle() {
  for (auto& [key, waiting] : idle_) {
    for (auto& idle : waiting) close_stream(loop_, idle.release());
  }
  idle_.clear();
  idle_count_ = 0;
  sweep_->stop();
}

void UpstreamPool::close() {
  closed_ = true;
  close_idle();
}

void UpstreamPool::close_one(IdleList& waiting, IdleList::iterator idle) {
  close_stream(loop_, idle->release());
  spare_.splice(spare_.end(), waiting, idle);
  --idle_count_;
}

// The oldest of each list are in front, so that only those are looked at that are closed.
void UpstreamPool::sweep() {
  const auto now = loop_.now_ms();
  for (auto& [key, waiting] : idle_) {
    while (!waiting.empty() && now - waiting.front().since_ms() >= options_.idle_ms) {
      close_one(waiting, waiting.begin());
    }
  }
  std::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
  if (idle_count_ > 0) return sweep_->start(kSweepMs);
  spare_.clear();
}

}  // namespace hpc
