#include "common/discard_stream.h"

#include <utility>

namespace hpc {

namespace {

class Discarded final : public Stream::Listener {
 public:
  explicit Discarded(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {
    stream_->start(*this);
  }
  void cut() { stream_->abort({Errc::kNetwork, "stream", "not needed any more"}); }
  void on_data(Bytes) noexcept override {}
  void on_end() noexcept override {}
  void on_drain() noexcept override {}
  void on_close(const Status&) noexcept override {}

 private:
  std::unique_ptr<Stream> stream_;
};

}  // namespace

void discard_stream(Loop& loop, std::unique_ptr<Stream> stream) {
  if (!stream) return;
  auto discarded = std::make_unique<Discarded>(std::move(stream));
  discarded->cut();
  loop.defer_delete(std::move(discarded));
}

void close_stream(Loop& loop, std::unique_ptr<Stream> stream) {
  if (stream) loop.defer_delete(std::make_unique<Discarded>(std::move(stream)));
}

}  // namespace hpc
