#pragma once
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "manager/ssh/ssh_connector.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/test_sshd.h"

namespace hpc {

/// Answers from a list; nobody there when it is empty.
class ScriptedPrompter final : public SshPrompter {
 public:
  std::optional<std::string> ask(const std::string& prompt, bool /*echo*/) override {
    prompts += prompt + "\n";
    if (answers.empty()) return std::nullopt;
    auto answer = answers.front();
    answers.pop_front();
    return answer;
  }
  std::optional<bool> confirm(const std::string& question) override {
    prompts += question + "\n";
    return confirmation;
  }
  std::deque<std::string> answers;
  std::optional<bool> confirmation;
  std::string prompts;
};

/// A loop, a connector and one sshd.
struct SshFixture : ::testing::Test {
  void SetUp() override {
    if (const char* why = TestSshd::missing()) GTEST_SKIP() << why;
  }

  SshTarget target_of(const TestSshd& sshd) {
    SshTarget target;
    target.host = "127.0.0.1";
    target.port = static_cast<std::uint16_t>(sshd.port());
    target.identities = {sshd.client_key()};
    target.known_hosts = sshd.known_hosts();
    target.ssh_config = sshd.ssh_config("  IdentityFile none");
    return target;
  }

  Result<std::unique_ptr<SshConnection>> connect(const SshTarget& target) {
    std::optional<Result<std::unique_ptr<SshConnection>>> result;
    const auto pending = connector->connect(
        target, prompter,
        [&result](Result<std::unique_ptr<SshConnection>> got) { result = std::move(got); });
    if (!run_until(loop, [&result] { return result.has_value(); })) {
      return fail(Errc::kTimeout, "test", "connect never ended");
    }
    return std::move(*result);
  }

  Result<ExecOutput> exec(SshConnection& connection, const std::string& command,
                          const std::string& input = {}, std::uint64_t timeout_ms = 10'000) {
    std::optional<Result<ExecOutput>> result;
    const auto pending = connection.exec(command, input, timeout_ms,
                                         [&result](auto got) { result = std::move(got); });
    if (!run_until(loop, [&result] { return result.has_value(); })) {
      return fail(Errc::kTimeout, "test", "exec never ended");
    }
    return std::move(*result);
  }

  Result<std::unique_ptr<Stream>> open(SshConnection& connection, std::uint16_t port,
                                       const std::string& host = "127.0.0.1",
                                       std::uint64_t timeout_ms = 10'000) {
    std::optional<Result<std::unique_ptr<Stream>>> result;
    const auto pending = connection.open_channel(host, port, timeout_ms,
                                                 [&result](auto got) { result = std::move(got); });
    if (!run_until(loop, [&result] { return result.has_value(); })) {
      return fail(Errc::kTimeout, "test", "open_channel never ended");
    }
    return std::move(*result);
  }

  /// For conditions outside the loop too: looks again every few milliseconds.
  bool wait(const std::function<bool()>& done) {
    Timer tick(loop, [] {});
    return run_until(loop, [&] {
      if (!tick.active()) tick.start(5);
      return done();
    });
  }

  Loop loop;
  ScriptedPrompter prompter;
  std::unique_ptr<SshConnector> connector = make_ssh_connector(loop);
};

}  // namespace hpc
