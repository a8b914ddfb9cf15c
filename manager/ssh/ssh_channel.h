#pragma once
#include <memory>
#include <optional>
#include <string>

#include "common/byte_queue.h"
#include "common/upstream_pool.h"
#include "manager/ssh/ssh_link.h"

namespace hpc {

/// An open direct-tcpip channel as a Stream. A far end that closes the channel without having been
/// told that we are done is an end of its bytes; writing to it from then on fails with kNetwork.
/// The end of the whole connection is kSsh.
class SshChannel final : public Stream, private SshSlotUser {
 public:
  /// Takes over `slot`, which is open.
  SshChannel(std::shared_ptr<SshLink> link, SshSlot& slot);
  ~SshChannel() override;
  SshChannel(const SshChannel&) = delete;
  SshChannel& operator=(const SshChannel&) = delete;

  void start(Listener& listener) override;
  void write_parts(std::span<const Bytes> parts) override;
  std::size_t queued_bytes() const override { return queue_.size(); }
  void pause_read(PauseReason why) override;
  void resume_read(PauseReason why) override;
  void shutdown_write() override;
  void abort(const Error& why) override;

 private:
  // Posted tasks hold a weak pointer to it, so that they find out when the stream is gone.
  struct Guard {
    SshChannel* channel;
  };

  void slot_opened(const Status& /*result*/) noexcept override {}
  bool slot_read_turn() noexcept override;
  bool slot_write_turn() noexcept override;
  void slot_lost(const Error& why) noexcept override;

  bool deliver();
  void settle();
  void close(const Status& why);
  void report_close();

  std::shared_ptr<SshLink> link_;  // two owners: the connection and its channels
  SshSlot* slot_;                  // null once closed
  std::shared_ptr<Guard> guard_;
  Listener* listener_ = nullptr;
  ByteQueue queue_;
  unsigned pauses_ = 0;
  bool above_low_ = false;
  bool ended_ = false;          // on_end() was delivered
  bool finish_wanted_ = false;  // shutdown_write() was called
  bool eof_sent_ = false;
  std::optional<Error> aborted_;
  std::optional<Status> closed_;
  bool close_reported_ = false;
};

/// SshConnection::open_channel.
std::unique_ptr<Pending> open_ssh_channel(std::shared_ptr<SshLink> link, const std::string& host,
                                          std::uint16_t port, std::uint64_t timeout_ms,
                                          ConnectDone done);

}  // namespace hpc
