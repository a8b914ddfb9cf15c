#include "manager/ssh/ssh_link.h"

#include <fcntl.h>
#include <libssh/server.h>  // ssh_send_keepalive is declared here, but is the client's too

#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

#include "manager/ssh/ssh_limits.h"
#include "manager/ssh/ssh_repeat.h"

namespace hpc {
namespace {

// Each takes 4 KiB from the socket, or from what was read ahead; 64 are one wake-up's share, so
// that one user's bulk transfer cannot starve the others on the loop. What was read ahead on the
// way goes with them: as much again at most.
constexpr int kPollsPerWake = 64;
// Rounds of 64 KiB per channel in one wake-up, for the same reason.
constexpr int kWriteRoundsPerWake = 8;

constexpr std::string_view kOpenFailureText = "Channel opening failure: channel ";

}  // namespace

SshLink::SshLink(Loop& loop, SshSessionPtr session, SshLinkOptions options)
    : loop_(loop),
      options_(options),
      session_(std::move(session)),
      scratch_(new char[kReceiveWindowMax]),  // untouched pages cost nothing
      keepalive_timer_(loop, [this] { keepalive_tick(); }) {}

SshLink::~SshLink() {
  if (event_ != nullptr) {
    ssh_event_remove_session(event_, session_.get());
    ssh_event_free(event_);
  }
}

Status SshLink::start() {
  const int fd = ssh_get_fd(session_.get());
  ssh_set_blocking(session_.get(), 0);
  // libssh has cleared it; without it a stopped server would block the whole loop in send().
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);  // NOLINT(hicpp-signed-bitwise)
  ssh_set_counters(session_.get(), &socket_counter_, nullptr);
  read_ahead_.watch(fd);
  event_ = ssh_event_new();
  watched_.reset(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (event_ == nullptr || !watched_ || ssh_event_add_session(event_, session_.get()) != SSH_OK) {
    return fail(Errc::kSystem, "ssh", "cannot watch the connection: out of descriptors");
  }
  auto raw = std::make_unique<uv_poll_t>();
  if (const int rc = uv_poll_init(loop_.uv(), raw.get(), watched_.get()); rc != 0) {
    return fail(Errc::kSystem, "ssh",
                std::string("cannot watch the connection: ") + uv_strerror(rc));
  }
  raw->data = this;
  poll_.reset(raw.release());
  keepalive_timer_.start(options_.keepalive_ms);
  wake();
  return {};
}

void SshLink::on_ended(Ended ended) {
  ended_ = std::move(ended);
  if (!finished_ || !ended_) return;
  loop_.post([self = shared_from_this()] {
    if (self->ended_) std::exchange(self->ended_, nullptr)(self->why_);
  });
}

Result<SshSlot*> SshLink::open(std::string target, SshSlot::OpenStep step, SshSlotUser& user) {
  if (dead_) return tl::unexpected(why_);
  if (channel_count() >= kChannelsMax) {
    return fail(Errc::kUnavailable, "ssh.channel",
                "all " + std::to_string(kChannelsMax) + " channels of this connection are in use");
  }
  ssh_channel channel = ssh_channel_new(session_.get());
  if (channel == nullptr) return fail(Errc::kSystem, "ssh.channel", "out of memory");
  busy_.push_back(
      std::make_unique<SshSlot>(*this, channel, std::move(target), std::move(step), user));
  busy_.back()->self_ = std::prev(busy_.end());
  wake();
  return busy_.back().get();
}

void SshLink::wake() {
  more_ = true;
  if (woken_ || dead_) return;
  woken_ = true;
  loop_.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->woken_ = false;
      self->pump();
    }
  });
}

void SshLink::pump() {
  const auto self = shared_from_this();  // a listener may drop the connection in its callback
  if (dead_) return;
  const ReadAhead::Use reading(read_ahead_);
  more_ = false;
  fresh_denial_.reset();
  receive();
  if (healthy()) open_pending();
  if (healthy()) read_turns();
  if (healthy()) write_turns();
  if (healthy()) close_finished();
  if (!healthy()) return;
  sweep();
  rearm();
  if (more_ || read_ahead_.held() > 0) wake();
}

