#include "manager/ssh/ssh_connection.h"

#include <utility>

#include "manager/ssh/loop_ssh_connection.h"
#include "manager/ssh/ssh_channel.h"
#include "manager/ssh/ssh_exec.h"

namespace hpc {
namespace {

class LoopSshConnection final : public SshConnection {
 public:
  LoopSshConnection(std::shared_ptr<SshLink> link, std::unique_ptr<SshCarrier> carrier)
      : carrier_(std::move(carrier)),
        link_(std::move(link)),
        commands_(std::make_shared<SshExecQueue>(link_)) {}
  ~LoopSshConnection() override {
    link_->on_ended({});
    link_->kill({Errc::kSsh, "ssh", "the connection was closed on this side"});
  }
  LoopSshConnection(const LoopSshConnection&) = delete;
  LoopSshConnection& operator=(const LoopSshConnection&) = delete;

  std::unique_ptr<Pending> exec(std::string command, std::string input, std::uint64_t timeout_ms,
                                ExecDone done) override {
    return commands_->add(std::move(command), std::move(input), timeout_ms, std::move(done));
  }

  std::unique_ptr<Pending> open_channel(const std::string& host, std::uint16_t port,
                                        std::uint64_t timeout_ms, ConnectDone done) override {
    return open_ssh_channel(link_, host, port, timeout_ms, std::move(done));
  }

  void on_closed(Closed closed) override { link_->on_ended(std::move(closed)); }

 private:
  std::unique_ptr<SshCarrier> carrier_;  // must outlive the link's last bytes as far as possible
  std::shared_ptr<SshLink> link_;
  std::shared_ptr<SshExecQueue> commands_;
};

}  // namespace

Result<std::unique_ptr<SshConnection>> make_ssh_connection(Loop& loop, SshSessionPtr session,
                                                           std::unique_ptr<SshCarrier> carrier,
                                                           SshLinkOptions options) {
  auto link = std::make_shared<SshLink>(loop, std::move(session), options);
  if (auto started = link->start(); !started) return tl::unexpected(started.error());
  return std::make_unique<LoopSshConnection>(std::move(link), std::move(carrier));
}

}  // namespace hpc
