// What the kernel's texts say of sockets and processes, and the names that processes chose.
#include <algorithm>
#include <string>
#include <vector>

#include "common/utf8.h"
#include "node-proxy/listening_sockets.h"
#include "node-proxy/port_list.h"
#include "node-proxy/process.h"
#include "node-proxy/process_finder.h"
#include "node-proxy/process_label.h"
#include "node-proxy/run/unmoved_program.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace hpc;

void check_label(std::string_view text) {
  const std::size_t cut = std::min(text.find('\n'), text.size());
  const auto label = process_label(text.substr(0, cut), text.substr(cut));
  require(label.size() <= kProcessLabelBytesMax, "a label has a limit");
  for (std::string_view rest = label; !rest.empty();) {
    const std::size_t size = printable_utf8_size(rest);
    require(size > 0, "a label is printable");
    rest.remove_prefix(size);
  }
}

void check_dump(std::string_view text) {
  constexpr std::uint32_t kUid = 20001;
  std::vector<SocketEntry> sockets;
  const auto ended =
      parse_diag_dump(std::as_bytes(std::span(text.data(), text.size())), 1, kUid, sockets);
  require(ended || ended.error().code != Errc::kUsage, "an error of its own");
  for (const auto& socket : sockets) {
    require(socket.uid == kUid && socket.inode != 0 && socket.state == kTcpStateListen,
            "only listeners of the user");
  }
  const auto view = make_ports_view(sockets, 0);
  require(view.ports.size() <= kPortsMax, "ports have a limit");
  for (const auto& port : view.ports) {
    require(port.addresses.size() == port.inodes.size() && port.inodes.size() <= 4,
            "one socket for each address");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz_text(data, size);
  parse_proc_net_line(text);
  if (const auto stat = parse_process_stat(text)) {
    require(stat->start_ticks >= 0, "a start is not before the boot");
    start_unix_ms(*stat);
  }
  if (const auto inode = parse_socket_link(text)) {
    require(text.ends_with(std::to_string(*inode) + "]") || text.find("[0") != text.npos,
            "the inode is what stands there");
  }
  ProgramFacts facts;
  parse_auxiliary_vector(std::as_bytes(std::span(text.data(), text.size())), facts);
  maps_library(text);
  preloads_library(text);
  check_label(text);
  check_dump(text);
  return 0;
}
