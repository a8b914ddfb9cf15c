#include "common/socket_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cassert>
#include <utility>

namespace hpc {

namespace {

// More parts than any caller gathers; the rest would be queued, not lost.
constexpr std::size_t kPartsMax = 8;

Error network_error(const char* where, int rc) {
  return Error{Errc::kNetwork, where, uv_strerror(rc)};
}

}  // namespace

class SocketStream::Impl : public std::enable_shared_from_this<SocketStream::Impl> {
 public:
  Impl(Loop& loop, UvStreamPtr handle) : loop_(loop), handle_(std::move(handle)) {
    handle_->data = this;
  }

  void start(Listener& listener) {
    listener_ = &listener;
    started_ = true;
    update_reading();
  }

  void write_parts(std::span<const Bytes> parts) {
    if (write_ended_ || closing_) return;
    std::size_t sent = 0;
    if (queue_.empty()) {
      const auto tried = try_write(parts);
      if (!tried) return fail_with(tried.error());
      sent = *tried;
    }
    for (const Bytes part : parts) {
      const std::size_t skip = std::min(sent, part.size());
      sent -= skip;
      queue_.append(part.subspan(skip));
    }
    flush();
  }

  void set_paused(std::uint8_t paused) {
    paused_ = paused;
    update_reading();
  }
  std::uint8_t paused() const { return paused_; }
  std::size_t queued_bytes() const { return queue_.size(); }
  uv_stream_t* handle() const { return handle_.get(); }

  // libuv does not watch a socket that it neither reads nor writes; the kernel is asked instead.
  FarEnd far_end() const {
    pollfd asked{-1, POLLRDHUP, 0};
    if (closing_ || uv_fileno(reinterpret_cast<uv_handle_t*>(handle_.get()), &asked.fd) != 0) {
      return FarEnd::kCut;
    }
    if (poll(&asked, 1, 0) <= 0) return FarEnd::kOpen;
    // POLLHUP alone may also be both ends' orderly half-closes.
    const bool dead =
        (asked.revents & POLLERR) != 0 || ((asked.revents & POLLHUP) != 0 && !half_closed_);
    return dead ? FarEnd::kCut : FarEnd::kEnded;
  }

  void shutdown_write() {
    if (write_ended_ || closing_) return;
    write_ended_ = true;
    if (queue_.empty()) half_close();
  }

  void abort(const Error& why) {
    if (closing_) return;
    // Linger 0 makes the close of a TCP connection a reset: the peer must not take a cut message
    // for a whole one. A Unix socket knows no such difference.
    const linger cut{1, 0};
    uv_os_fd_t fd = -1;
    if (uv_fileno(reinterpret_cast<uv_handle_t*>(handle_.get()), &fd) == 0) {
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &cut, sizeof cut);
    }
    close(tl::unexpected<Error>(why));
  }

  /// The SocketStream is gone: no callback from now on.
  void detach() {
    listener_ = nullptr;
    closing_ = true;
    handle_.reset();
  }

 private:
  void update_reading() {
    if (closing_) return;
    const bool want = started_ && paused_ == 0 && !read_ended_;
    if (want == reading_) return;
    reading_ = want;
    if (!want) {
      uv_read_stop(handle_.get());
      return;
    }
    uv_read_start(
        handle_.get(),
        [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
          const auto space = static_cast<Impl*>(handle->data)->loop_.read_buffer();
          *buffer = uv_buf_init(space.data(), static_cast<unsigned>(space.size()));
        },
        [](uv_stream_t* handle, ssize_t count, const uv_buf_t* buffer) {
          static_cast<Impl*>(handle->data)->on_read(count, buffer->base);
        });
  }

  void on_read(ssize_t count, const char* base) noexcept {
    if (count == 0 || closing_) return;
    if (count > 0) {
      listener_->on_data(as_bytes(std::string_view(base, static_cast<std::size_t>(count))));
      return;
    }
    if (count != UV_EOF) return fail_with(network_error("socket.read", static_cast<int>(count)));
    read_ended_ = true;
    update_reading();
    listener_->on_end();
    close_if_both_ended();
  }