void SshLink::receive() {
  for (int i = 0; i < kPollsPerWake || (read_ahead_.held() > 0 && i < 2 * kPollsPerWake); ++i) {
    const int rc = ssh_event_dopoll(event_, 0);
    note_open_failure();
    if (rc != SSH_OK) return;  // SSH_ERROR shows in healthy()
  }
}

// Looks after every step, because libssh learns of the end of a connection in any of its calls.
bool SshLink::healthy() {
  if (dead_) return false;
  if (ssh_session_lives(session_.get())) return true;
  kill({Errc::kSsh, "ssh", "the connection ended: " + ssh_error_text(session_.get())});
  return false;
}

bool SshLink::write_blocked() const {
  return (ssh_get_status(session_.get()) & SSH_WRITE_PENDING) != 0;
}

// The text is the only place where libssh keeps the reason, one for the whole session.
void SshLink::note_open_failure() {
  const std::string_view text = ssh_get_error(session_.get());
  if (!text.starts_with(kOpenFailureText)) return;
  char* rest = nullptr;
  const auto id = std::strtoul(text.data() + kOpenFailureText.size(), &rest, 10);
  constexpr std::string_view kCode = " error (";
  if (!std::string_view(rest).starts_with(kCode)) return;
  const int code = static_cast<int>(std::strtol(rest + kCode.size(), &rest, 10));
  if (id == last_denied_id_) return;  // the text stays until the next error
  last_denied_id_ = id;
  fresh_denial_ = {code, *rest == ')' ? rest + 1 : rest};
  for (auto& slot : busy_) {
    if (slot->state_ != SshSlot::State::kOpening || slot->local_id_ != id) continue;
    slot->denial_ = fresh_denial_;
  }
}

void SshLink::open_pending() {
  using State = SshSlot::State;
  for (auto& slot : busy_) {
    if (slot->state_ == State::kNew) {
      if (slot->user_ == nullptr) slot->state_ = State::kGone;
      if (slot->user_ == nullptr || write_blocked()) continue;
      slot->state_ = State::kOpening;
      slot->local_id_ = ++last_local_id_;
      slot->opening_since_us_ = monotonic_us();
    } else if (slot->state_ != State::kOpening) {
      continue;
    }
    // libssh wants the same call repeated; it reads the socket once each time.
    const int rc =
        ssh_channel_is_open(slot->channel_) != 0 ? SSH_OK : slot->open_step_(slot->channel_);
    note_open_failure();
    if (rc != SSH_AGAIN) finish_open(*slot, rc);
    if (dead_) return;
  }
}

void SshLink::finish_open(SshSlot& slot, int rc) {
  if (rc == SSH_ERROR && (ssh_get_status(session_.get()) & SSH_CLOSED_ERROR) != 0) return;
  SshSlotUser* const user = slot.user_;
  if (rc == SSH_OK) {
    receive_path_.note_round_trip(monotonic_us() - slot.opening_since_us_);
    slot.state_ = user != nullptr ? SshSlot::State::kOpen : SshSlot::State::kClosing;
    if (user != nullptr) user->slot_opened({});
    return;
  }
  slot.state_ = SshSlot::State::kGone;
  slot.user_ = nullptr;
  if (user != nullptr) user->slot_opened(tl::unexpected(open_error(slot)));
}

Error SshLink::open_error(const SshSlot& slot) const {
  // Several refusals in one read leave only the last reason; the same target has the same one.
  const auto* denial = slot.denial_ ? &slot.denial_ : &fresh_denial_;
  for (const auto& other : busy_) {
    if (!slot.denial_ && other->target_ == slot.target_ && other->denial_) denial = &other->denial_;
  }
  return *denial ? ssh_open_error(slot.target_, (*denial)->code, (*denial)->text)
                 : ssh_open_error(slot.target_, 0, {});
}

void SshLink::read_turns() {
  for (auto& slot : busy_) {
    if (slot->state_ != SshSlot::State::kOpen || slot->user_ == nullptr || !slot->turn_wanted_) {
      continue;
    }
    slot->turn_wanted_ = false;
    if (slot->user_->slot_read_turn()) {
      slot->turn_wanted_ = true;
      more_ = true;
    }
    if (dead_) return;
  }
}

