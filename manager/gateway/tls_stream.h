#pragma once
#include <cstdint>
#include <memory>

#include "common/loop.h"
#include "common/stream.h"
#include "manager/gateway/openssl_handles.h"

namespace hpc {

/// TLS over any other stream, as a Stream: the bytes of both sides pass through OpenSSL on the
/// loop's thread, and no descriptor is given to it.
///
/// Bounded like the stream below: a paused reader pauses that one too, and what was read by then
/// waits undecrypted (at most one read, 64 KiB, and one record). queued_bytes() is what the stream
/// below has queued, so it counts the bytes of TLS itself.
///
/// Ends: the peer's close_notify is on_end(); shutdown_write() sends ours, and the end of the
/// connection below. An end of the connection without close_notify may be an attacker's (RFC 8446
/// 6.1): on_close(kNetwork). A peer that breaks the protocol gets an alert, one that speaks plain
/// HTTP a 400 in plain text that names https: on_close(kBadRequest). A handshake that takes longer
/// than `handshake_ms`: on_close(kTimeout).
class TlsStream final : public Stream {
 public:
  /// `session` says which side we are (TlsContext::new_session(): the server). The handshake begins
  /// with start(); what is written before it has ended waits.
  TlsStream(Loop& loop, std::unique_ptr<Stream> below, SslPtr session, std::uint64_t handshake_ms);
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;
  void start(Listener& listener) override;
  void write_parts(std::span<const Bytes> parts) override;
  std::size_t queued_bytes() const override;
  FarEnd far_end() const override;
  void pause_read(PauseReason why) override;
  void resume_read(PauseReason why) override;
  void shutdown_write() override;
  void abort(const Error& why) override;

 private:
  class Impl;
  // Two owners: this object, and what the loop has not run yet.
  std::shared_ptr<Impl> impl_;
};

}  // namespace hpc
