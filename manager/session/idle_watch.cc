#include "manager/session/idle_watch.h"

#include <algorithm>
#include <utility>

#include "manager/session/json.h"
#include "manager/session/tunnel.h"

namespace hpc {

namespace {

constexpr std::uint64_t kMinuteMs = 60'000;
// So that the limit is met within a quarter of itself, however short it is.
constexpr std::uint64_t kAsksPerLimit = 4;
// A time of RFC 3339 has at most 35 characters.
constexpr std::size_t kActivityBytesMax = 64;

// hpc-proxy's last activity, as it wrote it; "" for none yet. Nothing: this is no answer.
std::optional<std::string> activity_of(const Result<ProxyReply>& reply) {
  if (!reply || reply->status != 200) return std::nullopt;
  const auto value = parse_json(reply->body);
  if (!value) return std::nullopt;
  if (cJSON_IsNull(json_member(value->get(), "last_activity")) != 0) return "";
  auto text = json_text(value->get(), "last_activity");
  if (text && (text->empty() || text->size() > kActivityBytesMax)) return std::nullopt;
  return text;
}

}  // namespace

IdleWatch::IdleWatch(Scheduler& scheduler, UpstreamPool& pool, const TunnelView& tunnel,
                     std::uint64_t idle_ms, Calls calls)
    : scheduler_(scheduler),
      pool_(pool),
      tunnel_(tunnel),
      idle_max_ms_(std::max(idle_ms, kMinuteMs)),
      calls_(std::move(calls)),
      alarm_(scheduler.make_alarm([this] { ask(); })) {}

IdleWatch::~IdleWatch() = default;

void IdleWatch::start() {
  stop();
  last_activity_.reset();
  last_answer_ms_.reset();
  idle_ms_ = 0;
  warned_ = false;
  alarm_->start(0);
}

void IdleWatch::stop() {
  alarm_->stop();
  question_.reset();
}

void IdleWatch::ask() {
  if (!tunnel_.ready() || !tunnel_.record()) {
    last_answer_ms_.reset();
    return ask_again();
  }
  question_ = std::make_unique<ProxyRequest>(scheduler_, pool_, Tunnel::kAtOnce,
                                             ProxyQuestion{"/status", tunnel_.record()->token},
                                             [this](Result<ProxyReply> reply) {
                                               question_.reset();
                                               on_answer(activity_of(reply));
                                             });
}

void IdleWatch::on_answer(const std::optional<std::string>& activity) {
  if (!activity) {
    last_answer_ms_.reset();
    return ask_again();
  }
  const std::uint64_t now_ms = scheduler_.now_ms();
  const auto before = std::exchange(last_answer_ms_, now_ms);
  if (activity != last_activity_) {
    last_activity_ = activity;
    idle_ms_ = 0;
    warned_ = false;
  } else if (before) {
    idle_ms_ += now_ms - *before;
  }
  judge();
}

void IdleWatch::judge() {
  if (idle_ms_ >= idle_max_ms_) {
    const auto idle = calls_.idle;  // which may destroy us
    return idle();
  }
  const bool soon = idle_max_ms_ <= kIdleWarningMs || idle_ms_ >= idle_max_ms_ - kIdleWarningMs;
  const bool warn = soon && idle_ms_ > 0 && !warned_;
  warned_ = warned_ || warn;
  ask_again();
  if (!warn) return;
  const auto tell = calls_.warn;  // which may destroy us
  tell(static_cast<unsigned>((idle_max_ms_ - idle_ms_ + kMinuteMs - 1) / kMinuteMs));
}

void IdleWatch::ask_again() {
  alarm_->start(std::min(kIdleAskEveryMs, idle_max_ms_ / kAsksPerLimit));
}

}  // namespace hpc