void SshLink::write_turns() {
  // Whoever was first becomes last, so that a full socket does not always stop at the same one.
  if (busy_.size() > 1) busy_.splice(busy_.end(), busy_, busy_.begin());
  bool wrote = true;
  for (int round = 0; wrote; ++round) {
    if (round == kWriteRoundsPerWake) {
      more_ = true;
      return;
    }
    wrote = false;
    for (auto& slot : busy_) {
      if (write_blocked()) return;
      if (!slot->write_wanted_ || slot->user_ == nullptr) continue;
      if (slot->state_ != SshSlot::State::kOpen) continue;
      wrote = slot->user_->slot_write_turn() || wrote;
      if (dead_) return;
    }
  }
}

void SshLink::close_finished() {
  for (auto& slot : busy_) {
    if (slot->state_ == SshSlot::State::kClosing && close_step(*slot)) {
      slot->state_ = SshSlot::State::kGone;
    }
  }
}

// With output pending, libssh's close sends nothing and has to be repeated until it says OK.
bool SshLink::close_step(SshSlot& slot) {
  if (write_blocked()) return false;
  const int rc = ssh_channel_close(slot.channel_);
  if (rc == SSH_AGAIN) more_ = more_ || !write_blocked();
  return rc != SSH_AGAIN;
}

void SshLink::sweep() {
  for (auto it = busy_.begin(); it != busy_.end();) {
    if ((*it)->rests()) {
      (*it)->is_resting_ = true;
      resting_.splice(resting_.end(), busy_, it++);
      continue;
    }
    if ((*it)->state_ != SshSlot::State::kGone) {
      ++it;
      continue;
    }
    // libssh keeps the channel until the server has confirmed, and would still call back.
    ssh_remove_channel_callbacks((*it)->channel_, &(*it)->callbacks_);
    ssh_channel_free((*it)->channel_);
    it = busy_.erase(it);
  }
}

void SshLink::rearm() {
  const bool write = (ssh_get_poll_flags(session_.get()) & SSH_WRITE_PENDING) != 0;
  const int wanted = UV_READABLE | (write ? UV_WRITABLE : 0);  // NOLINT(hicpp-signed-bitwise)
  if (wanted == armed_) return;
  armed_ = wanted;
  uv_poll_start(poll_.get(), wanted, [](uv_poll_t* handle, int /*status*/, int /*events*/) {
    static_cast<SshLink*>(handle->data)->pump();
  });
}

// libssh answers OK whatever happens and sends only every second time, so that the first call may
// just take the last answer; what counts is that bytes arrive.
void SshLink::keepalive_tick() {
  const std::uint64_t bytes = socket_counter_.in_bytes;
  keepalives_missed_ = bytes == bytes_at_last_tick_ ? keepalives_missed_ + 1 : 0;
  bytes_at_last_tick_ = bytes;
  if (keepalives_missed_ > options_.keepalives_missed_max) {
    kill({Errc::kSsh, "ssh",
          "the server has been silent for " +
              std::to_string(options_.keepalive_ms *
                             static_cast<std::uint64_t>(keepalives_missed_) / 1000) +
              " s"});
    return;
  }
  if (keepalives_missed_ > 0) {
    read_ahead_.rest();
    const ReadAhead::Use reading(read_ahead_);
    ssh_send_keepalive(session_.get());
    ssh_send_keepalive(session_.get());
    wake();
  }
  keepalive_timer_.start(options_.keepalive_ms);
}

void SshLink::kill(const Error& why) {
  if (dead_) return;
  dead_ = true;
  why_ = why;
  if (poll_) uv_poll_stop(poll_.get());
  keepalive_timer_.stop();
  loop_.post([self = shared_from_this()] { self->finish(); });
}

void SshLink::finish() {
  for (auto& slot : resting_) slot->is_resting_ = false;
  busy_.splice(busy_.end(), resting_);
  for (auto& slot : busy_) {
    SshSlotUser* const user = std::exchange(slot->user_, nullptr);
    if (user != nullptr) user->slot_lost(why_);
  }
  for (auto& slot : busy_) {
    ssh_remove_channel_callbacks(slot->channel_, &slot->callbacks_);
  }
  busy_.clear();
  poll_.reset();
  if (event_ != nullptr) {
    ssh_event_remove_session(event_, session_.get());
    ssh_event_free(std::exchange(event_, nullptr));
  }
  session_.reset();  // frees the channels too
  watched_.reset();
  finished_ = true;
  if (ended_) std::exchange(ended_, nullptr)(why_);
}

}  // namespace hpc
