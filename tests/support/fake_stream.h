#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "common/stream.h"

namespace hpc {

/// In-memory Stream the test drives by hand; turn() plays one loop turn.
class FakeStream final : public Stream {
 public:
  void start(Listener& next) override { listener = &next; }
  void write_parts(std::span<const Bytes> parts) override {
    if (half_closed || failure_) return;
    for (const Bytes part : parts) {
      written.append(as_text(part));
      queued += part.size();
    }
    ++writes;
  }
  std::size_t queued_bytes() const override { return queued; }
  FarEnd far_end() const override { return far; }
  void pause_read(PauseReason why) override { paused |= static_cast<unsigned>(why); }
  void resume_read(PauseReason why) override { paused &= ~static_cast<unsigned>(why); }
  void shutdown_write() override { half_closed = true; }
  void abort(const Error& why) override {
    if (!failure_) failure_ = why;
  }

  void deliver(std::string_view text) { listener->on_data(as_bytes(text)); }
  void deliver_end() {
    peer_ended_ = true;
    listener->on_end();
  }
  void drain() {
    queued = 0;
    listener->on_drain();
  }
  void turn() {
    const bool finished = peer_ended_ && half_closed && queued == 0;
    if (closed || !(failure_ || finished)) return;
    closed = true;
    listener->on_close(failure_ ? Status(tl::unexpect, *failure_) : Status());
  }
  const std::optional<Error>& failure() const { return failure_; }

  Listener* listener = nullptr;
  std::string written;
  int writes = 0;
  std::size_t queued = 0;
  unsigned paused = 0;
  FarEnd far = FarEnd::kOpen;
  bool half_closed = false;
  bool closed = false;

 private:
  std::optional<Error> failure_;
  bool peer_ended_ = false;
};

}  // namespace hpc
