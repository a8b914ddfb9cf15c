// Channels over a real sshd: the contract of every stream, bulk bytes, fairness, ends.
#include <gmock/gmock.h>
#include <signal.h>
#include <sodium.h>

#include <algorithm>
#include <chrono>
#include <list>

#include "common/relay.h"
#include "common/tcp_stream.h"
#include "tests/support/ssh_fixture.h"
#include "tests/support/stream_contract.h"

namespace hpc {
namespace {

using ::testing::HasSubstr;

/// A listener on 127.0.0.1 that keeps what it accepts.
class Backend {
 public:
  explicit Backend(Loop& loop) {
    auto made = TcpListener::listen(loop, "127.0.0.1", 0, [this](std::unique_ptr<TcpStream> one) {
      accepted.push_back(std::move(one));
    });
    if (made) listener_ = std::move(*made);
  }
  std::uint16_t port() const { return listener_->port(); }
  std::list<std::unique_ptr<TcpStream>> accepted;

 private:
  std::unique_ptr<TcpListener> listener_;
};

/// One sshd and one connection to it for a test of the stream contract.
class SshEnvironment final : public StreamEnvironment {
 public:
  SshEnvironment() {
    SshTarget target;
    target.host = "127.0.0.1";
    target.port = static_cast<std::uint16_t>(sshd_.port());
    target.identities = {sshd_.client_key()};
    target.known_hosts = sshd_.known_hosts();
    target.ssh_config = sshd_.ssh_config("  IdentityFile none");
    connecting_ = connector_->connect(target, prompter_, [this](auto result) {
      if (result) connection_ = std::move(*result);
    });
    run_until(loop_, [this] { return connection_ != nullptr; });
  }
  Loop& loop() override { return loop_; }
  StreamPair connect() override {
    StreamPair pair;
    if (!connection_) return pair;
    opening_ = connection_->open_channel("127.0.0.1", backend_.port(), 10'000, [&pair](auto got) {
      if (got) pair.ours = std::move(*got);
    });
    run_until(loop_, [&] { return pair.ours && !backend_.accepted.empty(); });
    if (backend_.accepted.empty()) return pair;
    pair.theirs = std::move(backend_.accepted.front());
    backend_.accepted.pop_front();
    return pair;
  }
  bool abort_is_seen_as_failure() const override { return false; }

 private:
  Loop loop_;
  TestSshd sshd_;
  ScriptedPrompter prompter_;
  Backend backend_{loop_};
  std::unique_ptr<SshConnector> connector_ = make_ssh_connector(loop_);
  std::unique_ptr<SshConnection> connection_;
  std::unique_ptr<Pending> connecting_, opening_;
};

std::unique_ptr<StreamEnvironment> make_ssh_environment() {
  return std::make_unique<SshEnvironment>();
}
INSTANTIATE_TEST_SUITE_P(Ssh, StreamContractTest, ::testing::Values(StreamKind{"ssh", &make_ssh_environment}));

}  // namespace
}  // namespace hpc
