#include "common/socket_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/byte_queue.h"

namespace hpc {

namespace {

// More parts than any caller gathers; the rest would be queued, not lost.
constexpr std::size_t kPartsMax = 8;

Error network_error(const char* where, int rc) {
  return Error{Errc::kNetwork, where, uv_strerror(rc)};
}

}  // namespace

/// Bytes that wait, and libuv's request for the first of them. libuv uses both until the write
/// calls back, which it also does for a handle that was closed; so they may outlive the stream.
struct SocketStream::Outgoing {
  explicit Outgoing(SocketStream& owner) : stream(&owner) { write.data = this; }
  SocketStream* stream;  // null: it is gone
  ByteQueue queue;
  uv_write_t write{};
  std::size_t in_flight = 0;  // bytes of the queue's front that libuv is writing
};

struct SocketStream::Ending {
  uv_handle_t* handle;  // it says when it is closed; on_closed() frees it
  Status why;
};

SocketStream::SocketStream(Loop& loop, UvStreamPtr connected)
    : loop_(loop), handle_(std::move(connected)) {
  handle_->data = this;
}

SocketStream::~SocketStream() {
  if (ending_) ending_->handle->data = nullptr;
  if (!out_ || out_->in_flight == 0) return;
  out_->stream = nullptr;
  static_cast<void>(out_.release());  // the write's callback frees it
}

void SocketStream::start(Listener& listener) {
  listener_ = &listener;
  started_ = true;
  update_reading();
}

void SocketStream::write_parts(std::span<const Bytes> parts) {
  if (write_ended_ || closing_) return;
  std::size_t sent = 0;
  if (!out_) {
    const auto tried = try_write(parts);
    if (!tried) return close(tl::unexpected<Error>(tried.error()));
    sent = *tried;
  }
  for (const Bytes part : parts) {
    const std::size_t skip = std::min(sent, part.size());
    sent -= skip;
    if (skip == part.size()) continue;
    if (!out_) out_ = std::make_unique<Outgoing>(*this);
    out_->queue.append(part.subspan(skip));
  }
  flush();
}

std::size_t SocketStream::queued_bytes() const { return out_ ? out_->queue.size() : 0; }

// libuv does not watch a socket that it neither reads nor writes; the kernel is asked instead.
FarEnd SocketStream::far_end() const {
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

void SocketStream::pause_read(PauseReason why) { set_paused(paused_ | static_cast<unsigned>(why)); }

void SocketStream::resume_read(PauseReason why) {
  set_paused(paused_ & ~static_cast<unsigned>(why));
}

void SocketStream::set_paused(unsigned paused) {
  paused_ = static_cast<std::uint8_t>(paused);
  update_reading();
}

void SocketStream::shutdown_write() {
  if (write_ended_ || closing_) return;
  write_ended_ = true;
  if (!out_) half_close();
}

void SocketStream::abort(const Error& why) {
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

void SocketStream::update_reading() {
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
        const auto space = static_cast<SocketStream*>(handle->data)->loop_.read_buffer();
        *buffer = uv_buf_init(space.data(), static_cast<unsigned>(space.size()));
      },
      [](uv_stream_t* handle, ssize_t count, const uv_buf_t* buffer) {
        static_cast<SocketStream*>(handle->data)->on_read(count, buffer->base);
      });
}

void SocketStream::on_read(ssize_t count, const char* base) noexcept {
  if (count == 0 || closing_) return;
  if (count > 0) {
    listener_->on_data(as_bytes(std::string_view(base, static_cast<std::size_t>(count))));
    return;
  }
  if (count != UV_EOF) {
    return close(tl::unexpected<Error>(network_error("socket.read", static_cast<int>(count))));
  }
  read_ended_ = true;
  update_reading();
  listener_->on_end();
  close_if_both_ended();
}

Result<std::size_t> SocketStream::try_write(std::span<const Bytes> parts) {
  std::array<uv_buf_t, kPartsMax> buffers;
  unsigned used = 0;
  for (const Bytes part : parts) {
    if (part.empty()) continue;
    if (used == buffers.size()) break;
    auto* base = const_cast<char*>(as_text(part).data());  // libuv does not write to it
    buffers[used++] = uv_buf_init(base, static_cast<unsigned>(part.size()));
  }
  if (used == 0) return 0;
  const int rc = uv_try_write(handle_.get(), buffers.data(), used);
  if (rc >= 0) return static_cast<std::size_t>(rc);
  if (rc == UV_EAGAIN) return 0;
  return tl::unexpected<Error>(network_error("socket.write", rc));
}

void SocketStream::flush() {
  if (!out_ || out_->in_flight > 0 || closing_) return;
  const auto front = out_->queue.front();
  out_->in_flight = front.size();
  const uv_buf_t buffer =
      uv_buf_init(const_cast<char*>(as_text(front).data()), static_cast<unsigned>(front.size()));
  const int rc =
      uv_write(&out_->write, handle_.get(), &buffer, 1, [](uv_write_t* request, int status) {
        auto* out = static_cast<Outgoing*>(request->data);
        if (out->stream != nullptr) return out->stream->on_written(status);
        delete out;
      });
  if (rc == 0) return;
  out_->in_flight = 0;
  close(tl::unexpected<Error>(network_error("socket.write", rc)));
}

void SocketStream::on_written(int status) noexcept {
  const auto written = std::exchange(out_->in_flight, 0);
  if (closing_) return;
  if (status < 0) return close(tl::unexpected<Error>(network_error("socket.write", status)));
  const bool was_high = out_->queue.size() > kQueueBytesLow;
  out_->queue.consume(written);
  const bool empty = out_->queue.empty();
  const bool drained = (was_high && out_->queue.size() <= kQueueBytesLow) || empty;
  if (empty) {
    out_.reset();
  } else {
    flush();
  }
  if (drained && listener_ != nullptr) listener_->on_drain();
  if (!out_ && write_ended_ && !closing_) half_close();
}

void SocketStream::half_close() {
  if (half_closed_) return;
  uv_os_fd_t fd = -1;
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(handle_.get()), &fd) == 0) {
    ::shutdown(fd, SHUT_WR);
  }
  half_closed_ = true;
  close_if_both_ended();
}

void SocketStream::close_if_both_ended() {
  if (read_ended_ && half_closed_ && !closing_) close(Status());
}

// The handle's own callback is the later turn in which the listener hears of it.
void SocketStream::close(Status why) {
  if (closing_) return;
  closing_ = true;
  auto* handle = reinterpret_cast<uv_handle_t*>(handle_.release());
  ending_ = std::make_unique<Ending>(Ending{handle, std::move(why)});
  uv_close(handle, [](uv_handle_t* closed) { on_closed(closed); });
}

void SocketStream::on_closed(uv_handle_t* handle) noexcept {
  auto* self = static_cast<SocketStream*>(handle->data);
  UvStreamClose::free_closed(handle);
  if (self == nullptr) return;  // destroyed meanwhile
  const auto ending = std::move(self->ending_);
  self->out_.reset();
  if (auto* listener = std::exchange(self->listener_, nullptr)) listener->on_close(ending->why);
}

}  // namespace hpc
