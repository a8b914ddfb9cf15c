// Commands over a real sshd.
#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <chrono>

#include "tests/support/ssh_fixture.h"

namespace hpc {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

struct SshExecTest : SshFixture {
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
  }
  std::optional<TestSshd> sshd;
  std::unique_ptr<SshConnection> connection;
};

TEST_F(SshExecTest, OutputsAndStatusAreKeptApart) {
  const auto output = exec(*connection, "echo to out; echo to err >&2; exit 7");
  ASSERT_TRUE(output) << describe(output.error());
  EXPECT_EQ(output->out, "to out\n");
  EXPECT_EQ(output->err, "to err\n");
  EXPECT_EQ(output->exit_status, 7);
}

TEST_F(SshExecTest, InputArrivesWholeAndEnds) {
  const std::string input(3'000'000, 'i');
  const auto output = exec(*connection, "wc -c", input);
  ASSERT_TRUE(output) << describe(output.error());
  EXPECT_EQ(output->out, "3000000\n");
}

TEST_F(SshExecTest, CommandThatDoesNotReadItsInputEnds) {
  const auto output = exec(*connection, "echo done", std::string(8'000'000, 'i'));
  ASSERT_TRUE(output) << describe(output.error());
  EXPECT_EQ(output->out, "done\n");
}

TEST_F(SshExecTest, LargeOutputIsWholeUpToTheLimit) {
  const auto output =
      exec(*connection, "head -c " + std::to_string(kExecOutputBytesMax) + " /dev/zero");
  ASSERT_TRUE(output) << describe(output.error());
  EXPECT_EQ(output->out.size(), kExecOutputBytesMax);
}

TEST_F(SshExecTest, OutputPastTheLimitIsTooLarge) {
  const auto output =
      exec(*connection, "head -c " + std::to_string(kExecOutputBytesMax + 1) + " /dev/zero");
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, Errc::kTooLarge);
  EXPECT_TRUE(exec(*connection, "true")) << "the connection is still good";
}

TEST_F(SshExecTest, SlowCommandTimesOutAndIsCutOff) {
  const auto output = exec(*connection, "echo $$; exec sleep 1000", {}, 200);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, Errc::kTimeout);
  EXPECT_TRUE(exec(*connection, "true"));
}

TEST_F(SshExecTest, KilledCommandHasNoStatus) {
  const auto output = exec(*connection, "kill -9 $$");
  ASSERT_TRUE(output) << describe(output.error());
  EXPECT_EQ(output->exit_status, -1);
}

TEST_F(SshExecTest, TwoRunAtATimeAndTheOthersWaitTheirTurn) {
  // Each marks that it runs, looks how many do, and waits until it has been seen.
  const std::string folder = sshd->file("running");
  run_command("mkdir " + folder);
  std::vector<std::unique_ptr<Pending>> pending;
  std::vector<int> seen;
  std::vector<int> order;
  pending.reserve(6);
  for (int i = 0; i < 6; ++i) {
    const std::string command =
        "cd " + folder + " && touch r$$ && ls | wc -l && sleep 0.05 && rm r$$";
    pending.push_back(connection->exec(command, {}, 10'000, [&, i](Result<ExecOutput> output) {
      seen.push_back(output ? std::stoi(output->out) : 99);
      order.push_back(i);
    }));
  }
  ASSERT_TRUE(run_until(loop, [&] { return seen.size() == 6; }));
  EXPECT_THAT(seen, Each(::testing::Le(2)));
}

TEST_F(SshExecTest, ManyWaitingAreRefusedAtTheLimit) {
  std::vector<std::unique_ptr<Pending>> pending;
  std::vector<Errc> refused;
  pending.reserve(70);
  for (int i = 0; i < 70; ++i) {
    pending.push_back(connection->exec("sleep 1000", {}, 60'000, [&](Result<ExecOutput> output) {
      if (!output) refused.push_back(output.error().code);
    }));
  }
  ASSERT_TRUE(run_until(loop, [&] { return refused.size() == 4; }));
  EXPECT_THAT(refused, Each(Errc::kUnavailable));
}

TEST_F(SshExecTest, CancelledCommandMakesRoomForTheNext) {
  auto one = connection->exec("sleep 1000", {}, 60'000, [](auto) { FAIL(); });
  auto two = connection->exec("sleep 1000", {}, 60'000, [](auto) { FAIL(); });
  settle(loop);
  one.reset();
  const auto output = exec(*connection, "echo next");
  ASSERT_TRUE(output) << describe(output.error());
  EXPECT_EQ(output->out, "next\n");
}

TEST_F(SshExecTest, ServerWithoutSessionsSaysMaxSessions) {
  begin("MaxSessions 0");
  const auto output = exec(*connection, "true");
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, Errc::kUnavailable);
  EXPECT_THAT(output.error().detail, HasSubstr("MaxSessions"));
}

TEST_F(SshExecTest, EndOfTheConnectionEndsRunningAndWaitingCommands) {
  std::vector<std::unique_ptr<Pending>> pending;
  std::vector<Errc> codes;
  pending.reserve(4);
  for (int i = 0; i < 4; ++i) {
    pending.push_back(connection->exec("sleep 1000", {}, 60'000, [&](Result<ExecOutput> output) {
      codes.push_back(output ? Errc::kSystem : output.error().code);
    }));
  }
  settle(loop);
  connection.reset();
  ASSERT_TRUE(run_until(loop, [&] { return codes.size() == 4; }));
  EXPECT_THAT(codes, Each(Errc::kSsh));
}

TEST_F(SshExecTest, HandleMayBeDestroyedInItsOwnCallback) {
  std::unique_ptr<Pending> pending;
  bool done = false;
  pending = connection->exec("true", {}, 10'000, [&](auto) {
    pending.reset();
    done = true;
  });
  EXPECT_TRUE(run_until(loop, [&] { return done; }));
}

}  // namespace
}  // namespace hpc
