#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/loop.h"
#include "common/result.h"
#include "common/socket_lookup.h"
#include "common/timer.h"
#include "node-proxy/process_finder.h"

namespace hpc {

/// A TCP port on which a program of the user listens, where hpc-proxy can reach it.
struct ListeningPort {
  std::uint16_t port = 0;
  std::vector<std::string> addresses;             // private ones, 127.0.0.1, 0.0.0.0, ::1, ::
  std::vector<std::uint32_t> inodes;              // of its sockets, one for each address
  std::optional<ProcessFinder::Process> process;  // nothing: not known (yet), or it hides
  bool is_private = false;                        // another user can have the same number
};

struct PortsView {
  bool known = false;                // else the kernel could not be asked
  bool names_complete = false;       // else processes are still being looked for
  std::size_t left_out = 0;          // ports past kPortsMax
  std::vector<ListeningPort> ports;  // lowest first
};

// A page with more lines is not read by anybody.
constexpr std::size_t kPortsMax = 256;

/// Where the listeners are that this hpc-proxy reaches; `hpc-proxy run` has other places.
struct PortScope {
  using Sockets = Result<std::vector<SocketEntry>>;
  // Of a run in loopback mode: reached first, so they come first in a line.
  std::vector<std::string> private_addresses;
  // The user's listening sockets of another network namespace, where everything is private. Empty:
  // own_listening_sockets().
  std::function<Sockets()> network_space;
  // Told what was seen at every look; may be empty.
  std::function<void(const std::vector<SocketEntry>&)> on_look;
};

/// Which ports of the user have a listener right now.
class PortSource {
 public:
  virtual ~PortSource() = default;
  /// At most PortList::kFreshMs old. Stays valid until the next call.
  virtual const PortsView& ports() = 0;
};

/// Asks the kernel, and /proc for the processes: the first slice at once, the others in later
/// turns of the loop, so that a turn takes a few milliseconds at most.
class PortList final : public PortSource {
 public:
  // Pages that reload themselves and scripts that ask in a loop share one look.
  static constexpr std::uint64_t kFreshMs = 500;

  /// What `scope` refers to must outlive this object.
  PortList(Loop& loop, std::uint32_t uid, PortScope scope = {});
  /// hpc-proxy's own port.
  void leave_out(std::uint16_t port) { own_port_ = port; }
  const PortsView& ports() override;

 private:
  void refresh();
  void go_on();
  void fill_in();

  Loop& loop_;
  std::uint32_t uid_;
  PortScope scope_;
  std::uint16_t own_port_ = 0;
  ProcessFinder finder_;
  PortsView view_;
  std::optional<std::uint64_t> looked_at_ms_;
  Timer timer_;
};

/// Sockets as ports, without `own_port` and what cannot be reached over a private address of the
/// scope, 127.0.0.1 or [::1]. Pure.
PortsView make_ports_view(const std::vector<SocketEntry>& sockets, std::uint16_t own_port,
                          const PortScope& scope = {});

/// The address that a socket is bound to, if it is one of 127.0.0.1, 0.0.0.0, ::1 and ::, over
/// which every program of this node reaches it; else null.
const char* common_address(const SocketEnd& bound);

}  // namespace hpc
