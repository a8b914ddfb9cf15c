#include "node-proxy/listening_sockets.h"

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

#include "common/peer_owner.h"
#include "node-proxy/record_dir.h"

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

void keep(const SocketEntry& entry, std::uint32_t uid, std::vector<SocketEntry>& out) {
  // Without an inode no process holds it: it is being closed.
  if (entry.state != kTcpStateListen || entry.uid != uid || entry.inode == 0) return;
  if (out.size() < kOwnSocketsMax) out.push_back(entry);
}

Status dump_family(int family, std::uint32_t uid, std::vector<SocketEntry>& out) {
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } question{};
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  question.header.nlmsg_seq = kSequence;
  question.request.sdiag_family = static_cast<__u8>(family);
  question.request.sdiag_protocol = IPPROTO_TCP;
  question.request.idiag_states = __u32{1} << unsigned{kTcpStateListen};

  // A socket of its own for each dump: what an earlier one left unread would be taken for this.
  const OwnedFd fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (fd.get() < 0) return system_failure("netlink socket");
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) != 0) {
    return system_failure("netlink connect");
  }
  if (send(fd.get(), &question, sizeof question, 0) < 0) return system_failure("netlink send");
  std::vector<char> piece(kPieceBytes);
  for (int pieces = 0; pieces < kPiecesMax; ++pieces) {
    // The kernel makes the next piece while the last is read; waiting could only hang the loop.
    const ssize_t size = recv(fd.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_failure("netlink receive");
    const auto ended =
        parse_diag_dump(std::as_bytes(std::span{piece.data(), static_cast<std::size_t>(size)}),
                        kSequence, uid, out);
    if (!ended) return tl::unexpected<Error>(ended.error());
    if (*ended) return {};
  }
  return fail(Errc::kSystem, "ports", "the kernel's list of sockets does not end");
}

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

}  // namespace

Result<bool> parse_diag_dump(Bytes datagram, std::uint32_t sequence, std::uint32_t uid,
                             std::vector<SocketEntry>& out) {
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
    keep(**entry, uid, out);
    const std::size_t whole = NLMSG_ALIGN(header.nlmsg_len);
    datagram = datagram.subspan(std::min<std::size_t>(whole, datagram.size()));
  }
  return false;
}

Result<std::vector<SocketEntry>> read_listening_sockets(const std::string& proc_net,
                                                        std::uint32_t uid) {
  std::vector<SocketEntry> out;
  bool readable = false;
  for (const char* table : {"/tcp", "/tcp6"}) {
    const std::unique_ptr<std::FILE, CloseFile> file(std::fopen((proc_net + table).c_str(), "re"));
    if (!file) continue;
    readable = true;
    std::array<char, kProcLineBytesMax> line{};
    while (std::fgets(line.data(), line.size(), file.get()) != nullptr) {
      if (const auto entry = parse_proc_net_line(line.data())) keep(*entry, uid, out);
    }
  }
  if (!readable) return fail(Errc::kSystem, "ports", proc_net + "/tcp is not readable");
  return out;
}

Result<std::vector<SocketEntry>> own_listening_sockets(std::uint32_t uid) {
  std::vector<SocketEntry> out;
  if (uid == kOverflowUid) return out;
  const bool v4 = dump_family(AF_INET, uid, out).has_value();
  const bool v6 = dump_family(AF_INET6, uid, out).has_value();
  // Nothing at all: hpc-proxy itself listens, so the kernel has not told everything.
  if (v4 && v6 && !out.empty()) return out;
  auto read = read_listening_sockets("/proc/net", uid);
  if (!read && v4) return out;
  return read;
}

}  // namespace hpc
