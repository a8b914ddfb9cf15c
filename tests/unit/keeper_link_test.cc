#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <vector>

#include "common/unique_fd.h"
#include "node-proxy/run/keeper.h"
#include "node-proxy/run/keeper_message.h"
#include "node-proxy/run/packet_socket.h"
#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

/// The test is the keeper: a child that does nothing has its process id, until it is let go.
class KeeperLinkTest : public LoopFixture, public KeeperLink::Listener {
 protected:
  KeeperLinkTest() {
    auto ends = packet_socket_pair(kKeeperPacketBytesMax);
    keeper_ = std::move(ends->second);
    KeeperHandle handle;
    handle.channel = std::move(ends->first);
    handle.pid = fork();
    if (handle.pid == 0) {
      alarm(20);
      while (true) pause();
    }
    pid_ = handle.pid;
    link_.emplace(loop, std::move(handle), *this);
  }
  ~KeeperLinkTest() override {
    link_.reset();
    if (pid_ > 0) kill(pid_, SIGKILL);
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }

  void on_command_ended(int exit_code) noexcept override { ended.push_back(exit_code); }

  /// The keeper ends: its process, then the channel.
  void keeper_ends() {
    kill(pid_, SIGKILL);
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
    keeper_ = UniqueFd();
  }
  void says(const FromKeeper& message, int fd = -1) {
    ASSERT_TRUE(send_packet(keeper_.get(), encode(message), fd, false));
  }
  /// What the link has sent, if it is a T.
  template <class T>
  std::optional<T> heard() {
    std::optional<Packet> packet;
    EXPECT_TRUE(wait_for([&] {
      if (packet) return true;
      auto received = receive_packet(keeper_.get(), kKeeperPacketBytesMax, false);
      if (received && *received) packet = std::move(**received);
      return packet.has_value();
    }));
    const auto message = decode_to_keeper(packet ? packet->bytes : "");
    if (!message || !std::holds_alternative<T>(*message)) return std::nullopt;
    return std::get<T>(*message);
  }
  bool hears_nothing() {
    settle(loop);
    const auto packet = receive_packet(keeper_.get(), kKeeperPacketBytesMax, false);
    return packet && !*packet;
  }
  bool was_killed() const {
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    return info.si_pid == pid_ && info.si_status == SIGKILL;
  }

  UniqueFd keeper_;
  pid_t pid_ = 0;
  std::vector<int> ended;
  std::optional<KeeperLink> link_;
};

TEST_F(KeeperLinkTest, TellsTheKeeperWhatToStart) {
  ASSERT_TRUE(link_->start({{"sleep", "1"}, {"A=b"}}));
  const auto start = heard<StartMessage>();
  ASSERT_TRUE(start);
  EXPECT_EQ(start->command.words, (std::vector<std::string>{"sleep", "1"}));
  EXPECT_EQ(start->command.environment, std::vector<std::string>{"A=b"});
}

TEST_F(KeeperLinkTest, SaysWhatItCannotStart) {
  const auto none = link_->start({});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::kBadRequest);
  const auto too_long = link_->start({{std::string(kKeeperPacketBytesMax, 'a')}, {}});
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, Errc::kTooLarge);
  keeper_ends();
  const auto gone = link_->start({{"sleep"}, {}});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Errc::kSystem);
}

TEST_F(KeeperLinkTest, PassesOnWhatAnotherProcessSends) {
  ASSERT_TRUE(link_->start({{"sleep"}, {}}));
  heard<StartMessage>();
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU}) {
    kill(getpid(), number);
    const auto passed = heard<SignalMessage>();
    ASSERT_TRUE(passed) << number;
    EXPECT_EQ(passed->number, number);
    EXPECT_EQ(passed->sender, getpid());
  }
}

TEST_F(KeeperLinkTest, PassesOnWhatItsOwnerSends) {
  link_->signal(SIGUSR2);
  const auto passed = heard<SignalMessage>();
  ASSERT_TRUE(passed);
  EXPECT_EQ(passed->number, SIGUSR2);
  EXPECT_EQ(passed->sender, 0);
  link_->end(250);
  const auto end = heard<EndMessage>();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->grace_ms, 250U);
}

TEST_F(KeeperLinkTest, GivesTheSignalsBack) {
  sigset_t before;
  sigset_t after;
  sigprocmask(SIG_BLOCK, nullptr, &before);
  EXPECT_TRUE(sigismember(&before, SIGTERM));
  kill(getpid(), SIGTERM);  // not read any more: must not end the test
  link_.reset();
  sigprocmask(SIG_BLOCK, nullptr, &after);
  EXPECT_FALSE(sigismember(&after, SIGTERM));
}

TEST_F(KeeperLinkTest, TellsTheExitCodeWhenTheKeeperHasEnded) {
  says(EndedMessage{7});
  settle(loop);
  EXPECT_TRUE(ended.empty()) << "the keeper is still there";
  keeper_ends();
  ASSERT_TRUE(wait_for([&] { return !ended.empty(); }));
  settle(loop);
  EXPECT_EQ(ended, std::vector<int>{7});
  EXPECT_EQ(waitpid(std::exchange(pid_, 0), nullptr, WNOHANG), -1) << "it was reaped";
}

TEST_F(KeeperLinkTest, AKeeperThatWasKilledIs137) {
  keeper_ends();
  ASSERT_TRUE(wait_for([&] { return !ended.empty(); }));
  EXPECT_EQ(ended, std::vector<int>{137});
  pid_ = 0;
}

