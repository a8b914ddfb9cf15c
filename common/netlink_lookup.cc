// The half of socket_lookup.h that talks to the kernel. sock_diag(7).
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/socket_lookup.h"

namespace hpc {

namespace {

// An answer is about 200 bytes; the kernel may add attributes nobody asked for.
constexpr std::size_t kAnswerBytesMax = 8192;
// Answers to earlier questions that were cut short by an error are skipped, but not for ever.
constexpr int kStaleAnswersMax = 16;

tl::unexpected<Error> system_failure(const char* step) {
  return fail(Errc::kSystem, "socket owner", std::string(step) + ": " + std::strerror(errno));
}

struct Question {
  nlmsghdr header;
  inet_diag_req_v2 request;
};

void put_address(__be32* words, const SocketEnd& end, bool v4) {
  const std::uint8_t* from = end.address.data() + (v4 ? 12 : 0);
  std::memcpy(words, from, v4 ? 4 : 16);
}

Question make_question(const SocketEnd& local, const SocketEnd& remote, std::uint32_t sequence) {
  Question question{};
  // A connection of a dual-stack socket to an IPv4 peer is found under AF_INET only.
  const bool v4 = local.is_v4() && remote.is_v4();
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  question.header.nlmsg_seq = sequence;
  question.request.sdiag_family = static_cast<__u8>(v4 ? AF_INET : AF_INET6);
  question.request.sdiag_protocol = IPPROTO_TCP;
  question.request.idiag_states = ~__u32{0};
  put_address(question.request.id.idiag_src, local, v4);
  put_address(question.request.id.idiag_dst, remote, v4);
  question.request.id.idiag_sport = htons(local.port);
  question.request.id.idiag_dport = htons(remote.port);
  question.request.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  question.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return question;
}

SocketEnd end_of(const inet_diag_msg& message, const __be32* words, __be16 port) {
  SocketEnd end;
  end.port = ntohs(port);
  if (message.idiag_family == AF_INET6) {
    std::memcpy(end.address.data(), words, 16);
    return end;
  }
  end.address[10] = end.address[11] = 0xFF;
  std::memcpy(end.address.data() + 12, words, 4);
  return end;
}

class NetlinkLookup final : public SocketLookup {
 public:
  explicit NetlinkLookup(UniqueFd fd) : fd_(std::move(fd)) {}

  Result<std::optional<SocketEntry>> find(const SocketEnd& local,
                                          const SocketEnd& remote) override {
    const Question question = make_question(local, remote, ++sequence_);
    if (send(fd_.get(), &question, sizeof question, 0) < 0) return system_failure("netlink send");
    return receive(sequence_);
  }

  Result<SocketLooks> find_with_listener(const SocketEnd& local, const SocketEnd& remote) override {
    SocketEnd nobody;  // the wildcard of the same family, port 0
    if (local.is_v4()) nobody.address[10] = nobody.address[11] = 0xFF;
    const std::uint32_t first = ++sequence_;
    // One message: the kernel answers its questions one after the other, in this order.
    const std::array<Question, 2> questions = {make_question(local, nobody, first),
                                               make_question(local, remote, ++sequence_)};
    if (send(fd_.get(), questions.data(), sizeof questions, 0) < 0)
      return system_failure("netlink send");
    const auto listener = receive(first);
    if (!listener) return tl::unexpected<Error>(listener.error());
    const auto connection = receive(sequence_);
    if (!connection) return tl::unexpected<Error>(connection.error());
    return SocketLooks{*listener, *connection};
  }

 private:
  /// The answer to the question with that number.
  Result<std::optional<SocketEntry>> receive(std::uint32_t sequence) {
    for (int tries = 0; tries < kStaleAnswersMax; ++tries) {
      // The kernel has answered before send() returned; waiting could only hang the loop.
      const ssize_t size = recv(fd_.get(), answer_.data(), answer_.size(), MSG_DONTWAIT);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return system_failure("netlink receive");
      auto parsed = parse_diag_answer(
          std::as_bytes(std::span{answer_.data(), static_cast<std::size_t>(size)}), sequence);
      if (parsed || parsed.error().code != Errc::kUnavailable) return parsed;
    }
    return fail(Errc::kSystem, "socket owner", "netlink gives no answer to the question");
  }

  UniqueFd fd_;
  std::uint32_t sequence_ = 0;
  std::array<char, kAnswerBytesMax> answer_{};
};

}  // namespace

Result<std::optional<SocketEntry>> parse_diag_answer(Bytes datagram, std::uint32_t sequence) {
  const auto too_short = [] {
    return fail(Errc::kSystem, "socket owner", "netlink answer is too short");
  };
  nlmsghdr header{};
  if (datagram.size() < sizeof header) return too_short();
  std::memcpy(&header, datagram.data(), sizeof header);
  if (header.nlmsg_seq != sequence) {
    return fail(Errc::kUnavailable, "socket owner", "answer to another question");
  }
  const std::size_t size = std::min<std::size_t>(header.nlmsg_len, datagram.size());
  if (header.nlmsg_type == NLMSG_ERROR) {
    nlmsgerr failure{};
    if (size < NLMSG_HDRLEN + sizeof failure.error) return too_short();
    std::memcpy(&failure.error, datagram.data() + NLMSG_HDRLEN, sizeof failure.error);
    if (failure.error == -ENOENT) return std::nullopt;
    return fail(Errc::kSystem, "socket owner",
                std::string("netlink: ") + std::strerror(-failure.error));
  }
  inet_diag_msg message{};
  if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY || size < NLMSG_HDRLEN + sizeof message) {
    return too_short();
  }
  std::memcpy(&message, datagram.data() + NLMSG_HDRLEN, sizeof message);
  SocketEntry entry;
  entry.local = end_of(message, message.id.idiag_src, message.id.idiag_sport);
  entry.remote = end_of(message, message.id.idiag_dst, message.id.idiag_dport);
  entry.state = message.idiag_state;
  entry.uid = message.idiag_uid;
  entry.inode = message.idiag_inode;
  return entry;
}

Result<std::unique_ptr<SocketLookup>> make_netlink_lookup() {
  UniqueFd fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd) return system_failure("netlink socket");
  return make_netlink_lookup(std::move(fd));
}

Result<std::unique_ptr<SocketLookup>> make_netlink_lookup(UniqueFd netlink_fd) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  // Connected to the kernel: answers of other processes are not delivered.
  if (connect(netlink_fd.get(), reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) != 0) {
    return system_failure("netlink connect");
  }
  return std::make_unique<NetlinkLookup>(std::move(netlink_fd));
}

}  // namespace hpc
