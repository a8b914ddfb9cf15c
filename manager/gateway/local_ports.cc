#include "manager/gateway/local_ports.h"

#include <utility>
#include <vector>

#include "common/http_server.h"
#include "manager/gateway/local_listeners.h"

namespace hpc {

class LocalPorts::Held final : public HeldPort {
 public:
  Held(LocalPorts& ports, std::vector<std::unique_ptr<TcpListener>> listeners)
      : ports_(ports), listeners_(std::move(listeners)) {
    ++ports_.held_;
  }
  ~Held() override { --ports_.held_; }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  LocalPorts& ports_;
  std::vector<std::unique_ptr<TcpListener>> listeners_;
};

Result<std::unique_ptr<HeldPort>> LocalPorts::bind(const std::string& owner, std::uint16_t port) {
  auto listeners = listen_on_loopback(loop_, port, [this, owner](auto stream) {
    ClientInfo client = client_info(*stream);
    client.lent_to = owner;
    accepted_(std::move(stream), std::move(client));
  });
  if (!listeners) return tl::unexpected(listeners.error());
  return std::make_unique<Held>(*this, std::move(*listeners));
}

}  // namespace hpc
