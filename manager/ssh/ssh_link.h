#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/loop.h"
#include "common/stream.h"
#include "common/timer.h"
#include "common/unique_fd.h"
#include "manager/ssh/libssh_handles.h"
#include "manager/ssh/read_ahead.h"
#include "manager/ssh/receive_window.h"

namespace hpc {

class SshLink;

/// What round trips are measured by.
inline std::uint64_t monotonic_us() { return uv_hrtime() / 1000; }

/// Whoever uses a channel: an opening, a stream or an exec. All calls come from the link's pump or
/// its end, on the loop thread and never from inside a call of the user into the link.
class SshSlotUser {
 public:
  /// The channel is open, or never will be (the slot is then gone when this returns).
  virtual void slot_opened(const Status& result) noexcept = 0;
  /// A turn to read and to look at the flags. True: there is more to do right now.
  virtual bool slot_read_turn() noexcept = 0;
  /// A turn to write at most SshSlot::kWriteTurnBytes. True: something was written.
  virtual bool slot_write_turn() noexcept = 0;
  /// The connection has ended; the slot is gone when this returns. The last call.
  virtual void slot_lost(const Error& why) noexcept = 0;

 protected:
  ~SshSlotUser() = default;
};

/// One channel of a link, from the first open call until the server has been told that it is
/// closed. Owned by the link; a user lets go with release().
///
/// libssh's callbacks only set flags here: it also calls them from inside its write functions, and
/// nothing may be freed or called back then.
class SshSlot {
 public:
  // At most this much per channel and turn, so that one upload cannot hold up the others and
  // libssh's unbounded output buffer stays short.
  static constexpr std::size_t kWriteTurnBytes = std::size_t{64} * 1024;
  // One delivery to a listener: as large as one read of a TCP stream.
  static constexpr std::size_t kReadBytes = std::size_t{64} * 1024;

  using OpenStep = std::function<int(ssh_channel)>;

  SshSlot(SshLink& link, ssh_channel channel, std::string target, OpenStep open_step,
          SshSlotUser& user);
  SshSlot(const SshSlot&) = delete;
  SshSlot& operator=(const SshSlot&) = delete;

  void set_user(SshSlotUser& user) { user_ = &user; }
  /// The user is done: the channel is closed as soon as the link can. No further call to the user.
  void release();
  /// Asks for a turn soon.
  void wake();
  /// Whether write turns are wanted; kept until it is changed.
  void want_write(bool wanted);

  /// Reads what libssh has buffered, at most kReadBytes, and lets the server send more. The bytes
  /// die with the next call. Empty: nothing there.
  Bytes read(bool from_stderr);
  /// Gives libssh at most kWriteTurnBytes; returns how many it took (0: later; the window is
  /// closed, or bytes are still waiting for the socket).
  std::size_t write(Bytes bytes);
  /// True once EOF has been handed to libssh.
  bool send_eof();
  /// SSH_AGAIN while the server has not answered yet.
  int request_exec(const std::string& command);

  bool remote_eof() const { return remote_eof_; }        // no more data after what is buffered
  bool remote_closed() const { return remote_closed_; }  // nothing can be written any more
  bool has_unread() const { return unread_[0] + unread_[1] > 0; }
  int exit_status() const { return exit_status_; }  // -1 until the server has told

 private:
  friend class SshLink;
  enum class State : std::uint8_t { kNew, kOpening, kOpen, kClosing, kGone };
  struct Denial {
    int code;  // RFC 4254 section 5.1: 1 prohibited, 2 connect failed, 3 unknown type, 4 shortage
    std::string text;
  };

  static int on_data(ssh_session session, ssh_channel channel, void* data, std::uint32_t length,
                     int is_stderr, void* self) noexcept;
  static void on_eof(ssh_session session, ssh_channel channel, void* self) noexcept;
  static void on_close(ssh_session session, ssh_channel channel, void* self) noexcept;
  static void on_exit_status(ssh_session session, ssh_channel channel, int status,
                             void* self) noexcept;

  /// Something may be there to do: the link looks at this channel in its next turn.
  void stir();
  /// Open, and nothing is there to do until libssh or the user stirs it.
  bool rests() const;

