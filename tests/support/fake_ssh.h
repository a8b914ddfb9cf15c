#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/hello.h"
#include "manager/session/scheduler.h"
#include "manager/ssh/ssh_connector.h"
#include "tests/support/fake_stream.h"

namespace hpc {

/// A command as the far side gets it.
struct FakeCommand {
  std::string command;
  std::string input;
  std::uint64_t timeout_ms = 0;

  /// The marker that the input's first line sets.
  std::string marker() const { return input.substr(input.find('=') + 1, 64); }
};

/// What the far side of a FakeSshConnection does; the test changes it at any time.
struct FakeSite {
  /// Asked for each command, when its answer is due; nothing: as the members below have it.
  std::function<std::optional<Result<ExecOutput>>(const FakeCommand&)> run;
  bool silent = false;                // commands that are begun now never end
  std::vector<FakeCommand> commands;  // all that were begun
  std::string report = "host login01\nuid 1000\nsqueue none\ndirectory no\n";  // between markers
  std::string job_report;       // between the markers of job_fate.h
  Result<void> exec_result;     // an error instead of the report
  Result<void> channel_result;  // an error instead of a channel
  std::string token;            // what the listener proves with; "" proves nothing
  bool answers = true;          // false: silence
  int execs = 0;
  int channels = 0;
  std::vector<std::string> opened;  // "host:port" of each attempt
};

/// A channel whose far end is a well-behaved hpc-proxy as far as hello and sign-in go.
class FakeChannel final : public Stream {
 public:
  FakeChannel(Scheduler& scheduler, FakeSite& site) : scheduler_(scheduler), site_(site) {}
  ~FakeChannel() override { *alive_ = false; }
  FakeChannel(const FakeChannel&) = delete;
  FakeChannel& operator=(const FakeChannel&) = delete;

  void start(Listener& next) override { listener_ = &next; }
  void write_parts(std::span<const Bytes> parts) override {
    for (const Bytes part : parts) written_.append(as_text(part));
    if (written_.find("\r\n\r\n") == std::string::npos || !site_.answers) return;
    const std::string request = std::exchange(written_, "");
    deliver(answer_to(request));
  }
  std::size_t queued_bytes() const override { return 0; }
  void pause_read(PauseReason) override {}
  void resume_read(PauseReason) override {}
  void shutdown_write() override {}
  void abort(const Error&) override {}

  void deliver(std::string text) {
    scheduler_.post([this, alive = alive_, text = std::move(text)] {
      if (*alive) listener_->on_data(as_bytes(text));
    });
  }
  /// As hpc-proxy does when it ends.
  void end() {
    scheduler_.post([this, alive = alive_] {
      if (*alive) listener_->on_end();
    });
  }

 private:
  static std::string response(const std::string& status, const std::string& body) {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }
  std::string answer_to(const std::string& request) const {
    const std::string path = "GET /.hpc-proxy/hello?nonce=";
    if (request.rfind(path, 0) == 0) {
      if (site_.token.empty()) return response("404 Not Found", "");
      const auto hmac = hello_hmac(site_.token, request.substr(path.size(), 64));
      return response("200 OK", "{\"hmac\":\"" + hmac.value_or("") + "\"}");
    }
    const bool signed_in =
        request.find("X-HPC-Proxy-Token: " + site_.token + "\r\n") != std::string::npos;
    return signed_in ? response("200 OK", "{}") : response("401 Unauthorized", "");
  }

  Scheduler& scheduler_;
  FakeSite& site_;
  Listener* listener_ = nullptr;
  std::string written_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// Runs `task` in the next turn unless destroyed before.
class FakePending final : public Pending {
 public:
  FakePending(Scheduler& scheduler, std::function<void()> task) {
    scheduler.post([alive = alive_, task = std::move(task)] {
      if (*alive) task();
    });
  }
  ~FakePending() override { *alive_ = false; }
  FakePending(const FakePending&) = delete;
  FakePending& operator=(const FakePending&) = delete;

