#include "manager/gateway/log_stream.h"

#include <utility>

#include "common/answers.h"
#include "manager/gateway/api_answers.h"

namespace hpc {

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

// What a job writes is nobody's page: it is shown as text, whatever it looks like.
Fields log_fields() {
  return {{"Content-Type", "text/plain; charset=utf-8"},
          {"Content-Disposition", "inline"},
          {"Cache-Control", "no-store"},
          {"X-Accel-Buffering", "no"},
          {"X-Content-Type-Options", "nosniff"}};
}

constexpr const char* kCutShort =
    "\n[hpc-manager: the log has become shorter; here it is from its beginning]\n";

class LogStream final : public Responder {
 public:
  LogStream(Sessions& sessions, Scheduler& scheduler, LogFollowers& followers, LogSource source)
      : sessions_(sessions),
        scheduler_(scheduler),
        followers_(followers),
        source_(std::move(source)),
        alarm_(scheduler.make_alarm([this] { look(); })) {
    if (source_.follow) ++followers_[source_.session];
  }
  ~LogStream() override {
    if (source_.follow && --followers_[source_.session] == 0) followers_.erase(source_.session);
  }
  LogStream(const LogStream&) = delete;
  LogStream& operator=(const LogStream&) = delete;

  void start(ResponseSink& sink) noexcept override {
    sink_ = &sink;
    if (source_.follow && followers_[source_.session] > kLogFollowersMax) {
      return sink_->answer(problem_answer(
          429, "this log is followed " + std::to_string(kLogFollowersMax) +
                   " times already; end one of them, or ask for it without follow=1"));
    }
    read();
  }
  void on_body(Bytes) noexcept override {}
  void on_request_end() noexcept override {}
  void on_drain() noexcept override {
    // Before the first byte the answer still comes, and then ends.
    drains_ = true;
    if (begun_) finish();
  }

 private:
  bool over() const {
    const auto info = sessions_.find(source_.session);
    return !info || info->row.state == SessionState::kEnded;
  }

  void read() {
    // What was written before the end is there when the end is known, not when the log is read.
    was_over_ = over();
    pending_ = sessions_.read_log(source_.session, next_,
                                  [this](Result<JobLogPart> part) { on_part(part); });
  }

  void on_part(const Result<JobLogPart>& part) {
    if (!source_.follow && part) return sink_->answer({200, log_fields(), part->bytes, false});
    if (!begun_) {
      if (!part) return sink_->answer(error_problem(part.error()));
      begun_ = true;
      sink_->begin(200, log_fields());
      if (source_.head_only) return finish();
    }
    if (part) return take(*part);
    if (was_over_ || drains_) return finish();
    alarm_->start(kLogFollowMs);
  }

  void take(const JobLogPart& part) {
    if (next_ != kJobLogTail && part.size < next_) {
      sink_->write(kCutShort);
      next_ = 0;
      return alarm_->start(0);
    }
    sink_->write(part.bytes);
    next_ = part.offset + part.bytes.size();
    const bool more = !part.bytes.empty() && next_ < part.size;
    if (drains_ || (was_over_ && !more)) return finish();
    behind_since_ms_ = scheduler_.now_ms();
    alarm_->start(more ? 0 : kLogFollowMs);
  }

  void look() {
    if (source_.still_allowed && !source_.still_allowed()) return finish();
    if (sink_->queued_bytes() <= kLogQueueBytesMax) return read();
    if (scheduler_.now_ms() - behind_since_ms_ < kLogSlowReaderMs) {
      return alarm_->start(kLogCatchUpMs);
    }
    sink_->cut({Errc::kTimeout, "log", "the client does not read the log"});
  }

  // It may be called from inside the reading, which is therefore left as it is.
  void finish() {
    alarm_->stop();
    sink_->end();
  }

  Sessions& sessions_;
  Scheduler& scheduler_;
  LogFollowers& followers_;
  const LogSource source_;
  ResponseSink* sink_ = nullptr;
  std::uint64_t next_ = kJobLogTail;  // offset of the next byte
  bool begun_ = false;
  bool drains_ = false;
  bool was_over_ = false;  // before the log was asked for
  std::uint64_t behind_since_ms_ = 0;
  std::unique_ptr<Alarm> alarm_;
  std::unique_ptr<Pending> pending_;
};

}  // namespace

std::unique_ptr<Responder> make_log_stream(Sessions& sessions, Scheduler& scheduler,
                                           LogFollowers& followers, LogSource source) {
  return std::make_unique<LogStream>(sessions, scheduler, followers, std::move(source));
}

}  // namespace hpc
