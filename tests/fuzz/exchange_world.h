#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/http_server.h"
#include "tests/support/pass_through.h"

namespace hpc {

/// What the far end of one of the engine's streams has sent and seen. Outlives the stream.
struct PlayedEnd {
  std::string written;    // by the engine
  std::string delivered;  // to the engine
  std::string waiting;    // not delivered yet, because the engine has paused
  bool wants_end = false;
  bool ended = false;   // its end was delivered
  bool reset = false;   // it broke off
  bool closed = false;  // the engine was told so
  bool half_closed = false;
  bool aborted = false;
  bool gone = false;  // the engine has destroyed the stream
  unsigned paused = 0;
  std::size_t queued = 0;
  Stream::Listener* listener = nullptr;

  bool live() const { return !gone && !closed && listener != nullptr; }
};

class FarStream final : public Stream {
 public:
  explicit FarStream(std::shared_ptr<PlayedEnd> far) : far_(std::move(far)) {}
  ~FarStream() override { far_->gone = true; }
  FarStream(const FarStream&) = delete;
  FarStream& operator=(const FarStream&) = delete;

  void start(Listener& listener) override { far_->listener = &listener; }
  void write_parts(std::span<const Bytes> parts) override {
    if (far_->half_closed || far_->aborted) return;
    for (const Bytes part : parts) {
      far_->written.append(as_text(part));
      far_->queued += part.size() * kWeight;
    }
  }
  std::size_t queued_bytes() const override { return far_->queued; }
  void pause_read(PauseReason why) override { far_->paused |= static_cast<unsigned>(why); }
  void resume_read(PauseReason why) override { far_->paused &= ~static_cast<unsigned>(why); }
  void shutdown_write() override { far_->half_closed = true; }
  void abort(const Error&) override { far_->aborted = true; }

 private:
  // An input has a few hundred bytes; so they reach the marks that stop a reader.
  static constexpr std::size_t kWeight = 1024;
  std::shared_ptr<PlayedEnd> far_;  // the other owner is the world
};

/// The engine between one client and the connections that it opens upstream, all of them played by
/// a script. Requests to /local are answered here and those to /stranger refused; all others are
/// forwarded, with their number in X-Seq, and so are the answers.
///
/// A script is the bytes of both sides as they come, and in between: kTurn (the other side speaks),
/// kCut (a packet ends), kEnd (that side half-closes), kReset (it breaks off), kRefuse (the
/// connection that is being opened fails).
class ExchangeWorld final : private HttpHandler, private Connector {
 public:
  static constexpr char kTurn = '\xfe';
  static constexpr char kCut = '\xff';
  static constexpr char kEnd = '\xfd';
  static constexpr char kReset = '\xfc';
  static constexpr char kRefuse = '\xfb';

  struct Seen {
    RequestHead head;
    bool forwarded = false;
  };

  ExchangeWorld();
  ~ExchangeWorld() override;
  ExchangeWorld(const ExchangeWorld&) = delete;
  ExchangeWorld& operator=(const ExchangeWorld&) = delete;

  void play(std::string_view script);
  /// Both sides end and every queue drains; then the engine must have let go of everything.
  void finish();

  const PlayedEnd& client() const { return *client_; }
  const std::vector<std::shared_ptr<PlayedEnd>>& upstreams() const { return upstreams_; }
  const std::vector<Seen>& seen() const { return seen_; }
  bool relayed() const { return relayed_; }

 private:
  class Numbered;
  struct Attempt;

  Decision on_request(const RequestHead& head, ClientInfo& client) override;
  LocalAnswer on_refusal(int status, std::string_view detail) override;
  std::unique_ptr<Pending> connect(const std::string& key, ConnectDone done) override;

  void settle_attempt(bool accept);
  void deliver(PlayedEnd& far, std::string_view bytes);
  void step();
  void move(PlayedEnd& far);
  PlayedEnd* speaker(bool upstream);

  Loop loop_;
  UpstreamPool pool_;
  std::unique_ptr<HttpServer> server_;
  std::shared_ptr<PlayedEnd> client_;
  std::vector<std::shared_ptr<PlayedEnd>> upstreams_;
  std::vector<std::shared_ptr<Attempt>> attempts_;
  std::vector<Seen> seen_;
  bool relayed_ = false;
};

}  // namespace hpc