 private:
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class FakeSshConnection final : public SshConnection {
 public:
  FakeSshConnection(Scheduler& scheduler, FakeSite& site, FakeSshConnection*& current)
      : scheduler_(scheduler), site_(site), current_(current) {
    current_ = this;
  }
  ~FakeSshConnection() override {
    if (current_ == this) current_ = nullptr;
  }
  FakeSshConnection(const FakeSshConnection&) = delete;
  FakeSshConnection& operator=(const FakeSshConnection&) = delete;

  std::unique_ptr<Pending> exec(std::string command, std::string input, std::uint64_t timeout_ms,
                                ExecDone done) override {
    ++site_.execs;
    site_.commands.push_back({std::move(command), std::move(input), timeout_ms});
    if (site_.silent) return std::make_unique<Pending>();
    return std::make_unique<FakePending>(
        scheduler_, [&site = site_, asked = site_.commands.back(), done = std::move(done)] {
          done(answer(site, asked));
        });
  }
  std::unique_ptr<Pending> open_channel(const std::string& host, std::uint16_t port, std::uint64_t,
                                        ConnectDone done) override {
    ++site_.channels;
    site_.opened.push_back(host + ":" + std::to_string(port));
    return std::make_unique<FakePending>(scheduler_, [this, done = std::move(done)] {
      if (!site_.channel_result) return done(tl::unexpected(site_.channel_result.error()));
      auto channel = std::make_unique<FakeChannel>(scheduler_, site_);
      last_channel = channel.get();
      done(std::move(channel));
    });
  }
  void on_closed(Closed closed) override { closed_ = std::move(closed); }

  /// The server cuts the connection.
  void die(const std::string& why) {
    scheduler_.post([closed = closed_, why] { closed(Error{Errc::kNetwork, "ssh", why}); });
  }

  FakeChannel* last_channel = nullptr;

 private:
  static Result<ExecOutput> answer(const FakeSite& site, const FakeCommand& asked) {
    if (site.run) {
      if (auto said = site.run(asked)) return *std::move(said);
    }
    if (!site.exec_result) return tl::unexpected(site.exec_result.error());
    if (asked.input.find("hpc_manager_job") != std::string::npos) {
      return ExecOutput{
          "\n" + asked.marker() + " begin\n" + site.job_report + asked.marker() + " end\n", "", 0};
    }
    return ExecOutput{asked.marker() + " begin\n" + site.report + asked.marker() + " end\n", "", 0};
  }

  Scheduler& scheduler_;
  FakeSite& site_;
  FakeSshConnection*& current_;
  Closed closed_;
};

class FakeSshConnector final : public SshConnector {
 public:
  FakeSshConnector(Scheduler& scheduler, FakeSite& site) : scheduler_(scheduler), site_(site) {}
  std::unique_ptr<Pending> connect(const SshTarget& target, std::shared_ptr<SshPrompter> asking,
                                   SshConnectDone done) override {
    ++connects;
    targets.push_back(target);
    prompter = std::move(asking);
    if (!answers) return std::make_unique<Pending>();
    return std::make_unique<FakePending>(scheduler_, [this, done = std::move(done)] {
      if (!result) return done(tl::unexpected(result.error()));
      done(std::make_unique<FakeSshConnection>(scheduler_, site_, current));
    });
  }

  Result<void> result;  // an error instead of a connection
  bool answers = true;  // false: silence
  int connects = 0;
  std::vector<SshTarget> targets;         // of each connect
  std::shared_ptr<SshPrompter> prompter;  // of the last
  FakeSshConnection* current = nullptr;   // the live one

 private:
  Scheduler& scheduler_;
  FakeSite& site_;
};

class FakePrompter final : public SshPrompter {
 public:
  std::optional<std::string> ask(const std::string&, bool) override { return std::nullopt; }
  std::optional<bool> confirm(const std::string&) override { return std::nullopt; }
};

}  // namespace hpc
