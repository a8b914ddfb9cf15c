#pragma once
#include <memory>
#include <span>

#include "common/byte_queue.h"
#include "common/loop.h"
#include "common/stream.h"
#include "common/uv_handle.h"

namespace hpc {

/// A connected stream socket, TCP or Unix, as a Stream: what TcpStream and UnixStream share.
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
  uv_stream_t* handle() const;

 private:
  class Impl;
  // Two owners: this object, and what libuv or the loop has not given back yet.
  std::shared_ptr<Impl> impl_;
};

}  // namespace hpc
