#pragma once
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>

#include "common/loop.h"
#include "common/stream.h"
#include "common/uv_handle.h"

namespace hpc {

/// A connected stream socket, TCP or Unix, as a Stream: what TcpStream and UnixStream share.
///
/// While nothing is queued it has no memory but its own few words and libuv's handle.
class SocketStream : public Stream {
 public:
  ~SocketStream() override;
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;
  void start(Listener& listener) final;
  void write_parts(std::span<const Bytes> parts) final;
  std::size_t queued_bytes() const final;
  FarEnd far_end() const final;
  void pause_read(PauseReason why) final;
  void resume_read(PauseReason why) final;
  void shutdown_write() final;
  void abort(const Error& why) final;

 protected:
  SocketStream(Loop& loop, UvStreamPtr connected);
  /// Null once the socket is closed.
  uv_stream_t* handle() const { return handle_.get(); }

 private:
  struct Outgoing;
  struct Ending;

  void set_paused(unsigned paused);
  void update_reading();
  void on_read(ssize_t count, const char* base) noexcept;
  Result<std::size_t> try_write(std::span<const Bytes> parts);
  void flush();
  void on_written(int status) noexcept;
  void half_close();
  void close_if_both_ended();
  void close(Status why);
  static void on_closed(uv_handle_t* handle) noexcept;

  Loop& loop_;
  UvStreamPtr handle_;
  Listener* listener_ = nullptr;
  std::unique_ptr<Outgoing> out_;   // what the kernel has not taken yet; mostly nothing
  std::unique_ptr<Ending> ending_;  // from close() to on_close()
  std::uint8_t paused_ = 0;
  bool started_ = false;
  bool reading_ = false;
  bool read_ended_ = false;
  bool write_ended_ = false;  // shutdown_write() was called
  bool half_closed_ = false;  // and everything was sent
  bool closing_ = false;
};

}  // namespace hpc
