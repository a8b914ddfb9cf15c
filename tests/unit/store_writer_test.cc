#include "manager/store/store_writer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "common/loop_mailbox.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/store_rows.h"

namespace hpc {
namespace {

/// Stops the writer's thread inside a commit until the test lets it go.
class Gate {
 public:
  void close() { set(false); }
  void open() { set(true); }
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void wait_for_arrival(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= count; });
  }

 private:
  void set(bool open) {
    const std::scoped_lock lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int arrived_ = 0;
};

const Status kDiskFull = fail(Errc::kSystem, "state file", "the disk is full");
const Status kContradiction = fail(Errc::kBadRequest, "state file", "no such session");

class FakeBackend final : public StoreBackend {
 public:
  Gate gate;
  std::vector<Status> commit(const Writes& writes) override {
    gate.pass();
    const std::scoped_lock lock(mutex_);
    groups_.push_back(writes.size());
    std::vector<Status> statuses(writes.size(), answer_);
    if (answer_) {
      for (std::size_t i = 0; i < writes.size(); ++i) {
        if (writes[i].empty()) statuses[i] = kContradiction;
      }
    }
    return statuses;
  }
  Status probe() override {
    const std::scoped_lock lock(mutex_);
    ++probes_;
    return answer_;
  }
  void answer(const Status& status) {
    const std::scoped_lock lock(mutex_);
    answer_ = status;
  }
  std::vector<std::size_t> groups() {
    const std::scoped_lock lock(mutex_);
    return groups_;
  }
  int probes() {
    const std::scoped_lock lock(mutex_);
    return probes_;
  }

 private:
  std::mutex mutex_;
  Status answer_;
  std::vector<std::size_t> groups_;
  int probes_ = 0;
};

// The group time is the real one: what is shown here holds with it.
constexpr StoreWriter::Times kTimes{StoreWriter::Times{}.group, std::chrono::milliseconds(1)};

struct StoreWriterTest : LoopFixture {
  FakeBackend backend;
  LoopMailbox mailbox{loop};
  std::unique_ptr<StoreWriter> writer = make();
  std::vector<int> done;
  std::vector<Status> statuses;

  ~StoreWriterTest() override {
    backend.gate.open();
    writer.reset();
    mailbox.close();
  }
  std::unique_ptr<StoreWriter> make() {
    return std::make_unique<StoreWriter>(
        backend, [this](std::function<void()> task) { mailbox.send(std::move(task)); }, kTimes);
  }
  Status write(int name, std::vector<Change> changes = {DropLeases{"s"}}) {
    return writer->write(std::move(changes), [this, name](const Status& status) {
      done.push_back(name);
      statuses.push_back(status);
    });
  }
  bool wait_for_done(std::size_t count) {
    return wait_for([this, count] { return done.size() >= count; });
  }
};

TEST_F(StoreWriterTest, ReportsOnTheLoopAndOnlyAfterTheCommit) {
  backend.gate.close();
  ASSERT_TRUE(write(1));
  backend.gate.wait_for_arrival(1);
  settle(loop);
  EXPECT_TRUE(done.empty());
  backend.gate.open();
  ASSERT_TRUE(wait_for_done(1));
  EXPECT_TRUE(statuses[0].has_value());
}

TEST_F(StoreWriterTest, GroupsWhatComesDuringACommitAndKeepsTheOrder) {
  backend.gate.close();
  ASSERT_TRUE(write(0));
  backend.gate.wait_for_arrival(1);
  for (int name = 1; name <= 100; ++name) ASSERT_TRUE(write(name));
  backend.gate.open();
  ASSERT_TRUE(wait_for_done(101));
  EXPECT_EQ(backend.groups(), (std::vector<std::size_t>{1, 100}));
  for (int name = 0; name <= 100; ++name) EXPECT_EQ(done[static_cast<std::size_t>(name)], name);
}

TEST_F(StoreWriterTest, BeginsAtMostOneTransactionInAGroupTime) {
  const auto begin = std::chrono::steady_clock::now();
  for (int name = 0; name < 10; ++name) {
    ASSERT_TRUE(write(name));
    ASSERT_TRUE(wait_for_done(static_cast<std::size_t>(name) + 1));
  }
  // The first at once, each of the others a group time after the one before it.
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 9 * kTimes.group);
}

TEST_F(StoreWriterTest, RefusesWhatPassesTheLimitAndLosesNothingThatWasAccepted) {
  backend.gate.close();
  ASSERT_TRUE(write(0, std::vector<Change>(kQueuedChangesMax - 1, DropLeases{"s"})));
  ASSERT_TRUE(write(1));
  const auto refused = write(2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnavailable);
  backend.gate.open();
  ASSERT_TRUE(wait_for_done(2));
  EXPECT_EQ(done, (std::vector<int>{0, 1}));
  EXPECT_TRUE(write(3));
  ASSERT_TRUE(wait_for_done(3));
  EXPECT_EQ(done.back(), 3);
}

