#include "node-proxy/app_connector.h"

#include <charconv>
#include <optional>
#include <utility>

#include "common/tcp_stream.h"
#include "common/timer.h"
#include "common/unix_stream.h"
#include "node-proxy/app_target.h"

namespace hpc {

namespace {

constexpr const char* kAddresses[] = {"127.0.0.1", "::1"};
// An app whose queue of connections is full (Python's http.server holds five) makes the kernel drop
// what it has just told us is connected; nobody's end is there then. It is worth connecting anew,
// after 20 ms, 40 ms, ... 640 ms.
constexpr int kLooksMax = 7;
constexpr std::uint64_t kFirstPauseMs = 20;

Error foreign_error() {
  return {Errc::kForbidden, "app",
          "it belongs to another user of this node; start yours on another "
          "port, or allow this one with --allow-foreign-ports"};
}

Error unknown_error() {
  return {Errc::kForbidden, "app",
          "it may belong to another user, and the kernel does not tell; "
          "allow it with --allow-foreign-ports"};
}

}  // namespace

/// The two addresses one after the other. Its owner may destroy it at any time; `done_` may too.
class AppConnector::Attempt final : public Pending {
 public:
  Attempt(AppConnector& connector, std::string key, std::uint16_t port, ConnectDone done)
      : connector_(connector),
        key_(std::move(key)),
        port_(port),
        done_(std::move(done)),
        pause_(connector.loop_, [this] { start(); }) {
    const auto found = connector_.prefers_v6_.find(key_);
    current_ = found != connector_.prefers_v6_.end() && found->second ? 1 : 0;
    first_ = current_;
  }

  void start() {
    pending_ =
        connect_tcp(connector_.loop_, kAddresses[current_], port_, connector_.rules_.timeout_ms,
                    [this](auto result) { on_result(std::move(result)); });
  }

 private:
  void on_result(Result<std::unique_ptr<TcpStream>> result) noexcept {
    if (result) {
      const auto refusal = look_at(**result);
      if (!refusal) {
        connector_.prefers_v6_[key_] = current_ == 1;
        return finish(std::move(*result));
      }
      if (refusal->code == Errc::kRefused && ++looks_ < kLooksMax) {
        return pause_.start(kFirstPauseMs << (looks_ - 1));
      }
      result = tl::unexpected<Error>(*refusal);
    }
    on_error(result.error());
  }

  /// Nothing was sent yet, and nothing is when this says why not.
  std::optional<Error> look_at(const TcpStream& stream) const {
    if (connector_.rules_.foreign_ports.contains(port_)) return std::nullopt;
    const auto verdict = connector_.owner_.owner_of({kAddresses[current_], port_}, stream.local(),
                                                    connector_.rules_.uid);
    if (!verdict) return unknown_error();
    if (*verdict == TargetVerdict::kOurs) return std::nullopt;
    if (*verdict == TargetVerdict::kForeign) return foreign_error();
    return Error{Errc::kRefused, "connect", "it stopped listening"};
  }

  void on_error(const Error& error) {
    if (error.code == Errc::kRefused || error.code == Errc::kForbidden) {
      connector_.prefers_v6_.erase(key_);
    }
    if (current_ != first_) {
      // What the remembered address says counts, unless the other is there but not ours.
      const bool foreign = error.code == Errc::kForbidden;
      return finish(tl::unexpected<Error>(foreign ? error : first_error_));
    }
    first_error_ = error;
    current_ = 1 - current_;
    // In a later turn: the connect that is calling us is still pending_.
    auto finished = std::move(pending_);
    start();
    finished.reset();
  }

  void finish(Result<std::unique_ptr<Stream>> result) {
    const auto done = std::move(done_);
    done(std::move(result));  // may destroy this object
  }

  AppConnector& connector_;
  std::string key_;
  std::uint16_t port_;
  ConnectDone done_;
  std::size_t current_ = 0;
  std::size_t first_ = 0;
  Error first_error_{Errc::kRefused, "", ""};
  std::unique_ptr<Pending> pending_;
  int looks_ = 0;  // that found nobody's end
  Timer pause_;
};

std::unique_ptr<Pending> AppConnector::connect(const std::string& key, ConnectDone done) {
  const auto target = parse_app_target(key);
  if (target && !target->socket_path.empty()) {
    return connect_unix(loop_, target->socket_path, rules_.uid, rules_.timeout_ms, std::move(done));
  }
  // Keys are made by the handler, from targets that were parsed; 0 is refused by the kernel.
  auto attempt = std::make_unique<Attempt>(*this, key, target ? target->port : std::uint16_t{0},
                                           std::move(done));
  attempt->start();
  return attempt;
}

}  // namespace hpc
