#include "node-proxy/run/packet_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/unique_fd.h"

namespace hpc {
namespace {

constexpr std::size_t kBytesMax = 1000;

class PacketSocketTest : public testing::Test {
 protected:
  PacketSocketTest() {
    auto made = packet_socket_pair(kBytesMax);
    EXPECT_TRUE(made);
    near_ = std::move(made->first);
    far_ = std::move(made->second);
  }

  Result<std::optional<Packet>> receive() const {
    return receive_packet(far_.get(), kBytesMax, false);
  }

  /// A packet with several descriptors, which send_packet() does not make.
  void send_descriptors(int count) const {
    std::array<int, 3> fds{near_.get(), near_.get(), near_.get()};
    char byte = 'a';
    iovec part{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    const std::size_t size = sizeof(int) * static_cast<std::size_t>(count);
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(head), fds.data(), size);
    ASSERT_EQ(sendmsg(near_.get(), &message, 0), 1);
  }

  static int open_count() {
    int count = 0;
    for (int fd = 0; fd < 1024; ++fd) count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
  }

  UniqueFd near_;
  UniqueFd far_;
};

TEST_F(PacketSocketTest, KeepsPacketsApart) {
  EXPECT_TRUE(send_packet(near_.get(), "one", -1, false));
  EXPECT_TRUE(send_packet(near_.get(), std::string("t\0o", 3), -1, false));
  const auto one = receive();
  ASSERT_TRUE(one && *one);
  EXPECT_EQ((*one)->bytes, "one");
  EXPECT_EQ((*one)->fd.get(), -1);
  const auto two = receive();
  ASSERT_TRUE(two && *two);
  EXPECT_EQ((*two)->bytes, std::string("t\0o", 3));
}

TEST_F(PacketSocketTest, SaysThatThereIsNoneYet) {
  const auto none = receive();
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST_F(PacketSocketTest, SaysThatTheOtherEndIsClosed) {
  near_ = UniqueFd();
  const auto closed = receive();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, Errc::kNetwork);
  EXPECT_FALSE(send_packet(far_.get(), "one", -1, false)) << "and raises no SIGPIPE";
  EXPECT_EQ(errno, EPIPE);
}

TEST_F(PacketSocketTest, TheLastWordComesBeforeTheEnd) {
  // The kernel tells a sender first that its own packet was never read.
  ASSERT_TRUE(send_packet(far_.get(), "unread", -1, false));
  ASSERT_TRUE(send_packet(near_.get(), "last word", -1, false));
  near_ = UniqueFd();
  const auto packet = receive();
  ASSERT_TRUE(packet && *packet);
  EXPECT_EQ((*packet)->bytes, "last word");
  EXPECT_FALSE(receive());
}

TEST_F(PacketSocketTest, PassesADescriptorThatExecCloses) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const UniqueFd reading(pipe_fds[0]);
  const UniqueFd writing(pipe_fds[1]);
  ASSERT_TRUE(send_packet(near_.get(), "fd", writing.get(), false));
  const auto packet = receive();
  ASSERT_TRUE(packet && *packet);
  ASSERT_GE((*packet)->fd.get(), 0);
  EXPECT_EQ(fcntl((*packet)->fd.get(), F_GETFD), FD_CLOEXEC);
  ASSERT_EQ(write((*packet)->fd.get(), "x", 1), 1);
  char got = 0;
  EXPECT_EQ(read(reading.get(), &got, 1), 1);
  EXPECT_EQ(got, 'x');
}

TEST_F(PacketSocketTest, TakesNoMoreThanItShould) {
  EXPECT_TRUE(send_packet(near_.get(), std::string(kBytesMax, 'a'), -1, false));
  const auto fits = receive();
  ASSERT_TRUE(fits && *fits);
  EXPECT_EQ((*fits)->bytes.size(), kBytesMax);
  EXPECT_TRUE(send_packet(near_.get(), std::string(kBytesMax + 1, 'a'), -1, false));
  const auto too_long = receive();
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, Errc::kBadRequest);
}

TEST_F(PacketSocketTest, TheOneAfterATooLongOneIsWhole) {
  const int before = open_count();
  EXPECT_TRUE(send_packet(near_.get(), std::string(kBytesMax + 1, 'a'), near_.get(), false));
  EXPECT_TRUE(send_packet(near_.get(), "next", -1, false));
  EXPECT_FALSE(receive());
  EXPECT_EQ(open_count(), before) << "its descriptor is closed";
  const auto next = receive();
  ASSERT_TRUE(next && *next);
  EXPECT_EQ((*next)->bytes, "next");
}

TEST_F(PacketSocketTest, TakesNoMoreMemoryThanThePacketHas) {
  EXPECT_TRUE(send_packet(near_.get(), std::string(kBytesMax / 2, 'a'), -1, false));
  const auto packet = receive();
  ASSERT_TRUE(packet && *packet);
  EXPECT_EQ((*packet)->bytes.size(), kBytesMax / 2);
  EXPECT_LT((*packet)->bytes.capacity(), kBytesMax);
}

TEST_F(PacketSocketTest, AnEmptyOneWithADescriptorIsNone) {
  const int before = open_count();
  EXPECT_TRUE(send_packet(near_.get(), "", near_.get(), false));
  const auto packet = receive();
  ASSERT_FALSE(packet);
  EXPECT_EQ(packet.error().code, Errc::kBadRequest);
  EXPECT_EQ(open_count(), before);
}

TEST_F(PacketSocketTest, WaitsForOne) {
  const pid_t sender = fork();
  if (sender == 0) {
    // The reader sleeps in the kernel, or will not have to.
    _exit(send_packet(near_.get(), "later", -1, false) ? 0 : 1);
  }
  const auto packet = receive_packet(far_.get(), kBytesMax, true);
  ASSERT_TRUE(packet && *packet);
  EXPECT_EQ((*packet)->bytes, "later");
  int status = -1;
  EXPECT_EQ(waitpid(sender, &status, 0), sender);
  EXPECT_EQ(status, 0);
}

TEST_F(PacketSocketTest, KeepsNoneOfSeveralDescriptors) {
  const int before = open_count();
  for (const int count : {2, 3}) {
    send_descriptors(count);
    const auto packet = receive();
    ASSERT_FALSE(packet) << count;
    EXPECT_EQ(packet.error().code, Errc::kBadRequest);
    EXPECT_EQ(open_count(), before) << count;
  }
  send_descriptors(1);
  EXPECT_TRUE(receive());
}

TEST_F(PacketSocketTest, DoesNotWaitForRoom) {
  int sent = 0;
  while (sent < 100'000 && send_packet(near_.get(), std::string(kBytesMax, 'a'), -1, false)) ++sent;
  EXPECT_LT(sent, 100'000);
  EXPECT_EQ(errno, EAGAIN);
}

TEST(PacketSocketPairTest, LetsALargeOneThrough) {
  constexpr std::size_t kLarge = std::size_t{160} * 1024;
  const auto ends = packet_socket_pair(kLarge);
  ASSERT_TRUE(ends);
  EXPECT_TRUE(send_packet(ends->first.get(), std::string(kLarge, 'a'), -1, false));
  const auto packet = receive_packet(ends->second.get(), kLarge, false);
  ASSERT_TRUE(packet && *packet);
  EXPECT_EQ((*packet)->bytes.size(), kLarge);
  EXPECT_EQ(fcntl(ends->first.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(ends->second.get(), F_GETFD), FD_CLOEXEC);
}

}  // namespace
}  // namespace hpc
