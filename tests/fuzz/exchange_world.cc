#include "tests/fuzz/exchange_world.h"

#include "tests/fuzz/fuzz_input.h"

namespace hpc {

namespace {
// Turns of the loop in which whatever is ready happens.
constexpr int kTurns = 2;
// More steps than anything here can need to come to an end.
constexpr int kStepsMax = 200;
}  // namespace

struct ExchangeWorld::Attempt {
  ConnectDone done;
};

class ExchangeWorld::Numbered final : public ForwardPolicy {
 public:
  explicit Numbered(std::size_t number) : number_(std::to_string(number)) {}
  void write_request_fields(const RequestHead& head, const HopFields& hop,
                            HeadWriter& out) override {
    pass(head.fields, hop, out);
  }
  void write_response_fields(const ResponseHead& head, const HopFields& hop,
                             HeadWriter& out) override {
    pass(head.fields, hop, out);
  }
  LocalAnswer on_upstream_failed(const Error&) override { return {502, {}, "failed", false}; }

 private:
  void pass(const FieldList& fields, const HopFields& hop, HeadWriter& out) const {
    out.field("X-Seq", number_);
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const auto name = fields[i].name;
      if (!hop.ends_here(name) && !equals_ignoring_case(name, "X-Seq")) {
        out.field(name, fields[i].value);
      }
    }
  }
  std::string number_;
};

ExchangeWorld::ExchangeWorld() : pool_(loop_, *this), client_(std::make_shared<PlayedEnd>()) {
  HttpServerOptions options;
  options.limits = {.target_bytes_max = 256, .head_bytes_max = 4096, .fields_max = 32};
  options.buffer_bytes_max = kQueueBytesMax + kQueueBytesMax / 2;
  // No clock in here: whatever runs longer than this is the fuzzer's own time-out.
  options.unauthenticated_ms = options.head_timeout_ms = options.idle_timeout_ms = 1'000'000;
  options.body_timeout_ms = 1'000'000;
  HttpHandler& handler = *this;
  server_ = std::make_unique<HttpServer>(loop_, handler, options);
  server_->adopt(std::make_unique<FarStream>(client_), ClientInfo{});
}

ExchangeWorld::~ExchangeWorld() {
  server_.reset();
  pool_.close();
}

Decision ExchangeWorld::on_request(const RequestHead& head, ClientInfo& client) {
  const std::size_t number = seen_.size();
  seen_.push_back({head, false});
  if (head.target == "/stranger") return LocalAnswer{401, {}, "who?", false};
  client.authenticated = true;
  if (head.target.starts_with("/local")) return LocalAnswer{200, {}, "here", false};
  seen_.back().forwarded = true;
  return Forward{&pool_, "app", head.target, std::make_unique<Numbered>(number)};
}

LocalAnswer ExchangeWorld::on_refusal(int status, std::string_view detail) {
  return {status, {}, "refused: " + std::string(detail), true};
}

std::unique_ptr<Pending> ExchangeWorld::connect(const std::string&, ConnectDone done) {
  struct Held final : Pending {
    explicit Held(std::shared_ptr<Attempt> held) : attempt(std::move(held)) {}
    ~Held() override { attempt->done = nullptr; }
    std::shared_ptr<Attempt> attempt;  // the other owner is the list of attempts
  };
  attempts_.push_back(std::make_shared<Attempt>(Attempt{std::move(done)}));
  return std::make_unique<Held>(attempts_.back());
}

void ExchangeWorld::settle_attempt(bool accept) {
  for (const auto& attempt : std::exchange(attempts_, {})) {
    const auto done = std::exchange(attempt->done, nullptr);
    if (!done) continue;  // cancelled
    if (!accept) {
      done(fail(Errc::kRefused, "connect", "as the script says"));
      continue;
    }
    upstreams_.push_back(std::make_shared<PlayedEnd>());
    done(std::unique_ptr<Stream>(std::make_unique<FarStream>(upstreams_.back())));
  }
}

/// The client, or the youngest upstream connection that is still open.
PlayedEnd* ExchangeWorld::speaker(bool upstream) {
  if (!upstream) return client_.get();
  for (auto far = upstreams_.rbegin(); far != upstreams_.rend(); ++far) {
    if ((*far)->live()) return far->get();
  }
  return nullptr;
}

void ExchangeWorld::deliver(PlayedEnd& far, std::string_view bytes) {
  if (far.wants_end || far.reset) return;
  far.waiting.append(bytes);
  step();
}

/// What the engine's end of that stream would be told in the next turn.
void ExchangeWorld::move(PlayedEnd& far) {
  if (!far.live()) return;
  const bool was_full = std::exchange(far.queued, 0) > kQueueBytesLow;
  if (was_full && !far.aborted) far.listener->on_drain();
  if (far.live() && !far.aborted && far.paused == 0 && !far.waiting.empty()) {
    const auto bytes = std::exchange(far.waiting, {});
    far.delivered += bytes;
    far.listener->on_data(as_bytes(bytes));
  }
  if (far.live() && !far.aborted && far.paused == 0 && far.waiting.empty() && far.wants_end &&
      !far.ended) {
    far.ended = true;
    far.listener->on_end();
  }
  const bool finished = far.ended && far.half_closed;
  if (!far.live() || !(far.aborted || far.reset || finished)) return;
  far.closed = true;
  const Error why{Errc::kNetwork, "stream", "broken"};
  far.listener->on_close(finished && !far.reset ? Status() : Status(tl::unexpect, why));
}

void ExchangeWorld::step() {
  move(*client_);
  for (std::size_t i = 0; i < upstreams_.size(); ++i) {
    const auto far = upstreams_[i];  // the list may grow while it speaks
    move(*far);
  }
  relayed_ = relayed_ || server_->stats().open_websockets != 0;
  for (int i = 0; i < kTurns; ++i) loop_.turn();
}

void ExchangeWorld::play(std::string_view script) {
  bool upstream = false;
  while (!script.empty()) {
    const auto size = std::min(script.find_first_of("\xfb\xfc\xfd\xfe\xff"), script.size());
    PlayedEnd* far = speaker(upstream);
    if (far != nullptr && size != 0) deliver(*far, script.substr(0, size));
    script.remove_prefix(size);
    if (script.empty()) break;
    far = speaker(upstream);
    switch (script.front()) {
      case kTurn:
        upstream = !upstream;
        if (upstream) settle_attempt(true);
        break;
      case kEnd:
        if (far != nullptr) far->wants_end = true;
        break;
      case kReset:
        if (far != nullptr) far->reset = true;
        break;
      case kRefuse:
        settle_attempt(false);
        break;
      default:
        break;
    }
    step();
    script.remove_prefix(1);
  }
}

void ExchangeWorld::finish() {
  client_->wants_end = true;
  for (int i = 0; i < kStepsMax && server_->stats().open_connections != 0; ++i) {
    settle_attempt(false);
    for (const auto& far : upstreams_) far->wants_end = true;
    step();
  }
  const auto& stats = server_->stats();
  require(stats.open_connections == 0, "the client's connection is closed");
  require(stats.open_exchanges == 0 && stats.open_websockets == 0, "no exchange is left");
  require(stats.unauthenticated_connections == 0, "nobody is counted for ever");
  pool_.close();
  for (int i = 0; i < kTurns; ++i) loop_.turn();
  require(client_->gone, "the client's stream is destroyed");
  for (const auto& far : upstreams_) require(far->gone, "every upstream stream is destroyed");
}

}  // namespace hpc
