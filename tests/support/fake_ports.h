#pragma once
#include <string>
#include <utility>

#include "node-proxy/port_list.h"

namespace hpc {

/// The ports that a test says.
class FakePorts final : public PortSource {
 public:
  FakePorts() {
    view.known = true;
    view.names_complete = true;
  }
  const PortsView& ports() override {
    ++asked;
    return view;
  }
  void add(std::uint16_t port, std::string name, std::int64_t pid = 4711,
           std::int64_t started_unix_ms = 1'772'366'400'000) {
    view.ports.push_back({port,
                          {"127.0.0.1"},
                          {1},
                          ProcessFinder::Process{pid, 1, started_unix_ms, std::move(name)},
                          false});
  }
  PortsView view;
  int asked = 0;
};

}  // namespace hpc