TEST_F(StoreWriterTest, CountsWhatIsBeingWrittenAsWaiting) {
  backend.gate.close();
  ASSERT_TRUE(write(0, std::vector<Change>(kQueuedChangesMax, DropLeases{"s"})));
  backend.gate.wait_for_arrival(1);
  EXPECT_FALSE(write(1));
}

TEST_F(StoreWriterTest, LimitsTheBytesThatWait) {
  backend.gate.close();
  const Change small = event_of(1, "s", "");
  const std::size_t room = kQueuedBytesMax - change_bytes(small);
  ASSERT_FALSE(write(0, {event_of(1, "s", std::string(room + 1, 'x'))}));
  ASSERT_TRUE(write(1, {event_of(1, "s", std::string(room, 'x'))}));
  EXPECT_FALSE(write(2));
  backend.gate.open();
  ASSERT_TRUE(wait_for_done(1));
  EXPECT_TRUE(write(3));
}

TEST_F(StoreWriterTest, TellsAllCallersOfAFailedTransactionAndTriesAgainLater) {
  backend.answer(kDiskFull);
  backend.gate.close();
  for (int name = 0; name < 3; ++name) ASSERT_TRUE(write(name));
  backend.gate.open();
  ASSERT_TRUE(wait_for_done(3));
  for (const Status& status : statuses) EXPECT_FALSE(status);
  ASSERT_FALSE(writer->health());
  EXPECT_NE(writer->health().error().detail.find("disk is full"), std::string::npos);
  backend.answer({});
  ASSERT_TRUE(write(3));
  ASSERT_TRUE(wait_for_done(4));
  EXPECT_TRUE(statuses[3].has_value());
  EXPECT_TRUE(writer->health().has_value());
}

TEST_F(StoreWriterTest, HealsWithoutWrites) {
  backend.answer(kDiskFull);
  ASSERT_TRUE(write(0));
  ASSERT_TRUE(wait_for([this] { return backend.probes() >= 2; }));
  EXPECT_FALSE(writer->health());
  backend.answer({});
  EXPECT_TRUE(wait_for([this] { return writer->health().has_value(); }));
  const int probes = backend.probes();
  ASSERT_TRUE(write(1));
  ASSERT_TRUE(wait_for_done(2));
  EXPECT_LE(backend.probes(), probes + 1) << "a healthy store is not asked again";
}

TEST_F(StoreWriterTest, AContradictionFailsAloneAndIsNoFaultOfTheDisk) {
  backend.gate.close();
  ASSERT_TRUE(write(0));
  backend.gate.wait_for_arrival(1);
  ASSERT_TRUE(write(1, {}));  // what the fake takes for a contradiction
  ASSERT_TRUE(write(2));
  backend.gate.open();
  ASSERT_TRUE(wait_for_done(3));
  EXPECT_FALSE(statuses[1]);
  EXPECT_TRUE(statuses[2].has_value());
  EXPECT_TRUE(writer->health().has_value());
}

TEST_F(StoreWriterTest, CallbackMayWriteAgain) {
  bool second = false;
  ASSERT_TRUE(writer->write({DropLeases{"s"}}, [&](const Status&) {
    EXPECT_TRUE(writer->write({DropLeases{"s"}}, [&](const Status&) { second = true; }));
  }));
  EXPECT_TRUE(wait_for([&] { return second; }));
}

TEST_F(StoreWriterTest, TheEndWritesWhatWasAccepted) {
  backend.gate.close();
  ASSERT_TRUE(write(0));
  backend.gate.wait_for_arrival(1);
  for (int name = 1; name <= 5; ++name) ASSERT_TRUE(write(name));
  backend.gate.open();
  writer.reset();
  std::size_t written = 0;
  for (const std::size_t group : backend.groups()) written += group;
  EXPECT_EQ(written, 6u);
  mailbox.close();
  settle(loop);
  EXPECT_TRUE(done.empty());
}

TEST_F(StoreWriterTest, ACallbackIsNotNeeded) {
  ASSERT_TRUE(writer->write({DropLeases{"s"}}, nullptr));
  ASSERT_TRUE(write(1));
  EXPECT_TRUE(wait_for_done(1));
}

TEST(ChangeBytes, CountsTheTextsOfEveryKind) {
  const std::string text(1000, 'x');
  SessionRow session;
  session.id = session.spec = text;
  TokenRow token;
  token.id = token.user = token.label = text;
  const std::vector<std::pair<Change, std::size_t>> cases = {
      {PutSession{session}, 2000},
      {PutLease{{text, text, 1}}, 2000},
      {DropLeases{text}, 1000},
      {PutToken{token}, 3000},
      {TouchToken{text, 1}, 1000},
      {SetActive{text, text}, 2000},
      {SetActive{text, {}}, 1000},
      {event_of(1, text, text), 2005},
      {PutQueued{{text, 1, text, {}}}, 2000},
      {DropQueued{text}, 1000},
  };
  for (const auto& [change, texts] : cases) {
    EXPECT_EQ(change_bytes(change), sizeof(Change) + texts) << change.index();
  }
}

}  // namespace
}  // namespace hpc
