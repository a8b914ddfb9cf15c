#pragma once
#include <cstddef>
#include <memory>

#include "common/http_handler.h"
#include "common/result.h"
#include "common/stream.h"

namespace hpc {

/// One request that is being answered: by an upstream (HttpExchange) or by this program itself
/// (LocalExchange).
///
/// Owner: the HttpConnection (its Client), one at a time. The request head must stay valid for the
/// exchange's lifetime.
class Exchange {
 public:
  /// What the exchange needs of the connection it serves. Each `on_exchange_*` is called at most
  /// once, as the last call; the exchange may be destroyed later (defer_delete), not from inside.
  class Client {
   public:
    virtual Stream& client_stream() noexcept = 0;
    /// The whole answer is written. `intact`: its end is visible to the client, so the connection
    /// may go on; false: the answer ends with the connection.
    virtual void on_exchange_done(bool intact) noexcept = 0;
    /// No byte of an answer was sent, this one is to be sent instead.
    virtual void on_exchange_answer(LocalAnswer answer) noexcept = 0;
    /// The upstream died inside the answer: cut the client, so that it cannot take it for whole.
    virtual void on_exchange_broken(const Error& why) noexcept = 0;
    /// 101 was passed on: from here both directions are bytes. `early` was read from the upstream
    /// behind the 101; it dies when the call returns.
    virtual void on_exchange_upgraded(std::unique_ptr<Stream> upstream, Bytes early) noexcept = 0;
    virtual void count_body(std::size_t from_client, std::size_t to_client) noexcept = 0;

   protected:
    ~Client() = default;
  };

  virtual ~Exchange() = default;
  /// Errors and ends come through the client's callbacks, always in a later turn.
  virtual void start() = 0;
  virtual void request_body(Bytes bytes) = 0;
  virtual void request_end() = 0;
  /// Sends what request_body() and start() gathered; called once after each read of the client.
  virtual void flush_request() = 0;
  /// The client's queue is short again.
  virtual void on_client_drain() = 0;
  /// Part of an answer is on its way to the client: another one cannot be sent any more.
  virtual bool answer_begun() const = 0;
  /// The program is about to end: an answer that has no end of its own should end now.
  virtual void drain() {}
  /// The client is gone. No callback follows.
  virtual void abandon() = 0;
  /// The client is not being read because we are slow.
  virtual bool client_is_paused() const = 0;
};

}  // namespace hpc
