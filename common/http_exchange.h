#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "common/buffer_budget.h"
#include "common/byte_queue.h"
#include "common/http_handler.h"
#include "common/http_parser.h"
#include "common/http_writer.h"
#include "common/loop.h"

namespace hpc {

/// One forwarded request and its answer, between the client's connection and one upstream
/// connection, in whatever framing each side uses. Bodies stream: at most kQueueBytesMax wait in
/// each direction (plus one read), then the side that delivers is paused.
///
/// Owner: the HttpConnection (its Client), one at a time. The request head must stay valid for the
/// exchange's lifetime. Destroying it before its end cuts the upstream connection at once.
class HttpExchange final : private Stream::Listener, private HttpParser::Listener {
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

  /// `may_keep_client`: the connection could carry another request after this one.
  HttpExchange(Loop& loop, Client& client, BufferBudget& budget, const RequestHead& request,
               Forward forward, bool may_keep_client);
  ~HttpExchange();
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  /// Takes an upstream connection and sends the head. Errors come through the client's callbacks,
  /// always in a later turn.
  void start();
  void request_body(Bytes bytes);
  void request_end();
  /// Sends what request_body() and start() gathered; called once after each read of the client.
  void flush_request();
  /// The client's queue is short again.
  void on_client_drain();
  /// Part of an answer is on its way to the client: another one cannot be sent any more.
  bool answer_begun() const { return head_sent_; }
  /// The client is gone: cuts the upstream connection. No callback follows.
  void abandon();
  /// The client is not being read because the upstream side is slow.
  bool client_is_paused() const;

 private:
  void on_data(Bytes bytes) noexcept override;
  void on_end() noexcept override;
  void on_drain() noexcept override;
  void on_close(const Status& why) noexcept override;
  void on_head() noexcept override;
  void on_body(Bytes bytes) noexcept override;
  void on_message_end() noexcept override;

  void take_upstream(bool fresh_only);
  void on_taken(Result<UpstreamLease> lease) noexcept;
  void attach(UpstreamLease lease);
  void write_request_head();
  void write_response_head(const ResponseHead& head, const Framing& framing, bool closes);
  Framing client_framing(const ResponseHead& head) const;
  void finish(bool upstream_clean);
  void upgrade(Bytes early);
  void upstream_failed(const Error& why);
  bool may_retry() const;
  void check_pressure();
  void on_budget();

  Loop& loop_;
  Client& client_;
  const RequestHead& request_;
  Forward forward_;
  const bool may_keep_client_;
  HttpParser parser_;
  std::unique_ptr<Pending> pending_;
  std::unique_ptr<Stream> upstream_;
  ByteQueue early_body_;  // read before there was an upstream; at most one read
  BudgetShare share_;
  OutBatch to_client_;
  std::unique_ptr<OutBatch> to_upstream_;
  Framing answer_framing_;  // towards the client
  bool reused_ = false;     // the upstream connection has carried an exchange before
  bool retried_ = false;
  bool request_done_ = false;    // the request's end was read from the client
  bool body_sent_ = false;       // some of the request's body went to the upstream
  bool answer_started_ = false;  // a byte of an answer was read
  bool head_sent_ = false;       // the final head was written to the client
  bool upgrading_ = false;       // the answer is a 101 that was asked for
  bool client_paused_ = false;   // with kNoUpstream
  bool answer_done_ = false;
  bool over_ = false;  // the last callback was made
};

}  // namespace hpc
