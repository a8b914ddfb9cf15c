#pragma once
#include <memory>
#include <string>
#include <vector>

#include "common/log.h"
#include "common/loop.h"
#include "common/timer.h"
#include "manager/console.h"
#include "manager/gateway/local_ports.h"
#include "manager/sd_notify.h"
#include "manager/serve_core.h"
#include "manager/serve_listeners.h"
#include "manager/serve_options.h"
#include "manager/signal_watch.h"

namespace hpc {

/// `hpc-manager serve`: builds the parts, owns them, runs until a signal.
///
/// SIGTERM and SIGINT drain: nothing new is taken, running exchanges have --drain-timeout, the
/// second signal ends at once. Jobs are not touched. SIGHUP reads the configuration and the
/// certificate again (serve_reload.h).
class ServeCommand {
 public:
  explicit ServeCommand(ServeOptions options);
  ~ServeCommand();
  ServeCommand(const ServeCommand&) = delete;
  ServeCommand& operator=(const ServeCommand&) = delete;

  /// The exit code of contract 1.
  int run();

 private:
  Status build();
  void watch_signals();
  void announce();
  void on_end_signal();
  void reload();
  void read_again();
  void feed_watchdog();
  std::string status() const;

  ServeOptions options_;
  Log log_;
  Console console_;
  Loop loop_;               // before everything that has handles on it
  LocalPorts local_ports_;  // the core's ports
  std::unique_ptr<ServeCore> core_;
  std::unique_ptr<ServeListeners> listeners_;  // its servers use the core
  std::vector<std::unique_ptr<SignalWatch>> signals_;
  ServiceNotifier notifier_;
  Timer watchdog_;
  std::uint16_t port_asked_for_ = 0;  // 0: any free one
  bool ending_ = false;
};

}  // namespace hpc
