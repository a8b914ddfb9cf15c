#include "node-proxy/run/space_dialer.h"

#include <sys/socket.h>

#include <string>
#include <utility>

#include "common/descriptor_reserve.h"
#include "common/tcp_stream.h"
#include "common/timer.h"
#include "common/unique_fd.h"

namespace hpc {

namespace {

/// First the socket, then the connection over it, within one time limit.
class SpaceDial final : public Pending {
 public:
  SpaceDial(Loop& loop, std::string address, std::uint16_t port, std::uint64_t timeout_ms,
            TcpConnectDone done)
      : loop_(loop),
        address_(std::move(address)),
        port_(port),
        deadline_ms_(loop.now_ms() + timeout_ms),
        done_(std::move(done)),
        alive_(std::make_shared<SpaceDial*>(this)),
        timer_(loop, [this] { fail_later(Errc::kTimeout, "no answer in time"); }) {
    timer_.start(timeout_ms);
  }
  ~SpaceDial() override { *alive_ = nullptr; }
  SpaceDial(const SpaceDial&) = delete;
  SpaceDial& operator=(const SpaceDial&) = delete;

  void start(const AskSocket& ask) {
    const auto where = make_sockaddr(address_, port_);
    if (!where) return fail_later(where.error().code, where.error().detail);
    // Before asking: what comes would take one of the last.
    if (descriptors_are_short()) return fail_later(Errc::kUnavailable, "no descriptor is free");
    asking_ =
        ask({where->ss_family, SOCK_STREAM, 0}, [this](auto made) { on_socket(std::move(made)); });
  }

 private:
  void on_socket(Result<UniqueFd> made) {
    if (failed_) return;
    if (!made) return fail_later(Errc::kUnavailable, made.error().detail);
    timer_.stop();
    const std::uint64_t now_ms = loop_.now_ms();
    const std::uint64_t left_ms = now_ms < deadline_ms_ ? deadline_ms_ - now_ms : 1;
    connecting_ = connect_tcp(loop_, std::move(*made), address_, port_, left_ms,
                              [this](auto result) { finish(std::move(result)); });
  }

  /// Never from inside the callback that found out: `done_` may destroy this object.
  void fail_later(Errc code, const std::string& why) {
    timer_.stop();
    failed_ = true;  // the socket may still come, and is closed then
    Error error{code, "connect", address_ + " port " + std::to_string(port_) + ": " + why};
    loop_.post([owner = alive_, error = std::move(error)] {
      if (*owner != nullptr) (*owner)->finish(tl::unexpected<Error>(error));
    });
  }

  void finish(Result<std::unique_ptr<TcpStream>> result) {
    *alive_ = nullptr;
    const auto done = std::move(done_);
    done(std::move(result));  // may destroy this object
  }

  Loop& loop_;
  std::string address_;
  std::uint16_t port_;
  std::uint64_t deadline_ms_;
  TcpConnectDone done_;
  std::shared_ptr<SpaceDial*> alive_;  // shared with what is posted; null inside once it is over
  std::unique_ptr<Pending> asking_;    // kept to the end: its callback may be the one that runs
  std::unique_ptr<Pending> connecting_;
  bool failed_ = false;
  Timer timer_;
};

}  // namespace

TcpDial make_space_dial(Loop& loop, AskSocket ask) {
  return [&loop, ask = std::move(ask)](const std::string& address, std::uint16_t port,
                                       std::uint64_t timeout_ms, TcpConnectDone done) {
    auto dial = std::make_unique<SpaceDial>(loop, address, port, timeout_ms, std::move(done));
    dial->start(ask);
    return dial;
  };
}

}  // namespace hpc
