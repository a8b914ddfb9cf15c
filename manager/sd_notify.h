#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hpc {

/// Tells the service manager that started us how we are (sd_notify(3), without libsystemd): one
/// datagram to the Unix socket in $NOTIFY_SOCKET for each call. Where that is not set, and where
/// the datagram cannot be sent, nothing happens: nobody's service ends because of this.
class ServiceNotifier {
 public:
  /// Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child
  /// speaks for us. Call it before there are threads.
  static ServiceNotifier from_environment();

  bool wanted() const { return !socket_.empty(); }
  /// How often watchdog() is to be called: half of what the unit allows (WatchdogSec). Nothing:
  /// never.
  std::optional<std::uint64_t> watchdog_period_ms() const { return watchdog_period_ms_; }

  /// We serve: after the start, and after each reloading(). `status` is for people, one line.
  void ready(std::string_view status);
  /// We read the configuration again (Type=notify-reload needs the time that goes with it).
  void reloading();
  /// No new requests; the running ones are being finished.
  void stopping();
  void status(std::string_view status);
  /// The loop still turns.
  void watchdog();

 private:
  void send(std::string_view message) const;

  std::string socket_;  // a path, or '@' and an abstract name; empty: nobody listens
  std::optional<std::uint64_t> watchdog_period_ms_;
};

}  // namespace hpc
