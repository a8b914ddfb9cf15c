#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "common/http_head.h"
#include "common/http_rules.h"
#include "common/stream.h"

namespace hpc {

/// Turns the bytes of one connection into messages. Strict: one scan of our own reads each head
/// (head_scan, http_rules) and refuses what is ambiguous. Chunked messages llhttp reads a second
/// time, head and chunks, and decodes them; that it reads every head that is let in as we do is
/// held by the tests (parse_probe.h) and the fuzz targets.
///
/// feed() takes bytes as they come, cut anywhere; it stops at the end of each message until
/// next_message(), so that a pipelined request waits. A WebSocket handshake and the 101 that grants
/// it end with their heads (on_head, then on_message_end): what follows a granted one is not HTTP
/// and not for this parser; what follows a refused one is the next request.
/// Not reentrant: a callback must not call feed() or next_message(). It may remember what it wants
/// and return.
///
/// Memory: a head that comes in one piece is read where it lies; else it is gathered, at most
/// head_bytes_max. Buffers are reused from message to message, those beyond 16 KiB are given back.
class HttpParser {
 public:
  enum class Kind : std::uint8_t { kRequest, kResponse };

  class Listener {
   public:
    /// A complete head (request_head() or response_head()). For a response this is also called for
    /// each interim (1xx) head; an interim one has no message end.
    virtual void on_head() noexcept = 0;
    /// Decoded body bytes, in order; dies when the call returns. Never empty.
    virtual void on_body(Bytes bytes) noexcept = 0;
    /// The message is complete. feed() returns without looking at what follows.
    virtual void on_message_end() noexcept = 0;

   protected:
    ~Listener() = default;
  };

  HttpParser(Kind kind, const HttpLimits& limits, Listener& listener);
  ~HttpParser();
  HttpParser(const HttpParser&) = delete;
  HttpParser& operator=(const HttpParser&) = delete;

  /// Returns how many bytes were used: all of them, or fewer when the message ended. After a
  /// refusal the parser stays refused: every later feed() returns the same refusal.
  tl::expected<std::size_t, HttpRefusal> feed(Bytes bytes);

  /// The peer is done sending. Fine between messages and at the end of a close-delimited body
  /// (which calls on_message_end()); else a refusal: the message was cut short.
  tl::expected<void, HttpRefusal> finish();

  /// Makes ready for the next message on the same connection.
  void next_message();

  /// For the next response: it answers a HEAD, so it has no body whatever it says. Cleared by
  /// next_message().
  void expect_head_answer(bool yes);
  /// For the next response: the request asked for a WebSocket, so a 101 is allowed. An unasked 101
  /// is refused. Cleared by next_message().
  void expect_upgrade(bool yes);

  /// True while not one byte of the current message has been seen (empty lines before a request
  /// do not count).
  bool at_message_start() const;
  /// True from the end of a head to the end of its message.
  bool in_body() const;
  bool message_complete() const;

  /// Valid from on_head() until next_message().
  const RequestHead& request_head() const;
  const ResponseHead& response_head() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hpc
