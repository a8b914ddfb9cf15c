#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/buffer_budget.h"
#include "common/byte_queue.h"
#include "common/exchange.h"
#include "common/http_handler.h"
#include "common/http_parser.h"
#include "common/http_writer.h"
#include "common/loop.h"
#include "common/parser_kit.h"

namespace hpc {

/// One forwarded request and its answer, between the client's connection and one upstream
/// connection, in whatever framing each side uses. Bodies stream: at most kQueueBytesMax wait in
/// each direction (plus one read), then the side that delivers is paused.
///
/// Destroying it before its end cuts the upstream connection at once.
class HttpExchange final : public Exchange, private Stream::Listener, private HttpParser::Listener {
 public:
  /// `may_keep_client`: the connection could carry another request after this one. `kits` lends the
  /// parser of the answer; like `budget`, it must live until abandon() or the last callback.
  HttpExchange(Loop& loop, Client& client, BufferBudget& budget, ParserPool& kits,
               const RequestHead& request, Forward forward, bool may_keep_client);
  ~HttpExchange() override;
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  /// Takes an upstream connection and sends the head.
  void start() override;
  void request_body(Bytes bytes) override;
  void request_end() override;
  void flush_request() override;
  void on_client_drain() override;
  bool answer_begun() const override { return head_sent_; }
  void abandon() override;
  bool client_is_paused() const override;

 private:
  void on_data(Bytes bytes) noexcept override;
  void on_end() noexcept override;
  void on_drain() noexcept override;
  void on_close(const Status& why) noexcept override;
  void on_head() noexcept override;
  void on_body(Bytes bytes) noexcept override;
  void on_message_end() noexcept override;

  HttpParser& parser() { return kit_->parser; }
  void give_back_kit();
  void take_upstream(bool fresh_only);
  void on_taken(Result<UpstreamLease> lease) noexcept;
  void attach(UpstreamLease lease);
  void write_request_head();
  void write_response_head(const ResponseHead& head, const Framing& framing, bool closes);
  Framing client_framing(const ResponseHead& head) const;
  void send_body(std::string_view bytes);
  void finish(bool upstream_clean);
  void upgrade(Bytes early);
  void upstream_failed(const Error& why);
  bool may_retry() const;
  void check_pressure();
  void pause_client(PauseReason why);
  void resume_client(PauseReason why);
  void on_budget();

  Loop& loop_;
  Client& client_;
  const RequestHead& request_;
  Forward forward_;
  const bool may_keep_client_;
  ParserPool& kits_;
  std::unique_ptr<ParserKit> kit_;  // until the exchange is over
  std::unique_ptr<Pending> pending_;
  std::unique_ptr<Stream> upstream_;
  ByteQueue early_body_;  // read before there was an upstream; at most one read
  BudgetShare share_;
  OutBatch to_client_;
  std::optional<OutBatch> to_upstream_;
  Framing answer_framing_;              // towards the client
  std::unique_ptr<BodyFilter> filter_;  // of the answer; mostly none
  bool reused_ = false;                 // the upstream connection has carried an exchange before
  bool retried_ = false;
  bool request_done_ = false;    // the request's end was read from the client
  bool body_sent_ = false;       // some of the request's body went to the upstream
  bool answer_started_ = false;  // a byte of an answer was read
  bool head_sent_ = false;       // the final head was written to the client
  bool upgrading_ = false;       // the answer is a 101 that was asked for
  unsigned client_pauses_ = 0;   // the reasons for which we do not read the client
  bool answer_done_ = false;
  bool over_ = false;  // the last callback was made
};

}  // namespace hpc
