#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/result.h"

namespace hpc {

using Bytes = std::span<const std::byte>;

inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Covers 20 ms at 100 Mbit/s; more would only add memory for every stalled browser tab.
constexpr std::size_t kQueueBytesMax = std::size_t{256} * 1024;
// Far enough below the high mark that a reader is not paused and resumed for every packet.
constexpr std::size_t kQueueBytesLow = std::size_t{64} * 1024;

/// Why a stream is not reading. Reads flow only while no reason is set, so a full queue and a
/// finished message cannot resume each other.
enum class PauseReason : std::uint8_t {
  kPeerQueueFull = 1,  // the far end takes bytes more slowly than this end delivers them
  kMessageDone = 2,    // the request is complete and enough of the next one has been read ahead
  kNoUpstream = 4,     // there is nowhere to send the bytes yet
  kMemoryBound = 8,    // --buffer-memory is used up over all exchanges
};

/// What a stream knows of its far end without reading.
enum class FarEnd : std::uint8_t {
  kOpen,   // nothing to the contrary, which on a network proves little
  kEnded,  // it sends no more; bytes that nobody has read yet may lie before its end
  kCut,    // the connection is dead
};

/// A two-way byte stream: TcpStream (libuv), SshChannel (libssh), FakeStream (tests).
///
/// Every call and callback runs on the loop thread. No method throws. Destroying a stream closes
/// it without any further callback; never destroy it from inside one of its own callbacks
/// (Loop::defer_delete). All implementations pass tests/unit/stream_contract_test.cc.
class Stream {
 public:
  class Listener {
   public:
    virtual void on_data(Bytes bytes) noexcept = 0;  // `bytes` dies when the call returns
    virtual void on_end() noexcept = 0;              // peer is done sending; we may still write
    virtual void on_drain() noexcept = 0;            // queued_bytes() fell to kQueueBytesLow after
                                                     // having been above it, or to 0
    virtual void on_close(const Status& why) noexcept = 0;  // last callback, exactly once

   protected:
    ~Listener() = default;
  };
  virtual ~Stream() = default;

  /// Begins reading (the first time) and sends callbacks to `listener` from now on. A later call
  /// hands the stream to another listener; pauses stay as they are. The listener must outlive the
  /// stream or be replaced. No callback is made from inside start().
  virtual void start(Listener& listener) = 0;

  /// Sends `parts` in order, as one gathered write where the stream can. Copies what cannot be
  /// sent at once; never blocks; ignored after shutdown_write() or abort().
  virtual void write_parts(std::span<const Bytes> parts) = 0;
  void write(Bytes bytes) { write_parts({&bytes, 1}); }

  /// Bytes written but not yet taken by the kernel (or the SSH window).
  virtual std::size_t queued_bytes() const = 0;

  /// While reading is paused neither end nor failure is called back; whoever pauses for long asks
  /// this from time to time.
  virtual FarEnd far_end() const { return FarEnd::kOpen; }

  virtual void pause_read(PauseReason why) = 0;
  virtual void resume_read(PauseReason why) = 0;

  /// Flushes, then half-closes. Once both ends are done the stream closes with success.
  virtual void shutdown_write() = 0;

  /// Drops the queue and cuts the connection (a reset where the stream has one). on_close(why)
  /// follows in a later turn, never from inside this call.
  virtual void abort(const Error& why) = 0;
};

}  // namespace hpc