TEST_F(KeeperLinkTest, EndsWhatAKilledKeeperLeaves) {
  const pid_t left = fork();
  if (left == 0) {
    keeper_ = UniqueFd();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    alarm(20);
    while (true) pause();
  }
  keeper_ends();
  ASSERT_TRUE(wait_for([&] { return !ended.empty(); }));
  EXPECT_EQ(kill(left, 0), -1);
  EXPECT_EQ(errno, ESRCH);
  pid_ = 0;
}

TEST_F(KeeperLinkTest, TrustsNoKeeperThatTalksNonsense) {
  ASSERT_TRUE(send_packet(keeper_.get(), "nonsense", -1, false));
  EXPECT_TRUE(wait_for([&] { return was_killed(); }));
}

TEST_F(KeeperLinkTest, TrustsNoSocketThatIsNone) {
  says(SocketMessage{1, 0});
  EXPECT_TRUE(wait_for([&] { return was_killed(); }));
}

TEST_F(KeeperLinkTest, TrustsNoErrorWithASocket) {
  says(SocketMessage{1, EACCES}, keeper_.get());
  EXPECT_TRUE(wait_for([&] { return was_killed(); }));
}

TEST_F(KeeperLinkTest, StoppedIsNoReasonToStopWhenCommandRuns) {
  says(StoppedMessage{getpid(), 1});
  settle(loop);  // would never return
  EXPECT_TRUE(hears_nothing());
}

class KeeperSocketTest : public KeeperLinkTest {
 protected:
  std::unique_ptr<Pending> ask(std::optional<Result<UniqueFd>>& answer) {
    return link_->ask_socket({AF_INET, SOCK_STREAM, 0}, [&answer](Result<UniqueFd> result) {
      answer.emplace(std::move(result));
    });
  }
};

TEST_F(KeeperSocketTest, EachGetsItsOwn) {
  std::optional<Result<UniqueFd>> one;
  std::optional<Result<UniqueFd>> two;
  const auto pending_one = ask(one);
  const auto pending_two = ask(two);
  const auto wish_one = heard<WishMessage>();
  const auto wish_two = heard<WishMessage>();
  ASSERT_TRUE(wish_one && wish_two);
  EXPECT_NE(wish_one->id, wish_two->id);
  EXPECT_EQ(wish_one->wish.family, AF_INET);
  EXPECT_EQ(wish_one->wish.type, SOCK_STREAM);
  says(SocketMessage{wish_two->id, EMFILE});
  says(SocketMessage{wish_one->id, 0}, keeper_.get());
  ASSERT_TRUE(wait_for([&] { return one.has_value(); }));
  ASSERT_TRUE(*one);
  EXPECT_GE((*one)->get(), 0);
  ASSERT_TRUE(two.has_value());
  ASSERT_FALSE(*two);
  EXPECT_EQ(two->error().code, Errc::kSystem);
}

TEST_F(KeeperSocketTest, NobodyIsCalledWhoDoesNotWaitAnyMore) {
  std::optional<Result<UniqueFd>> answer;
  auto pending = ask(answer);
  const auto wish = heard<WishMessage>();
  ASSERT_TRUE(wish);
  pending.reset();
  says(SocketMessage{wish->id, 0}, keeper_.get());
  settle(loop);
  EXPECT_FALSE(answer.has_value());
  EXPECT_FALSE(was_killed());
}

TEST_F(KeeperSocketTest, AKeeperThatIsGoneMakesNone) {
  std::optional<Result<UniqueFd>> before;
  const auto pending_before = ask(before);
  keeper_ends();
  ASSERT_TRUE(wait_for([&] { return before.has_value(); }));
  ASSERT_FALSE(*before);
  EXPECT_EQ(before->error().code, Errc::kSystem);
  std::optional<Result<UniqueFd>> after;
  const auto pending_after = ask(after);
  EXPECT_FALSE(after.has_value()) << "in a later turn";
  ASSERT_TRUE(wait_for([&] { return after.has_value(); }));
  ASSERT_FALSE(*after);
  pid_ = 0;
}

TEST_F(KeeperSocketTest, BoundsWhatIsAskedAtOnce) {
  constexpr std::size_t kWishesMax = 1024;
  std::vector<std::unique_ptr<Pending>> pending;
  std::size_t answered = 0;
  for (std::size_t i = 0; i < kWishesMax; ++i) {
    pending.push_back(link_->ask_socket({}, [&](const auto&) { ++answered; }));
  }
  settle(loop);
  EXPECT_EQ(answered, 0U);
  std::optional<Result<UniqueFd>> too_many;
  pending.push_back(ask(too_many));
  ASSERT_TRUE(wait_for([&] { return too_many.has_value(); }));
  ASSERT_FALSE(*too_many);
  EXPECT_EQ(too_many->error().code, Errc::kUnavailable);
  EXPECT_EQ(answered, 0U);
  // All arrive, although the socket had no room for them at once.
  for (std::size_t i = 0; i < kWishesMax; ++i) ASSERT_TRUE(heard<WishMessage>()) << i;
}

TEST_F(KeeperSocketTest, MayOutliveTheLink) {
  std::optional<Result<UniqueFd>> answer;
  auto pending = ask(answer);
  link_.reset();
  pending.reset();
  EXPECT_FALSE(answer.has_value());
}

}  // namespace
}  // namespace hpc
