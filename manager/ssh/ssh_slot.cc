#include <algorithm>
#include <utility>

#include "manager/ssh/ssh_link.h"

namespace hpc {

SshSlot::SshSlot(SshLink& link, ssh_channel channel, std::string target, OpenStep open_step,
                 SshSlotUser& user)
    : link_(link),
      channel_(channel),
      target_(std::move(target)),
      open_step_(std::move(open_step)),
      user_(&user),
      window_(link.receive_path_) {
  ssh_callbacks_init(&callbacks_);
  callbacks_.userdata = this;
  callbacks_.channel_data_function = &SshSlot::on_data;
  callbacks_.channel_eof_function = &SshSlot::on_eof;
  callbacks_.channel_close_function = &SshSlot::on_close;
  callbacks_.channel_exit_status_function = &SshSlot::on_exit_status;
  ssh_set_channel_callbacks(channel_, &callbacks_);
}

void SshSlot::stir() {
  if (std::exchange(is_resting_, false)) {
    link_.busy_.splice(link_.busy_.end(), link_.resting_, self_);
  }
}

bool SshSlot::rests() const { return state_ == State::kOpen && !turn_wanted_ && !write_wanted_; }

// Taking nothing (returning 0) leaves the bytes in libssh's buffer until a turn reads them.
int SshSlot::on_data(ssh_session /*session*/, ssh_channel /*channel*/, void* /*data*/,
                     std::uint32_t length, int is_stderr, void* self) noexcept {
  auto& slot = *static_cast<SshSlot*>(self);
  std::size_t& unread = slot.unread_[is_stderr != 0 ? 1 : 0];
  slot.window_.arrived(length - std::min<std::size_t>(unread, length), length, monotonic_us());
  unread = length;
  slot.turn_wanted_ = true;
  slot.stir();
  return 0;
}

void SshSlot::on_eof(ssh_session /*session*/, ssh_channel /*channel*/, void* self) noexcept {
  auto& slot = *static_cast<SshSlot*>(self);
  slot.remote_eof_ = true;
  slot.turn_wanted_ = true;
  slot.stir();
}

void SshSlot::on_close(ssh_session /*session*/, ssh_channel /*channel*/, void* self) noexcept {
  auto& slot = *static_cast<SshSlot*>(self);
  slot.remote_eof_ = true;
  slot.remote_closed_ = true;
  slot.turn_wanted_ = true;
  slot.stir();
}

void SshSlot::on_exit_status(ssh_session /*session*/, ssh_channel /*channel*/, int status,
                             void* self) noexcept {
  static_cast<SshSlot*>(self)->exit_status_ = status;
}

void SshSlot::release() {
  user_ = nullptr;
  write_wanted_ = false;
  if (state_ == State::kOpen) state_ = State::kClosing;
  stir();
  link_.wake();
}

void SshSlot::wake() {
  turn_wanted_ = true;
  stir();
  link_.wake();
}

void SshSlot::want_write(bool wanted) {
  write_wanted_ = wanted;
  if (!wanted) return;
  stir();
  link_.wake();
}

Bytes SshSlot::read(bool from_stderr) {
  std::size_t& unread = unread_[from_stderr ? 1 : 0];
  if (unread == 0 || link_.dead_) return {};
  // What a read asks for is what libssh opens as the window.
  const std::size_t count = window_.to_ask_for(kReadBytes, unread, monotonic_us());
  const int got =
      ssh_channel_read_timeout(channel_, link_.scratch_.get(), static_cast<std::uint32_t>(count),
                               from_stderr ? 1 : 0, /*timeout_ms=*/0);
  if (got <= 0) {
    unread = 0;
    return {};
  }
  const auto taken = static_cast<std::size_t>(got);
  window_.was_read(count, unread, taken);
  unread -= std::min(unread, taken);
  return as_bytes(std::string_view(link_.scratch_.get(), taken));
}

std::size_t SshSlot::write(Bytes bytes) {
  if (link_.dead_ || remote_closed_ || link_.write_blocked()) return 0;
  const std::size_t room = ssh_channel_window_size(channel_);
  const std::size_t count = std::min({bytes.size(), room, kWriteTurnBytes});
  if (count == 0) return 0;
  const int taken = ssh_channel_write(channel_, bytes.data(), static_cast<std::uint32_t>(count));
  return taken > 0 ? static_cast<std::size_t>(taken) : 0;
}

bool SshSlot::send_eof() {
  if (link_.dead_ || link_.write_blocked()) return false;
  return ssh_channel_send_eof(channel_) != SSH_ERROR;
}

int SshSlot::request_exec(const std::string& command) {
  return link_.dead_ ? SSH_ERROR : ssh_channel_request_exec(channel_, command.c_str());
}

}  // namespace hpc
