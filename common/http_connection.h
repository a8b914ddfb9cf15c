#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/exchange.h"
#include "common/http_server.h"
#include "common/relay.h"
#include "common/timer.h"

namespace hpc {

/// One client's connection: parses its requests one after the other, asks the handler what to do,
/// answers or lets an exchange answer, and becomes a relay after an upgrade.
///
/// Owner: the HttpServer, which it asks to be removed when the connection has closed.
class HttpConnection final : private Stream::Listener,
                             private HttpParser::Listener,
                             private Exchange::Client {
 public:
  HttpConnection(HttpServer& server, std::unique_ptr<Stream> stream, ClientInfo info);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void start();
  /// Answers with `status` whatever comes, and closes: a limit was reached.
  void refuse(int status, std::string_view detail);
  /// No further request after the running one; closes at once when there is none.
  void drain();
  /// Cuts whatever runs.
  void cut(const Error& why);
  /// Is a request forwarded for `owner`, or was this connection upgraded for it?
  bool carries_traffic_of(std::string_view owner) const {
    return (exchange_ || relay_) && !owner.empty() && traffic_owner_ == owner;
  }
  void cut_traffic(const Error& why);

 private:
  /// What the one timer of a connection stands for.
  enum class Deadline : std::uint8_t {
    kNone,
    kFirstAnswer,
    kHead,
    kIdle,
    kBody,
    kReadAhead,
    kLinger,
    kContinue
  };

  void on_data(Bytes bytes) noexcept override;
  void on_end() noexcept override;
  void on_drain() noexcept override;
  void on_close(const Status& why) noexcept override;
  void on_head() noexcept override;
  void on_body(Bytes bytes) noexcept override;
  void on_message_end() noexcept override;
  Stream& client_stream() noexcept override { return *stream_; }
  void on_exchange_done(bool intact) noexcept override;
  void on_exchange_answer(LocalAnswer answer) noexcept override;
  void on_exchange_broken(const Error& why) noexcept override;
  void on_exchange_upgraded(std::unique_ptr<Stream> upstream, Bytes early) noexcept override;
  void count_body(std::size_t from_client, std::size_t to_client) noexcept override;

  bool waits_for_answer() const;
  void consume(Bytes bytes);
  void hold(Bytes bytes);
  void continue_reading();
  std::unique_ptr<Exchange> make_exchange(Decision decision);
  void note_authenticated();
  void answer(const LocalAnswer& answer);
  void after_answer();
  void retire_exchange();
  void close_gently();
  void set_deadline(Deadline what, std::uint64_t delay_ms);
  void set_deadline_after_read();
  void on_deadline();
  void on_body_deadline();
  bool client_is_gone() const;
  void leave_client();
  void on_linger();

  HttpServer& server_;
  std::unique_ptr<Stream> stream_;
  ClientInfo info_;
  HttpParser parser_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<Relay> relay_;
  std::string traffic_owner_;  // of exchange_ or relay_
  std::string held_;  // read ahead while an exchange runs; at most kReadAheadMax and one read
  Timer timer_;
  Deadline deadline_ = Deadline::kNone;
  std::uint64_t silent_since_ms_ = 0;  // inside a body, while we read: when the last part came
  bool still_sends_ = false;           // bytes came since the last look that nobody wants
  std::uint64_t linger_until_ms_ = 0;  // for a client that still sends
  std::size_t linger_bytes_ = 0;       // what was still queued at the last look
  std::uint64_t linger_since_ms_ = 0;  // when that number last became smaller
  bool keep_ = true;                   // another request may follow this one
  bool answered_ = false;              // the current request has its local answer
  bool closing_ = false;               // our last byte is written; what still comes is thrown away
  bool client_ended_ = false;
  bool counted_unauthenticated_ = true;
};

}  // namespace hpc
