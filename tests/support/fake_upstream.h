#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/upstream_pool.h"
#include "tests/support/fake_stream.h"

namespace hpc {

/// A Connector whose connections the test completes by hand and then plays the far end of.
class FakeConnector final : public Connector {
 public:
  struct Attempt {
    std::string key;
    ConnectDone done;
  };

  std::unique_ptr<Pending> connect(const std::string& key, ConnectDone done) override {
    auto attempt = std::make_shared<Attempt>(Attempt{key, std::move(done)});
    attempts.push_back(attempt);
    return std::make_unique<Held>(attempt);
  }

  /// Completes the oldest attempt that was not cancelled. Returns its far end, owned by whoever
  /// asked for it.
  FakeStream* accept() {
    auto done = next();
    if (!done) return nullptr;
    auto stream = std::make_unique<FakeStream>();
    auto* raw = stream.get();
    done(std::unique_ptr<Stream>(std::move(stream)));
    return raw;
  }
  void fail(Errc code) {
    if (auto done = next()) done(hpc::fail(code, "connect", "as the test says"));
  }

  std::deque<std::shared_ptr<Attempt>> attempts;

 private:
  struct Held final : Pending {
    explicit Held(std::shared_ptr<Attempt> attempt) : attempt_(std::move(attempt)) {}
    ~Held() override { attempt_->done = nullptr; }
    std::shared_ptr<Attempt> attempt_;  // shared with the list the test looks at
  };

  ConnectDone next() {
    while (!attempts.empty()) {
      auto attempt = attempts.front();
      attempts.pop_front();
      if (attempt->done) return std::exchange(attempt->done, nullptr);
    }
    return nullptr;
  }
};

}  // namespace hpc
