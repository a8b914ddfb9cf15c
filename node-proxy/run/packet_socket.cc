#include "node-proxy/run/packet_socket.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/unique_fd.h"

namespace hpc {

namespace {

// Two fit, so that a second one is seen; the kernel closes those for which there is no room.
constexpr std::size_t kDescriptorsMax = 2;

/// The descriptors of a message, at most one of which is kept: false when there were more.
bool take_descriptors(msghdr& message, UniqueFd& kept) {
  bool good = (message.msg_flags & MSG_CTRUNC) == 0;
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
      UniqueFd owned(fd);
      if (kept.get() >= 0) good = false;
      if (kept.get() < 0) kept = std::move(owned);
    }
  }
  return good;
}

/// As `receive`, a call of recv(2) or recvmsg(2), says: again until it is a size or a real error.
template <class Receive>
ssize_t insist(Receive receive) {
  ssize_t size = 0;
  do {
    size = receive();
    // ECONNRESET comes once, when the other end closed with packets of ours unread; what it sent
    // before comes after that.
  } while (size < 0 && (errno == EINTR || errno == ECONNRESET));
  return size;
}

}  // namespace

Result<std::pair<UniqueFd, UniqueFd>> packet_socket_pair(std::size_t bytes_max) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(Errc::kSystem, "socketpair", std::strerror(errno));
  }
  // A site may have a small net.core.wmem_default; the kernel doubles what it is told.
  const int bytes = static_cast<int>(bytes_max);
  for (const int end : ends) setsockopt(end, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

bool send_packet(int socket, std::string_view bytes, int fd, bool wait) {
  std::string copy(bytes);
  iovec part{copy.data(), copy.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  ssize_t size = 0;
  do {
    size = sendmsg(socket, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
  } while (size < 0 && errno == EINTR);
  return size >= 0;
}

Result<std::optional<Packet>> receive_packet(int socket, std::size_t bytes_max, bool wait) {
  // Most packets are a few bytes long, and the longest may have 160 KiB.
  const ssize_t length = insist(
      [&] { return recv(socket, nullptr, 0, MSG_PEEK | MSG_TRUNC | (wait ? 0 : MSG_DONTWAIT)); });
  if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
  if (length < 0) return fail(Errc::kNetwork, "recv", std::strerror(errno));
  Packet packet;
  // One that is too long is taken all the same, without its bytes.
  const auto bytes = static_cast<std::size_t>(length);
  packet.bytes.resize(bytes <= bytes_max ? bytes : 0);
  iovec part{packet.bytes.data(), packet.bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kDescriptorsMax)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size =
      insist([&] { return recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT); });
  if (size < 0) return fail(Errc::kNetwork, "recvmsg", std::strerror(errno));
  const bool good = take_descriptors(message, packet.fd);
  if (length == 0 && packet.fd.get() < 0) return fail(Errc::kNetwork, "recvmsg", "closed");
  if (!good || size == 0 || (message.msg_flags & MSG_TRUNC) != 0) {
    return fail(Errc::kBadRequest, "recvmsg", "a packet that is none of ours");
  }
  return packet;
}

}  // namespace hpc