  Result<std::size_t> try_write(std::span<const Bytes> parts) {
    std::array<uv_buf_t, kPartsMax> buffers{};
    std::size_t used = 0;
    for (const Bytes part : parts) {
      if (part.empty()) continue;
      if (used == buffers.size()) break;
      auto* base = const_cast<char*>(as_text(part).data());  // libuv does not write to it
      buffers[used++] = uv_buf_init(base, static_cast<unsigned>(part.size()));
    }
    if (used == 0) return 0;
    const int rc = uv_try_write(handle_.get(), buffers.data(), static_cast<unsigned>(used));
    if (rc >= 0) return static_cast<std::size_t>(rc);
    if (rc == UV_EAGAIN) return 0;
    return tl::unexpected<Error>(network_error("socket.write", rc));
  }

  void flush() {
    if (in_flight_ > 0 || queue_.empty() || closing_) return;
    const auto front = queue_.front();
    in_flight_ = front.size();
    held_by_write_ = shared_from_this();
    write_.data = this;
    const uv_buf_t buffer =
        uv_buf_init(const_cast<char*>(as_text(front).data()), static_cast<unsigned>(front.size()));
    const int rc =
        uv_write(&write_, handle_.get(), &buffer, 1, [](uv_write_t* request, int status) {
          static_cast<Impl*>(request->data)->on_written(status);
        });
    if (rc == 0) return;
    in_flight_ = 0;
    held_by_write_.reset();
    fail_with(network_error("socket.write", rc));
  }

  void on_written(int status) noexcept {
    const auto self = std::move(held_by_write_);
    const auto written = std::exchange(in_flight_, 0);
    if (closing_) return;
    if (status < 0) return fail_with(network_error("socket.write", status));
    const bool was_high = queue_.size() > kQueueBytesLow;
    queue_.consume(written);
    flush();
    const bool drained = (was_high && queue_.size() <= kQueueBytesLow) || queue_.empty();
    if (drained && listener_ != nullptr) listener_->on_drain();
    if (queue_.empty() && write_ended_ && !closing_) half_close();
  }

  void half_close() {
    uv_os_fd_t fd = -1;
    if (uv_fileno(reinterpret_cast<uv_handle_t*>(handle_.get()), &fd) == 0) {
      ::shutdown(fd, SHUT_WR);
    }
    half_closed_ = true;
    close_if_both_ended();
  }

  void close_if_both_ended() {
    if (read_ended_ && half_closed_ && !closing_) close(Status());
  }

  void fail_with(const Error& why) { close(tl::unexpected<Error>(why)); }

  void close(Status why) {
    if (closing_) return;
    closing_ = true;
    handle_.reset();
    loop_.post([self = shared_from_this(), why = std::move(why)] {
      self->queue_.clear();
      if (auto* listener = std::exchange(self->listener_, nullptr)) listener->on_close(why);
    });
  }

  Loop& loop_;
  UvStreamPtr handle_;
  Listener* listener_ = nullptr;
  ByteQueue queue_;
  uv_write_t write_{};
  std::size_t in_flight_ = 0;            // bytes of the queue's front that libuv is writing
  std::shared_ptr<Impl> held_by_write_;  // keeps the queue's blocks alive while libuv uses them
  std::uint8_t paused_ = 0;
  bool started_ = false;
  bool reading_ = false;
  bool read_ended_ = false;
  bool write_ended_ = false;  // shutdown_write() was called
  bool half_closed_ = false;  // and everything was sent
  bool closing_ = false;
};

SocketStream::SocketStream(Loop& loop, UvStreamPtr connected)
    : impl_(std::make_shared<Impl>(loop, std::move(connected))) {}
SocketStream::~SocketStream() { impl_->detach(); }
void SocketStream::start(Listener& listener) { impl_->start(listener); }
void SocketStream::write_parts(std::span<const Bytes> parts) { impl_->write_parts(parts); }
std::size_t SocketStream::queued_bytes() const { return impl_->queued_bytes(); }
FarEnd SocketStream::far_end() const { return impl_->far_end(); }
void SocketStream::pause_read(PauseReason why) {
  impl_->set_paused(static_cast<std::uint8_t>(impl_->paused() | static_cast<unsigned>(why)));
}
void SocketStream::resume_read(PauseReason why) {
  impl_->set_paused(static_cast<std::uint8_t>(impl_->paused() & ~static_cast<unsigned>(why)));
}
void SocketStream::shutdown_write() { impl_->shutdown_write(); }
void SocketStream::abort(const Error& why) { impl_->abort(why); }
uv_stream_t* SocketStream::handle() const { return impl_->handle(); }

}  // namespace hpc
