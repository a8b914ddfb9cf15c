#pragma once
#include <memory>
#include <vector>

#include "common/log.h"
#include "common/loop.h"
#include "manager/console.h"
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

  ServeOptions options_;
  Log log_;
  Console console_;
  Loop loop_;  // before everything that has handles on it
  struct NoPorts final : PortBinder {
    Result<std::unique_ptr<HeldPort>> bind(const std::string&, std::uint16_t) override {
      return fail(Errc::kSystem, "x", "x");
    }
  } no_ports_;
  std::unique_ptr<ServeCore> core_;
  std::unique_ptr<ServeListeners> listeners_;  // its servers use the core
  std::vector<std::unique_ptr<SignalWatch>> signals_;
  std::uint16_t port_asked_for_ = 0;  // 0: any free one
  bool ending_ = false;
};

}  // namespace hpc
