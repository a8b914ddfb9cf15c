#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/exchange.h"
#include "common/http_server.h"
#include "common/parser_kit.h"
#include "common/relay.h"
#include "common/timer_wheel.h"

namespace hpc {

/// One client's connection: parses its requests one after the other, asks the handler what to do,
/// answers or lets an exchange answer, and becomes a relay after an upgrade.
///
/// Owner: the HttpServer, which it asks to be removed when the connection has closed.
///
/// Most connections wait most of the time, for the next request or as a WebSocket: what a request
/// takes is borrowed of the server while there is one, and given back behind its answer.
class HttpConnection final : private Stream::Listener,
                             private HttpParser::Listener,
                             private Exchange::Client,
                             private Relay::Owner,
                             private TimerWheel::Entry {
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
    return (exchange_ || relay_) && traffic_owner_ && *traffic_owner_ == owner;
  }
  void cut_traffic(const Error& why);
  /// Its part in the server's counters ends, and what it borrowed is given back; it may outlive the
  /// server from now on.
  void leave_server();

 private:
  friend class HttpServer;  // its list
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
  void on_relay_done(const Status& why) noexcept override;
  void on_relay_bytes(std::size_t from_client, std::size_t from_target) noexcept override;
  void on_due() noexcept override { on_deadline(); }

  /// What has been read ahead while an exchange runs; at most kReadAheadMax and one read.
  std::string& held() { return kit_->texts[0]; }
  bool holds_nothing() const { return !kit_ || kit_->texts[0].empty(); }
  bool at_message_start() const { return !kit_ || kit_->parser.at_message_start(); }
  bool message_complete() const { return kit_ && kit_->parser.message_complete(); }
  const RequestHead& request_head() const { return kit_->parser.request_head(); }
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

  /// For a connection that is being closed.
  struct Linger {
    std::uint64_t until_ms;    // for a client that still sends
    std::size_t bytes;         // what was still queued at the last look
    std::uint64_t since_ms;    // when that number last became smaller
    bool still_sends = false;  // bytes came since the last look that nobody wants
  };

  HttpServer& server_;
  HttpConnection* next_ = nullptr;  // in the server's list
  HttpConnection* previous_ = nullptr;
  std::unique_ptr<Stream> stream_;
  ClientInfo info_;
  std::unique_ptr<ParserKit> kit_;  // from the first byte of a request to the end of its answer
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<std::string> traffic_owner_;  // of exchange_ or relay_; never empty
  std::unique_ptr<Linger> linger_;
  std::uint64_t silent_since_ms_ = 0;  // inside a body, while we read: when the last part came
  Deadline deadline_ = Deadline::kNone;
  bool keep_ = true;       // another request may follow this one
  bool answered_ = false;  // the current request has its local answer
  bool closing_ = false;   // our last byte is written; what still comes is thrown away
  bool client_ended_ = false;
  bool counted_unauthenticated_ = true;
  bool left_server_ = false;
};

}  // namespace hpc
