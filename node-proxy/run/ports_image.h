#pragma once
#include <string_view>

namespace hpc {

/// The bytes of libhpc_ports.so as it was built with this program
/// (node-proxy/ports/CMakeLists.txt).
std::string_view ports_image();

}  // namespace hpc
