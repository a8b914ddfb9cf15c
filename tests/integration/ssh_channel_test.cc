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
INSTANTIATE_TEST_SUITE_P(Ssh, StreamContractTest,
                         ::testing::Values(StreamKind{"ssh", &make_ssh_environment}));

constexpr std::size_t kBulkBytes = std::size_t{64} * 1024 * 1024;

/// SHA-256 over what passes.
class Checksum {
 public:
  Checksum() { crypto_hash_sha256_init(&state_); }
  void add(Bytes bytes) {
    count_ += bytes.size();
    crypto_hash_sha256_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()),
                              bytes.size());
  }
  std::size_t count() const { return count_; }
  std::string finish() {
    std::string sum(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256_final(&state_, reinterpret_cast<unsigned char*>(sum.data()));
    return sum;
  }

 private:
  crypto_hash_sha256_state state_{};
  std::size_t count_ = 0;
};

/// Writes numbered bytes as fast as the other side takes them, then half-closes.
class Source final : public Stream::Listener {
 public:
  Source(Stream& stream, std::size_t total) : stream_(stream), left_(total) {}
  void pump() {
    while (left_ > 0 && stream_.queued_bytes() < kQueueBytesMax) {
      const Bytes part = as_bytes(std::string_view(block_).substr(0, std::min(left_, size_)));
      sum.add(part);
      stream_.write(part);
      left_ -= part.size();
      queued_max = std::max(queued_max, stream_.queued_bytes());
    }
    if (left_ == 0) stream_.shutdown_write();
  }
  void on_data(Bytes /*bytes*/) noexcept override {}
  void on_end() noexcept override {}
  void on_drain() noexcept override { pump(); }
  void on_close(const Status& /*why*/) noexcept override {}
  Checksum sum;
  std::size_t queued_max = 0;

 private:
  Stream& stream_;
  std::size_t left_;
  std::size_t size_ = 50'000;
  std::string block_ = numbered_bytes(size_);
};

class Sink final : public Stream::Listener {
 public:
  void on_data(Bytes bytes) noexcept override {
    sum.add(bytes);
    largest = std::max(largest, bytes.size());
  }
  void on_end() noexcept override { ended = true; }
  void on_drain() noexcept override {}
  void on_close(const Status& status) noexcept override {
    ++closes;
    why = status;
  }
  Checksum sum;
  std::size_t largest = 0;
  bool ended = false;
  int closes = 0;
  Status why;
};

/// A connection, and pairs of streams through it.
struct SshChannelTest : SshFixture {
  void SetUp() override {
    SshFixture::SetUp();
    if (!IsSkipped()) begin({});
  }
  void begin(const std::string& sshd_lines) {
    connection.reset();
    sshd.emplace(sshd_lines);
    auto made = connect(target_of(*sshd));
    ASSERT_TRUE(made) << describe(made.error()) << sshd->log();
    connection = std::move(*made);
    // Once this has been answered, sshd's process for the time before the login has gone.
    ASSERT_TRUE(exec(*connection, "true"));
    server = sshd->sessions().front();
  }
  StreamPair pair() {
    auto ours = open(*connection, backend.port());
    if (!ours) return {};
    run_until(loop, [this] { return !backend.accepted.empty(); });
    StreamPair made{std::move(*ours), std::move(backend.accepted.front())};
    backend.accepted.pop_front();
    return made;
  }

  Backend backend{loop};
  std::optional<TestSshd> sshd;
  std::unique_ptr<SshConnection> connection;
  pid_t server = -1;  // the process at the other end of the connection
};

TEST_F(SshChannelTest, BulkDownIsWholeAndComesInSmallPieces) {
  auto [ours, theirs] = pair();
  ASSERT_TRUE(ours);
  Sink sink;
  Source source(*theirs, kBulkBytes);
  ours->start(sink);
  theirs->start(source);
  source.pump();
  ASSERT_TRUE(wait([&] { return sink.ended; })) << sink.sum.count();
  EXPECT_EQ(sink.sum.count(), kBulkBytes);
  EXPECT_EQ(sink.sum.finish(), source.sum.finish());
  EXPECT_LE(sink.largest, std::size_t{64} * 1024);
}

