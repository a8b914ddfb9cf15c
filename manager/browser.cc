#include "manager/browser.h"

#include <uv.h>

#include <array>

namespace hpc {

Status open_browser(Loop& loop, const std::string& url) {
  std::string program = "xdg-open";
  std::string address = url;
  std::array<char*, 3> arguments = {program.data(), address.data(), nullptr};
  std::array<uv_stdio_container_t, 3> no_terminal{};
  for (auto& stream : no_terminal) stream.flags = UV_IGNORE;
  uv_process_options_t options{};
  options.file = program.c_str();
  options.args = arguments.data();
  options.flags = UV_PROCESS_DETACHED;
  options.stdio_count = static_cast<int>(no_terminal.size());
  options.stdio = no_terminal.data();
  const auto close_it = [](uv_process_t* process) {
    uv_close(reinterpret_cast<uv_handle_t*>(process),
             [](uv_handle_t* closed) { delete reinterpret_cast<uv_process_t*>(closed); });
  };
  options.exit_cb = nullptr;
  auto* process = new uv_process_t;
  const int rc = uv_spawn(loop.uv(), process, &options);
  close_it(process);  // its end is of no interest; the handle goes, the browser stays
  if (rc != 0) return fail(Errc::kSystem, "xdg-open", uv_strerror(rc));
  return {};
}

}  // namespace hpc