  SshLink& link_;
  std::list<std::unique_ptr<SshSlot>>::iterator self_;  // in the link's busy_ or resting_
  bool is_resting_ = false;
  ssh_channel channel_;  // owned: given back to libssh by the link
  ssh_channel_callbacks_struct callbacks_{};
  std::uint32_t local_id_ = 0;  // libssh's error texts name it
  std::string target_;
  OpenStep open_step_;
  SshSlotUser* user_;
  State state_ = State::kNew;
  std::optional<Denial> denial_;
  bool turn_wanted_ = true;
  bool write_wanted_ = false;
  bool remote_eof_ = false;
  bool remote_closed_ = false;
  std::size_t unread_[2] = {0, 0};  // stdout, stderr: buffered in libssh
  ReceiveWindow window_;
  std::uint64_t opening_since_us_ = 0;
  int exit_status_ = -1;
};

struct SshLinkOptions {
  // What OpenSSH users set as ServerAliveInterval 15, ServerAliveCountMax 3: a dead path is noticed
  // within a minute, and NAT tables keep the connection.
  std::uint64_t keepalive_ms = 15'000;
  int keepalives_missed_max = 3;
};

/// The pump of one authenticated session: the only code that calls libssh for it from now on.
///
/// Two owners, hence always in a shared_ptr: the SshConnection, and tasks posted to the loop. Lives
/// on the loop thread. Never blocks: the session is non-blocking and so is its descriptor.
class SshLink : public std::enable_shared_from_this<SshLink> {
 public:
  using Ended = std::function<void(const Error&)>;
  // As many as the gateway takes connections (--max-connections), with room for exec and spares.
  static constexpr std::size_t kChannelsMax = 1100;

  SshLink(Loop& loop, SshSessionPtr session, SshLinkOptions options);
  ~SshLink();
  SshLink(const SshLink&) = delete;
  SshLink& operator=(const SshLink&) = delete;

  /// kSystem: the loop cannot watch the descriptor.
  Status start();
  /// `ended` is called once, in a later turn than the failure.
  void on_ended(Ended ended);
  /// Makes a channel and begins to open it. `target` names it in messages; opens of one target that
  /// fail together share the reason. kUnavailable: kChannelsMax are open; the link's own error once
  /// it has ended.
  Result<SshSlot*> open(std::string target, SshSlot::OpenStep step, SshSlotUser& user);
  /// Cuts the connection; users hear of it in a later turn.
  void kill(const Error& why);
  bool ended() const { return dead_; }
  const Error& why_ended() const { return why_; }
  Loop& loop() { return loop_; }
  std::size_t channel_count() const { return busy_.size() + resting_.size(); }

 private:
  friend class SshSlot;
  void wake();
  void pump();
  void receive();
  void open_pending();
  void read_turns();
  void write_turns();
  void close_finished();
  void finish_open(SshSlot& slot, int rc);
  bool close_step(SshSlot& slot);
  void sweep();
  void rearm();
  bool healthy();
  bool write_blocked() const;
  void note_open_failure();
  Error open_error(const SshSlot& slot) const;
  void keepalive_tick();
  void finish();

  Loop& loop_;
  SshLinkOptions options_;
  ssh_counter_struct socket_counter_{};  // before session_: libssh keeps a pointer to it
  SshSessionPtr session_;
  ssh_event event_ = nullptr;
  ReadAhead read_ahead_;  // in use around all that calls libssh
  UniqueFd watched_;  // a duplicate: libssh closes its own descriptor by itself when the peer dies
  UvPtr<uv_poll_t> poll_;
  int armed_ = 0;
  std::unique_ptr<char[]> scratch_;
  ReceivePath receive_path_;  // before the slots, whose windows use it
  // A turn goes through the first list several times, and costs nothing for the second: one user's
  // sessions may have hundreds of channels. A slot is stirred at any time, also from inside of
  // libssh, which is safe while the list is walked; only sweep() lets it rest.
  std::list<std::unique_ptr<SshSlot>> busy_;
  std::list<std::unique_ptr<SshSlot>> resting_;
  // libssh counts its channels up from 42 (FIRST_CHANNEL) and shows the number in error texts only.
  std::uint32_t last_local_id_ = 42;
  unsigned long last_denied_id_ = 0;
  std::optional<SshSlot::Denial> fresh_denial_;  // of this pump, whichever channel it names
  bool woken_ = false;
  bool more_ = false;
  bool dead_ = false;
  bool finished_ = false;
  Error why_{Errc::kSsh, "ssh", ""};
  Ended ended_;
  Timer keepalive_timer_;
  std::uint64_t bytes_at_last_tick_ = 0;
  int keepalives_missed_ = 0;
};

}  // namespace hpc
