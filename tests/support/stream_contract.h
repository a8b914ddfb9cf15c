#pragma once
// The promises of common/stream.h as tests that every implementation passes; they are in
// stream_contract.cc, which a test program compiles once. An implementation instantiates
// StreamContractTest with a factory of environments:
//   INSTANTIATE_TEST_SUITE_P(Tcp, StreamContractTest, ::testing::Values(StreamKind{"tcp",
//   &make_tcp}));
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "common/stream.h"
#include "tests/support/loop_fixture.h"

namespace hpc {

/// Two connected ends: `ours` is the implementation under test, `theirs` any Stream.
struct StreamPair {
  std::unique_ptr<Stream> ours;
  std::unique_ptr<Stream> theirs;
};

/// What the streams need to live: a loop, a server. One per test.
class StreamEnvironment {
 public:
  virtual ~StreamEnvironment() = default;
  virtual Loop& loop() = 0;
  virtual StreamPair connect() = 0;
  /// False where the transport tells the far end of an abort by a plain close (SSH channels).
  virtual bool abort_is_seen_as_failure() const { return true; }
};

/// An implementation under test; the name keeps test names stable and readable.
struct StreamKind {
  const char* name;
  std::unique_ptr<StreamEnvironment> (*make)();
};
inline void PrintTo(const StreamKind& kind, std::ostream* out) { *out << kind.name; }

/// Writes down what it hears.
class Recorder final : public Stream::Listener {
 public:
  void on_data(Bytes bytes) noexcept override {
    EXPECT_EQ(closes, 0);
    received.append(as_text(bytes));
  }
  void on_end() noexcept override { ++ends; }
  void on_drain() noexcept override { ++drains; }
  void on_close(const Status& status) noexcept override {
    ++closes;
    why = status;
  }
  std::string received;
  int ends = 0;
  int drains = 0;
  int closes = 0;
  Status why;
};

class StreamContractTest : public ::testing::TestWithParam<StreamKind> {
 protected:
  void SetUp() override {
    environment = GetParam().make();
    pair = environment->connect();
    ASSERT_TRUE(pair.ours && pair.theirs);
    pair.ours->start(ours);
    pair.theirs->start(theirs);
  }
  void TearDown() override {
    pair = {};
    environment.reset();
  }
  bool wait_for(const std::function<bool()>& done) { return run_until(environment->loop(), done); }

  std::unique_ptr<StreamEnvironment> environment;
  Recorder ours, theirs;
  StreamPair pair;
};

inline std::string numbered_bytes(std::size_t count) {
  std::string text;
  text.reserve(count + 16);
  for (std::size_t i = 0; text.size() < count; ++i) text += std::to_string(i) + ",";
  text.resize(count);
  return text;
}

}  // namespace hpc
