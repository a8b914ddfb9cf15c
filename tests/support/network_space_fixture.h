#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "common/unique_fd.h"
#include "node-proxy/run/network_space.h"

namespace hpc {

/// A process in a network namespace of its own that makes sockets there for the test, as the keeper
/// does for hpc-proxy. Ends with this object.
class NetworkSpaceMaker {
 public:
  NetworkSpaceMaker() {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
    channel_.reset(ends[0]);
    const UniqueFd theirs(ends[1]);
    child_ = fork();
    if (child_ == 0) {
      channel_.reset();
      serve(theirs.get());
    }
  }
  ~NetworkSpaceMaker() {
    channel_.reset();  // whereupon it ends
    if (child_ > 0) waitpid(child_, nullptr, 0);
  }
  NetworkSpaceMaker(const NetworkSpaceMaker&) = delete;
  NetworkSpaceMaker& operator=(const NetworkSpaceMaker&) = delete;

  /// Empty where it could not be made.
  UniqueFd make(int family, int type, int protocol = 0) const {
    const std::array<int, 3> wish = {family, type, protocol};
    if (send(channel_.get(), wish.data(), sizeof wish, MSG_NOSIGNAL) != sizeof wish) return {};
    char there = 0;
    Message message(there);
    if (recvmsg(channel_.get(), &message.header, MSG_CMSG_CLOEXEC) != 1 || there == 0) return {};
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message.header)), sizeof fd);
    return UniqueFd(fd);
  }

 private:
  struct Message {
    explicit Message(char& byte) : piece{&byte, 1} {
      header.msg_iov = &piece;
      header.msg_iovlen = 1;
      header.msg_control = room.data();
      header.msg_controllen = room.size();
    }
    iovec piece;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
    msghdr header{};
  };

  [[noreturn]] static void serve(int channel) {
    const bool inside = enter_network_space().has_value();
    std::array<int, 3> wish{};
    while (recv(channel, wish.data(), sizeof wish, 0) == sizeof wish) {
      const UniqueFd made(inside ? socket(wish[0], wish[1] | SOCK_CLOEXEC | SOCK_NONBLOCK, wish[2])
                                 : -1);
      char there = made ? 1 : 0;
      Message message(there);
      if (made) {
        cmsghdr* control = CMSG_FIRSTHDR(&message.header);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(sizeof(int));
        const int fd = made.get();
        std::memcpy(CMSG_DATA(control), &fd, sizeof fd);
      } else {
        message.header.msg_controllen = 0;
      }
      sendmsg(channel, &message.header, MSG_NOSIGNAL);
    }
    _exit(0);
  }

  UniqueFd channel_;
  pid_t child_ = -1;
};

}  // namespace hpc
