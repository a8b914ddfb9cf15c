#include "node-proxy/socket_tables.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "common/unique_fd.h"

namespace hpc {

namespace {

// The kernel sends a dump in pieces of at most 32 KiB; a smaller buffer would cut them.
constexpr std::size_t kPieceBytes = std::size_t{32} * 1024;
// A piece holds about a hundred sockets. More pieces than this are no node's.
constexpr int kPiecesMax = 4096;
constexpr std::uint32_t kSequence = 1;  // of the one question of a netlink socket
constexpr std::size_t kProcLineBytesMax = 512;

tl::unexpected<Error> system_failure(const char* step) {
  return fail(Errc::kSystem, "ports", std::string(step) + ": " + std::strerror(errno));
}

Status ask_for_dump(int fd, int family, int protocol, std::uint32_t states) {
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } question{};
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  question.header.nlmsg_seq = kSequence;
  question.request.sdiag_family = static_cast<__u8>(family);
  question.request.sdiag_protocol = static_cast<__u8>(protocol);
  question.request.idiag_states = states;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (connect(fd, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) != 0) {
    return system_failure("netlink connect");
  }
  if (send(fd, &question, sizeof question, 0) < 0) return system_failure("netlink send");
  return {};
}

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

}  // namespace

Status dump_sockets(int family, int protocol, std::uint32_t states, const SocketVisitor& visit) {
  const UniqueFd fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (fd.get() < 0) return system_failure("netlink socket");
  return dump_sockets_over(fd.get(), family, protocol, states, visit);
}

Status dump_sockets_over(int fd, int family, int protocol, std::uint32_t states,
                         const SocketVisitor& visit) {
  std::vector<char> piece(kPieceBytes);
  // What an earlier question that failed has left there would be taken for the answer.
  for (int pieces = 0; pieces < kPiecesMax; ++pieces) {
    if (recv(fd, piece.data(), piece.size(), MSG_DONTWAIT) < 0 && errno != EINTR) break;
  }
  if (auto asked = ask_for_dump(fd, family, protocol, states); !asked) return asked;
  for (int pieces = 0; pieces < kPiecesMax; ++pieces) {
    // The kernel makes the next piece while the last is read; waiting could only hang the loop.
    const ssize_t size = recv(fd, piece.data(), piece.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_failure("netlink receive");
    const auto ended = parse_socket_dump(
        std::as_bytes(std::span{piece.data(), static_cast<std::size_t>(size)}), kSequence, visit);
    if (!ended) return tl::unexpected<Error>(ended.error());
    if (*ended) return {};
  }
  return fail(Errc::kSystem, "ports", "the kernel's list of sockets does not end");
}

Status read_socket_table(const std::string& path, const SocketVisitor& visit) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "re"));
  if (!file) return fail(Errc::kSystem, "ports", path + " is not readable");
  std::array<char, kProcLineBytesMax> line{};
  while (std::fgets(line.data(), line.size(), file.get()) != nullptr) {
    if (const auto entry = parse_proc_net_line(line.data())) visit(*entry);
  }
  return {};
}

Result<bool> parse_socket_dump(Bytes datagram, std::uint32_t sequence, const SocketVisitor& visit) {
  while (!datagram.empty()) {
    nlmsghdr header{};
    if (datagram.size() < sizeof header) return fail(Errc::kSystem, "ports", "netlink: cut short");
    std::memcpy(&header, datagram.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) {
      return fail(Errc::kSystem, "ports", "netlink: a message of a wrong size");
    }
    if (header.nlmsg_seq == sequence && header.nlmsg_type == NLMSG_DONE) return true;
    const auto entry = parse_diag_answer(datagram.first(header.nlmsg_len), sequence);
    if (!entry) return tl::unexpected<Error>(entry.error());
    // "Not found" is how a kernel without the module tcp_diag answers.
    if (!entry->has_value()) return fail(Errc::kSystem, "ports", "the kernel lists no sockets");
    visit(**entry);
    const std::size_t whole = NLMSG_ALIGN(header.nlmsg_len);
    datagram = datagram.subspan(std::min<std::size_t>(whole, datagram.size()));
  }
  return false;
}

}  // namespace hpc
