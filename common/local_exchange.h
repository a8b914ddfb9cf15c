#pragma once
#include <memory>

#include "common/exchange.h"
#include "common/http_writer.h"
#include "common/loop.h"

namespace hpc {

/// A request that this program serves itself, by a Responder: an API call with a body, a stream of
/// events.
class LocalExchange final : public Exchange, private ResponseSink {
 public:
  /// `may_keep_client`: the connection could carry another request after this one.
  LocalExchange(Loop& loop, Client& client, const RequestHead& request,
                std::unique_ptr<Responder> responder, bool may_keep_client);
  ~LocalExchange() override;
  LocalExchange(const LocalExchange&) = delete;
  LocalExchange& operator=(const LocalExchange&) = delete;

  void start() override { responder_->start(*this); }
  void request_body(Bytes bytes) override;
  void request_end() override;
  void flush_request() override {}
  void on_client_drain() override {}
  bool answer_begun() const override { return begun_; }
  void drain() override {
    if (!over_) responder_->on_drain();
  }
  void abandon() override;
  bool client_is_paused() const override { return false; }

 private:
  void answer(LocalAnswer answer) override;
  void begin(int status, const std::vector<std::pair<std::string, std::string>>& fields) override;
  void write(std::string_view text) override;
  void end() override;
  void cut(const Error& why) override;
  std::size_t queued_bytes() const override;
  void finish(std::function<void(Client&)> last_call);

  Loop& loop_;
  Client& client_;
  const RequestHead& request_;
  std::unique_ptr<Responder> responder_;
  const bool may_keep_client_;
  const bool head_only_;
  OutBatch out_;
  BodyKind kind_ = BodyKind::kChunked;
  bool begun_ = false;
  bool over_ = false;  // nothing more is taken from the responder
  // Posted calls find out through this whether we still live.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hpc