TEST_F(SshChannelTest, BulkUpIsWholeAndTheQueueStaysBounded) {
  auto [ours, theirs] = pair();
  ASSERT_TRUE(ours);
  Sink sink;
  Source source(*ours, kBulkBytes);
  theirs->start(sink);
  ours->start(source);
  source.pump();
  ASSERT_TRUE(wait([&] { return sink.ended; })) << sink.sum.count();
  EXPECT_EQ(sink.sum.finish(), source.sum.finish());
  EXPECT_LE(source.queued_max, kQueueBytesMax + 50'000);
}

TEST_F(SshChannelTest, PausedReaderKeepsTheOthersFlowingAndLosesNothing) {
  auto [stuck, stuck_far] = pair();
  auto [ours, theirs] = pair();
  ASSERT_TRUE(stuck && ours);
  Sink paused;
  Sink flowing;
  Source first(*stuck_far, 8'000'000);
  Source second(*theirs, 8'000'000);
  stuck->pause_read(PauseReason::kPeerQueueFull);
  stuck->start(paused);
  ours->start(flowing);
  stuck_far->start(first);
  theirs->start(second);
  first.pump();
  second.pump();
  ASSERT_TRUE(wait([&] { return flowing.ended; }));
  EXPECT_EQ(paused.sum.count(), 0U);
  stuck->resume_read(PauseReason::kPeerQueueFull);
  ASSERT_TRUE(wait([&] { return paused.ended; }));
  EXPECT_EQ(paused.sum.finish(), first.sum.finish());
}

TEST_F(SshChannelTest, BufferedBytesComeAfterResumeThoughTheSocketIsQuiet) {
  auto [ours, theirs] = pair();
  ASSERT_TRUE(ours);
  Recorder heard;
  Recorder far;
  ours->pause_read(PauseReason::kPeerQueueFull);
  ours->start(heard);
  theirs->start(far);
  theirs->write(as_bytes(std::string(300'000, 'x')));
  // An answer on another channel shows that the bytes before it have arrived here too.
  ASSERT_TRUE(exec(*connection, "true"));
  ours->resume_read(PauseReason::kPeerQueueFull);
  ASSERT_TRUE(wait([&] { return heard.received.size() == 300'000; })) << heard.received.size();
}

TEST_F(SshChannelTest, ManyWritersShareTheConnection) {
  std::list<StreamPair> pairs;
  std::list<Source> sources;
  std::list<Sink> sinks;
  for (int i = 0; i < 16; ++i) {
    auto& made = pairs.emplace_back(pair());
    ASSERT_TRUE(made.ours);
    made.theirs->start(sinks.emplace_back());
    made.ours->start(sources.emplace_back(*made.ours, 4'000'000));
  }
  for (auto& source : sources) source.pump();
  std::size_t least_when_first_ended = 0;
  ASSERT_TRUE(wait([&] {
    const bool one = std::any_of(sinks.begin(), sinks.end(), [](auto& s) { return s.ended; });
    if (one && least_when_first_ended == 0) {
      const auto slowest = std::min_element(sinks.begin(), sinks.end(), [](auto& a, auto& b) {
        return a.sum.count() < b.sum.count();
      });
      least_when_first_ended = slowest->sum.count();
    }
    return std::all_of(sinks.begin(), sinks.end(), [](auto& s) { return s.ended; });
  }));
  EXPECT_GT(least_when_first_ended, 1'000'000U) << "the last one had to wait for the first";
}

/// Sends a byte back whenever one comes, or counts the round trips of the one that it began with.
class Echo final : public Stream::Listener {
 public:
  explicit Echo(Stream& stream) : stream_(stream) {}
  void on_data(Bytes bytes) noexcept override {
    ++count;
    stream_.write(bytes);
  }
  void on_end() noexcept override {}
  void on_drain() noexcept override {}
  void on_close(const Status& /*why*/) noexcept override {}
  int count = 0;

 private:
  Stream& stream_;
};

// A turn leaves out the channels that have nothing to do; each of these wakes one of them.
TEST_F(SshChannelTest, ChannelsThatRestedGoOnFromEitherEnd) {
  constexpr int kCount = 24;
  struct Pair {
    StreamPair streams;
    Sink near, far;
  };
  std::list<Pair> all;
  for (int i = 0; i < kCount; ++i) {
    auto& one = all.emplace_back();
    one.streams = pair();
    ASSERT_TRUE(one.streams.ours) << i;
    one.streams.ours->start(one.near);
    one.streams.theirs->start(one.far);
  }
  // By now all but the last have rested for a round trip at least.
  std::size_t said = 0;
  for (int round = 0; round < 2; ++round) {
    for (auto& one : all) {
      one.streams.theirs->write(as_bytes("from there"));
      ASSERT_TRUE(wait([&] { return one.near.sum.count() == said + 10; }));
      one.streams.ours->write(as_bytes("from here."));
      ASSERT_TRUE(wait([&] { return one.far.sum.count() == said + 10; }));
    }
    said += 10;
  }
  int turn = 0;
  for (auto& one : all) {
    auto& [speaker, hearer] = one.streams;
    (turn++ % 2 == 0 ? speaker : hearer)->shutdown_write();
    ASSERT_TRUE(wait([&] { return one.near.ended || one.far.ended; }));
    (one.near.ended ? speaker : hearer)->shutdown_write();
    ASSERT_TRUE(wait([&] { return one.near.closes == 1 && one.far.closes == 1; })) << turn;
  }
  // None is left at the server either.
  auto [last, last_far] = pair();
  EXPECT_TRUE(last && last_far);
}

TEST_F(SshChannelTest, AFewBytesDoNotWaitBehindBulkOfEitherDirection) {
  auto [down, down_far] = pair();
  auto [up, up_far] = pair();
  auto [small, small_far] = pair();
  ASSERT_TRUE(down && up && small);
  Sink down_sink;
  Sink up_sink;
  Source down_source(*down_far, kBulkBytes);
  Source up_source(*up, kBulkBytes);
  Echo near(*small);
  Echo far(*small_far);
  down->start(down_sink);
  down_far->start(down_source);
  up_far->start(up_sink);
  up->start(up_source);
  small->start(near);
  small_far->start(far);
  down_source.pump();
  up_source.pump();
  small->write(as_bytes("x"));
  ASSERT_TRUE(wait([&] { return down_sink.ended || up_sink.ended; }));
  EXPECT_GE(near.count, 10) << "round trips while 64 MiB went by";
}

TEST_F(SshChannelTest, ClosedPortIsRefused) {
  std::uint16_t closed = 0;
  {
    Backend gone(loop);
    closed = gone.port();
  }
  const auto stream = open(*connection, closed);
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, Errc::kRefused);
  EXPECT_THAT(stream.error().detail, HasSubstr("127.0.0.1:" + std::to_string(closed)));
}

TEST_F(SshChannelTest, RefusalsThatArriveTogetherAllHaveTheirReason) {
  std::uint16_t closed = 0;
  {
    Backend gone(loop);
    closed = gone.port();
  }
  std::vector<std::unique_ptr<Pending>> pending;
  std::vector<Errc> codes;
  pending.reserve(200);
  for (int i = 0; i < 200; ++i) {
    pending.push_back(connection->open_channel("127.0.0.1", closed, 10'000, [&codes](auto got) {
      codes.push_back(got ? Errc::kSystem : got.error().code);
    }));
  }
  ASSERT_TRUE(wait([&] { return codes.size() == pending.size(); }));
  EXPECT_THAT(codes, ::testing::Each(Errc::kRefused));
}

TEST_F(SshChannelTest, ForwardingSwitchedOffIsForbiddenAndSaysSo) {
  begin("AllowTcpForwarding no");
  const auto stream = open(*connection, backend.port());
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, Errc::kForbidden);
  EXPECT_THAT(stream.error().detail, HasSubstr("AllowTcpForwarding"));
  EXPECT_TRUE(exec(*connection, "true")) << "commands still run";
}

TEST_F(SshChannelTest, UnansweredOpenTimesOutAndLeavesNothingOnTheServer) {
  const int before = open_descriptors(server);
  kill(server, SIGSTOP);
  const auto stream = open(*connection, backend.port(), "127.0.0.1", 50);
  kill(server, SIGCONT);
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, Errc::kTimeout);
  EXPECT_TRUE(
      wait([&] { return open_descriptors(server) == before && !backend.accepted.empty(); }));
}

TEST_F(SshChannelTest, AThousandChannelsLeaveTheServersDescriptorsWhereTheyWere) {
  const int before = open_descriptors(server);
  for (int i = 0; i < 1000; ++i) {
    auto [ours, theirs] = pair();
    ASSERT_TRUE(ours && theirs) << i;
    if (i % 2 == 0) ours->write(as_bytes("bytes that are cut off"));
    if (i % 3 == 0) theirs.reset();
  }
  EXPECT_TRUE(wait([&] { return open_descriptors(server) <= before; }))
      << open_descriptors(server) << " after " << before;
}

TEST_F(SshChannelTest, ManyOpenAtOnceAllAnswer) {
  std::vector<std::unique_ptr<Pending>> pending;
  std::vector<std::unique_ptr<Stream>> streams;
  pending.reserve(300);
  for (int i = 0; i < 300; ++i) {
    pending.push_back(connection->open_channel("127.0.0.1", backend.port(), 10'000, [&](auto got) {
      if (got) streams.push_back(std::move(*got));
    }));
  }
  EXPECT_TRUE(wait([&] { return streams.size() == 300 && backend.accepted.size() == 300; }))
      << streams.size();
}

TEST_F(SshChannelTest, CancelledOpeningIsSilent) {
  bool called = false;
  auto opening =
      connection->open_channel("127.0.0.1", backend.port(), 10'000, [&](auto) { called = true; });
  loop.turn();
  const bool answered_before = called;  // a slow turn may see sshd's answer already
  opening.reset();
  ASSERT_TRUE(wait([&] { return !backend.accepted.empty(); }));
  Recorder far;
  backend.accepted.front()->start(far);
  EXPECT_TRUE(wait([&] { return far.ends + far.closes > 0; })) << "the channel was not closed";
  EXPECT_EQ(called, answered_before);
}

TEST_F(SshChannelTest, EndOfTheServersProcessClosesEverythingOnce) {
  auto [ours, theirs] = pair();
  ASSERT_TRUE(ours);
  Sink sink;
  ours->start(sink);
  int closed = 0;
  connection->on_closed([&closed](const Error& why) {
    ++closed;
    EXPECT_EQ(why.code, Errc::kSsh);
  });
  kill(server, SIGKILL);
  ASSERT_TRUE(wait([&] { return closed == 1 && sink.closes == 1; }));
  EXPECT_FALSE(sink.why);
  EXPECT_EQ(sink.why.error().code, Errc::kSsh);
  settle(loop);
  EXPECT_EQ(closed + sink.closes, 2);
  const auto late = open(*connection, backend.port());
  EXPECT_FALSE(late);
  EXPECT_FALSE(exec(*connection, "true"));
}

TEST_F(SshChannelTest, DroppingTheConnectionClosesItsStreamsWithSsh) {
  auto [ours, theirs] = pair();
  ASSERT_TRUE(ours);
  Sink sink;
  Recorder far;
  ours->start(sink);
  theirs->start(far);
  connection.reset();
  EXPECT_EQ(sink.closes, 0) << "never from inside the call";
  ASSERT_TRUE(wait([&] { return sink.closes == 1 && far.ends + far.closes > 0; }));
  EXPECT_EQ(sink.why.error().code, Errc::kSsh);
}

TEST_F(SshChannelTest, AStoppedServerDoesNotBlockTheLoopAndIsGivenUp) {
  connector = make_ssh_connector(loop, {.keepalive_ms = 200});
  begin({});
  auto [ours, theirs] = pair();
  ASSERT_TRUE(ours);
  Sink sink;
  Source source(*ours, kBulkBytes);
  ours->start(source);
  kill(server, SIGSTOP);
  source.pump();
  bool closed = false;
  connection->on_closed([&closed](const Error& why) {
    closed = true;
    EXPECT_THAT(why.detail, HasSubstr("silent"));
  });
  std::uint64_t longest = 0;
  std::uint64_t turns = 0;
  ASSERT_TRUE(wait([&] {
    static thread_local std::uint64_t last = 0;
    const std::uint64_t now = uv_hrtime() / 1'000'000;
    if (last != 0) longest = std::max(longest, now - last);
    last = now;
    ++turns;
    return closed;
  }));
  EXPECT_LT(longest, 200U) << "a turn of the loop blocked";
  EXPECT_LT(turns, 2000U) << "the loop spins";
  kill(server, SIGKILL);  // else it would stand there for ever
}

}  // namespace
}  // namespace hpc
