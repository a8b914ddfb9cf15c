// Texts of the environment and of /proc around the preloaded library. A list of shared ports is
// read by hpc-proxy first and then, in C, by the library in every program: both must take the same
// lists.
#include <cstring>
#include <string>

#include "node-proxy/port_set.h"
#include "node-proxy/ports/settings.h"
#include "node-proxy/run/unmoved_program.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" {
#include "node-proxy/ports/proc_net.h"
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  const std::string text(fuzz_text(data, size));
  hpc_ports_settings settings{};
  if (hpc_parse_settings(text.c_str(), nullptr, &settings) != 0) {
    require(settings.shared_count == 0, "nothing is shared where nothing says so");
    require(settings.v4 != settings.v6, "two addresses");
  }
  if (!text.empty() && text.size() == std::strlen(text.c_str())) {
    const auto list = PortSet::parse(text);
    const bool read = hpc_parse_settings("127.64.9.4", text.c_str(), &settings) != 0;
    require(read == list.has_value(), "both take the list, or neither");
    for (std::uint32_t port = 1; read && port <= 65535; port += 251) {
      const auto one = static_cast<std::uint16_t>(port);
      require((hpc_is_shared(&settings, one) != 0) == list->contains(one), "the same ports");
    }
  }
  hpc_is_line_of(text.c_str(), "0100007F:1F90", "0A", 1000);
  ProgramFacts facts;
  parse_auxiliary_vector(std::as_bytes(std::span{text.data(), text.size()}), facts);
  maps_library(text);
  preloads_library(text);
  return 0;
}
