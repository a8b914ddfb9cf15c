#include "manager/gateway/event_stream.h"

#include <cassert>
#include <charconv>
#include <utility>

#include "common/answers.h"
#include "manager/gateway/api_route.h"

namespace hpc {

namespace {

std::string text_of(const Event& event) {
  assert(event.type.find_first_of("\r\n") == std::string::npos);
  assert(event.data.find_first_of("\r\n") == std::string::npos);
  return "id: " + std::to_string(event.number) + "\nevent: " + event.type +
         "\ndata: " + event.data + "\n\n";
}

class EventStream final : public Responder, private EventLog::Subscriber {
 public:
  EventStream(EventLog& events, Scheduler& scheduler, EventSource source)
      : events_(events),
        scheduler_(scheduler),
        source_(std::move(source)),
        comment_(scheduler.make_alarm([this] { on_comment_time(); })),
        catch_up_(scheduler.make_alarm([this] { on_catch_up_time(); })) {}

  void start(ResponseSink& sink) noexcept override {
    sink_ = &sink;
    // Of what is over, only what was can be shown.
    last_ = source_.after.value_or(over() ? 0 : events_.last_shown());
    if (!watch()) return sink_->answer(problem_answer(404, "there is no such session"));
    if (over() && waiting_.empty()) return sink_->answer({204, {}, "", false});
    sink_->begin(200, {{"Content-Type", "text/event-stream"},
                       {"Cache-Control", "no-store"},
                       {"X-Accel-Buffering", "no"},
                       {"X-Content-Type-Options", "nosniff"}});
    if (source_.head_only) return finish();
    sink_->write("retry: " + std::to_string(kEventRetryMs) + "\n\n");
    comment_->start(kEventCommentMs);
    flush();
  }
  void on_body(Bytes) noexcept override {}
  void on_request_end() noexcept override {}
  void on_drain() noexcept override { finish(); }

 private:
  bool over() const { return !source_.session.empty() && events_.is_over(source_.session); }

  bool watch() {
    watching_ = true;
    subscription_ = source_.session.empty() ? events_.watch_user(source_.user, last_, *this)
                                            : events_.watch_session(source_.session, last_, *this);
    watching_ = false;
    return subscription_ != nullptr;
  }

  void on_event(const Event& event) override {
    if (behind_) return;
    add(text_of(event));
    if (!behind_) last_ = event.number;
    if (!watching_) flush();
  }
  void on_gap() override {
    if (behind_) return;
    add("event: gap\ndata: {}\n\n");
    if (!watching_) flush();
  }

  // Takes it if there is room; else the reader is behind, and gets it from the ring later.
  void add(const std::string& text) {
    const std::size_t queued = sink_->queued_bytes() + waiting_.size();
    behind_ = queued > 0 && queued + text.size() > kEventQueueBytesMax;
    if (!behind_) waiting_ += text;
  }

  void flush() {
    if (!waiting_.empty()) sink_->write(std::exchange(waiting_, {}));
    if (behind_) {
      subscription_.reset();
      behind_since_ms_ = scheduler_.now_ms();
      return catch_up_->start(kEventCatchUpMs);
    }
    if (over()) finish();
  }

  void on_catch_up_time() {
    if (sink_->queued_bytes() <= kEventQueueBytesLow) {
      behind_ = false;
      if (!watch()) return finish();
      return flush();
    }
    if (scheduler_.now_ms() - behind_since_ms_ < kEventSlowReaderMs) {
      return catch_up_->start(kEventCatchUpMs);
    }
    stop();
    sink_->cut({Errc::kTimeout, "events", "the client does not read its events"});
  }

  void on_comment_time() {
    if (source_.still_allowed && !source_.still_allowed()) return finish();
    if (!behind_) {
      sink_->write(": still here\n\n");
      if (over()) return finish();
    }
    comment_->start(kEventCommentMs);
  }

  void stop() {
    subscription_.reset();
    comment_->stop();
    catch_up_->stop();
  }
  void finish() {
    stop();
    sink_->end();
  }

  EventLog& events_;
  Scheduler& scheduler_;
  const EventSource source_;
  ResponseSink* sink_ = nullptr;
  std::uint64_t last_ = 0;  // the client has, or will have, everything up to it
  std::string waiting_;     // of one replay, written at once
  bool watching_ = false;   // inside watch_*()
  bool behind_ = false;     // more is there than the client has room for
  std::uint64_t behind_since_ms_ = 0;
  std::unique_ptr<Alarm> comment_;
  std::unique_ptr<Alarm> catch_up_;
  std::unique_ptr<EventLog::Subscription> subscription_;
};

}  // namespace

Result<std::optional<std::uint64_t>> last_event_number(const FieldList& fields,
                                                       std::string_view query) {
  auto text = fields.find("Last-Event-ID");
  if (!text) text = query_value(query, "last-event-id");
  if (!text) return std::optional<std::uint64_t>();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) {
    return fail(Errc::kBadRequest, "events",
                "Last-Event-ID takes the number of an event, as in its line \"id: 42\"");
  }
  return std::optional(number);
}

std::unique_ptr<Responder> make_event_stream(EventLog& events, Scheduler& scheduler,
                                             EventSource source) {
  return std::make_unique<EventStream>(events, scheduler, std::move(source));
}

}  // namespace hpc
