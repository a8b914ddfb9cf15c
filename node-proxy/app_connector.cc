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

// An app whose queue of connections is full (Python's http.server holds five) makes the kernel drop
// what it has just told us is connected; nobody's end is there then. It is worth connecting anew,
// after 20 ms, 40 ms, ... 640 ms.
constexpr int kLooksMax = 7;
constexpr std::uint64_t kFirstPauseMs = 20;

/// `in_the_way`: a program of the user's own could not listen there as well.
Error foreign_error(bool in_the_way) {
  if (!in_the_way) {
    return {
        Errc::kForbidden, "app",
        "it belongs to another user of this node; as soon as the command of this run listens on "
        "this port, that is shown instead"};
  }
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

/// The addresses one after the other. Its owner may destroy it at any time; `done_` may too.
class AppConnector::Attempt final : public Pending {
 public:
  Attempt(AppConnector& connector, std::string key, std::uint16_t port, ConnectDone done)
      : connector_(connector),
        key_(std::move(key)),
        port_(port),
        done_(std::move(done)),
        v6_first_(connector.v6_first(key_)),
        pause_(connector.loop_, [this] { start(); }) {}

  void start() {
    pending_ = connector_.dial_(address(), port_, connector_.rules_.timeout_ms,
                                [this](auto result) { on_result(std::move(result)); });
  }

 private:
  // Which addresses there are, in the order in which they are tried: the private ones, and then the
  // two common ones.
  std::size_t private_count() const { return connector_.rules_.private_addresses.size(); }
  bool is_private() const { return current_ < private_count(); }
  bool is_v6() const { return (current_ == private_count()) == v6_first_; }
  const std::string& address() const {
    if (is_private()) return connector_.rules_.private_addresses[current_];
    return is_v6() ? connector_.v6_ : connector_.v4_;
  }

  void on_result(Result<std::unique_ptr<TcpStream>> result) noexcept {
    if (result) {
      const auto refusal = look_at(**result);
      if (!refusal) {
        if (!is_private()) connector_.note_family(key_, is_v6());
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
    const auto verdict =
        connector_.owner_.owner_of({address(), port_}, stream.local(), connector_.rules_.uid);
    if (!verdict) return unknown_error();
    if (*verdict == TargetVerdict::kOurs) return std::nullopt;
    if (*verdict == TargetVerdict::kForeign) {
      return foreign_error(is_private() || connector_.rules_.private_addresses.empty());
    }
    return Error{Errc::kRefused, "connect", "it stopped listening"};
  }

  void on_error(const Error& error) {
    if (error.code == Errc::kRefused || error.code == Errc::kForbidden) {
      connector_.note_family(key_, false);
    }
    // Of the two common addresses what the first one says counts, unless there is a program that is
    // not ours. Where nothing has a private port, the app may be one that could not be moved.
    const bool foreign = error.code == Errc::kForbidden;
    if (foreign || (!first_error_ && !(is_private() && error.code == Errc::kRefused))) {
      first_error_ = error;
    }
    if (current_ == private_count() + 1) return finish(tl::unexpected<Error>(*first_error_));
    ++current_;
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
  const bool v6_first_;
  std::size_t current_ = 0;  // which address is tried
  std::optional<Error> first_error_;
  std::unique_ptr<Pending> pending_;
  int looks_ = 0;  // that found nobody's end
  Timer pause_;
};

AppConnector::AppConnector(Loop& loop, TargetOwner& owner, Rules rules, TcpDial dial)
    : loop_(loop), owner_(owner), rules_(std::move(rules)), dial_(std::move(dial)) {
  if (dial_) return;
  dial_ = [&loop](const std::string& address, std::uint16_t port, std::uint64_t timeout_ms,
                  TcpConnectDone done) {
    return connect_tcp(loop, address, port, timeout_ms, std::move(done));
  };
}

void AppConnector::note_family(const std::string& key, bool v6) {
  if (v6) {
    prefers_v6_.insert(key);
  } else {
    prefers_v6_.erase(key);
  }
}

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
