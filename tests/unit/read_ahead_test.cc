// recv() and poll() as libssh calls them: on a pair of sockets, within a ReadAhead::Use and
// without.
#include "manager/ssh/read_ahead.h"

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "common/unique_fd.h"

namespace hpc {
namespace {

struct ReadAheadTest : ::testing::Test {
  void SetUp() override {
    std::array<int, 2> pair{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    near.reset(pair[0]);
    far.reset(pair[1]);
    ahead.watch(near.get());
  }
  void say(std::string_view text) {
    ASSERT_EQ(send(far.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  std::string hear(std::size_t room, int flags = 0) {
    std::string text(room, '\0');
    const ssize_t got = recv(near.get(), text.data(), room, flags);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }
  /// The events that poll() sees without waiting.
  int look(short events = POLLIN) {
    pollfd wanted{near.get(), events, 0};
    return poll(&wanted, 1, 0) > 0 ? wanted.revents : 0;
  }
  int in_the_socket() {
    int count = -1;
    ioctl(near.get(), FIONREAD, &count);
    return count;
  }

  UniqueFd near, far;
  ReadAhead ahead{-1, 8};
};

TEST_F(ReadAheadTest, TakesWhatIsThereAtOnceAndHandsItOutInPieces) {
  const ReadAhead::Use use(ahead);
  say("abcdef");
  EXPECT_EQ(look(), POLLIN);
  EXPECT_EQ(hear(2), "ab");
  EXPECT_EQ(in_the_socket(), 0);
  EXPECT_EQ(ahead.held(), 4U);
  EXPECT_EQ(look(), POLLIN) << "the socket is quiet, but there is something to read";
  EXPECT_EQ(hear(3), "cde");
  EXPECT_EQ(hear(3), "f");
  EXPECT_EQ(look(), 0);
}

TEST_F(ReadAheadTest, HoldsAsMuchAsItsBoundAndNoByteMore) {
  const ReadAhead::Use use(ahead);
  say("abcdefghi");
  EXPECT_EQ(look(), POLLIN);
  EXPECT_EQ(hear(1), "a");
  EXPECT_EQ(ahead.held(), 7U);
  EXPECT_EQ(in_the_socket(), 1);
  EXPECT_EQ(hear(7), "bcdefgh");
  EXPECT_EQ(look(), POLLIN);
  EXPECT_EQ(hear(7), "i");
}

TEST_F(ReadAheadTest, LargeReadsGoToTheSystem) {
  const ReadAhead::Use use(ahead);
  say("abcdefgh");
  EXPECT_EQ(look(), POLLIN);
  EXPECT_EQ(hear(8), "abcdefgh");
  EXPECT_EQ(ahead.held(), 0U);
}

TEST_F(ReadAheadTest, OutsideOfAUseNothingIsTaken) {
  say("abcdef");
  EXPECT_EQ(look(), POLLIN);
  EXPECT_EQ(hear(2), "ab");
  EXPECT_EQ(in_the_socket(), 4);
}

TEST_F(ReadAheadTest, NothingIsTakenAheadForWhoDoesNotAskHereWhetherThereIsMore) {
  const ReadAhead::Use use(ahead);
  say("abcdef");
  EXPECT_EQ(hear(2), "ab") << "and no poll() has come by";
  EXPECT_EQ(in_the_socket(), 4);
}

TEST_F(ReadAheadTest, OtherDescriptorsAndFlagsAreTheSystems) {
  ReadAhead other(far.get());
  const ReadAhead::Use use(other);
  say("abcdef");
  EXPECT_EQ(look(), POLLIN);
  EXPECT_EQ(hear(2), "ab");
  EXPECT_EQ(in_the_socket(), 4);
  ahead.poll(*std::make_unique<pollfd>(pollfd{near.get(), POLLIN, 0}), 0);
  const ReadAhead::Use inner(ahead);
  EXPECT_EQ(hear(2, MSG_PEEK), "cd");
  EXPECT_EQ(in_the_socket(), 4);
}

TEST_F(ReadAheadTest, InnerUseEndsBeforeTheOuterOne) {
  ReadAhead other(far.get());
  const ReadAhead::Use use(ahead);
  { const ReadAhead::Use inner(other); }
  say("abcdef");
  EXPECT_EQ(look(), POLLIN);
  EXPECT_EQ(hear(2), "ab");
  EXPECT_EQ(ahead.held(), 4U);
}

TEST_F(ReadAheadTest, EndComesBehindTheBytes) {
  const ReadAhead::Use use(ahead);
  say("abc");
  EXPECT_EQ(look(), POLLIN);
  far.reset();
  EXPECT_EQ(hear(2), "ab");
  EXPECT_EQ(look(), POLLIN);
  EXPECT_EQ(hear(2), "c");
  EXPECT_NE(look() & POLLIN, 0) << "the end";
  EXPECT_EQ(hear(2), "");
}

TEST_F(ReadAheadTest, RoomToWriteIsTheSystemsToSayOnceTheBytesAreTaken) {
  const ReadAhead::Use use(ahead);
  say("abc");
  EXPECT_EQ(look(), POLLIN);
  EXPECT_EQ(hear(1), "a");
  EXPECT_EQ(look(POLLIN | POLLOUT), POLLIN);
  EXPECT_EQ(look(POLLOUT), POLLOUT) << "who does not ask for bytes is not told of any";
  EXPECT_EQ(hear(2), "bc");
  EXPECT_EQ(look(POLLIN | POLLOUT), POLLOUT);
}

TEST_F(ReadAheadTest, RestKeepsWhatIsHeld) {
  const ReadAhead::Use use(ahead);
  say("abc");
  EXPECT_EQ(look(), POLLIN);
  EXPECT_EQ(hear(1), "a");
  ahead.rest();
  EXPECT_EQ(hear(2), "bc");
  ahead.rest();
  say("def");
  EXPECT_EQ(hear(1), "d");
  EXPECT_EQ(ahead.held(), 2U);
}

}  // namespace
}  // namespace hpc
