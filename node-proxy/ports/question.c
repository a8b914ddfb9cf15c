#define _GNU_SOURCE
#include "node-proxy/ports/question.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "node-proxy/ports/proc_net.h"

/* The kernel's own calls: ours must not come in between, and other libraries' need not. */

enum {
  NOT_BOUND = 0,
  CANNOT_ASK = -1,
  STATE_CLOSE = 7, /* a UDP socket without a peer */
  STATE_LISTEN = 10,
  OVERFLOW_UID = 65534, /* another user namespace's: never this user */
};

struct question {
  struct nlmsghdr header;
  struct inet_diag_req_v2 request;
};

struct answer {
  struct nlmsghdr header;
  union {
    struct nlmsgerr failure;
    struct inet_diag_msg socket;
  } body;
};

static struct question make_question(int protocol, uint32_t host, uint16_t port) {
  struct question question;
  memset(&question, 0, sizeof question);
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  question.request.sdiag_family = AF_INET;
  question.request.sdiag_protocol = (uint8_t)protocol;
  question.request.idiag_states = ~0U;
  question.request.id.idiag_cookie[0] = question.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  /* For UDP the kernel takes source and destination the other way round. */
  if (protocol == IPPROTO_TCP) {
    question.request.id.idiag_src[0] = host;
    question.request.id.idiag_sport = htons(port);
  } else {
    question.request.id.idiag_dst[0] = host;
    question.request.id.idiag_dport = htons(port);
  }
  return question;
}

/* The kernel may offer another socket: a wildcard listener, somebody else's, a connection. */
static int is_wanted(const struct inet_diag_msg* socket, int protocol, uint32_t host,
                     uint16_t port) {
  const uint32_t mapped = htonl(0xFFFF);
  const uint32_t uid = (uint32_t)syscall(SYS_geteuid);
  const uint32_t* source = socket->id.idiag_src;
  if (socket->idiag_state != (protocol == IPPROTO_TCP ? STATE_LISTEN : STATE_CLOSE)) return 0;
  if (socket->idiag_uid != uid || uid == OVERFLOW_UID) return 0;
  if (socket->id.idiag_sport != htons(port)) return 0;
  if (socket->idiag_family == AF_INET) return source[0] == host;
  return socket->idiag_family == AF_INET6 && source[0] == 0 && source[1] == 0 &&
         source[2] == mapped && source[3] == host;
}

static int understand(const struct answer* answer, size_t size, int protocol, uint32_t host,
                      uint16_t port) {
  if (size >= NLMSG_LENGTH(sizeof answer->body.failure.error) &&
      answer->header.nlmsg_type == NLMSG_ERROR) {
    return answer->body.failure.error == -ENOENT ? NOT_BOUND : CANNOT_ASK;
  }
  if (size < sizeof *answer || answer->header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return CANNOT_ASK;
  const struct inet_diag_msg* socket = &answer->body.socket;
  return is_wanted(socket, protocol, host, port) ? socket->idiag_family : NOT_BOUND;
}

static int ask_netlink(int protocol, uint32_t host, uint16_t port) {
  const int fd = (int)syscall(SYS_socket, AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return CANNOT_ASK;
  const struct question question = make_question(protocol, host, port);
  struct sockaddr_nl kernel;
  memset(&kernel, 0, sizeof kernel);
  kernel.nl_family = AF_NETLINK;
  int family = CANNOT_ASK;
  if (syscall(SYS_sendto, fd, &question, sizeof question, 0, &kernel, sizeof kernel) ==
      (long)sizeof question) {
    /* More than this is cut off; it would only be what nobody asked for. */
    struct answer answer;
    struct sockaddr_nl sender;
    socklen_t sender_size = sizeof sender;
    /* The kernel has answered before the question was sent, so there is nothing to wait for. */
    const long size =
        syscall(SYS_recvfrom, fd, &answer, sizeof answer, MSG_DONTWAIT, &sender, &sender_size);
    if (size > 0 && sender_size == sizeof sender && sender.nl_pid == 0) {
      family = understand(&answer, (size_t)size, protocol, host, port);
    }
  }
  syscall(SYS_close, fd);
  return family;
}

/* A kernel without the module tcp_diag or udp_diag says of every socket that there is none, so it
   is asked once for one that is certainly there: a socket of our own on that address. */
static int netlink_finds_own_socket(int protocol, uint32_t host) {
  const int type = protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM;
  const int fd = (int)syscall(SYS_socket, AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = host;
  const int found = syscall(SYS_bind, fd, &address, size) == 0 &&
                    (protocol != IPPROTO_TCP || syscall(SYS_listen, fd, 1) == 0) &&
                    syscall(SYS_getsockname, fd, &address, &size) == 0 &&
                    ask_netlink(protocol, host, ntohs(address.sin_port)) == AF_INET;
  syscall(SYS_close, fd);
  return found;
}

/* 0: not known yet. One byte each, of TCP and UDP; a race only asks once more. */
static unsigned char netlink_works[2];

static int family_bound_at(int protocol, uint32_t host, uint16_t port) {
  unsigned char* works = &netlink_works[protocol == IPPROTO_TCP];
  const int family = ask_netlink(protocol, host, port);
  if (family > NOT_BOUND) {
    __atomic_store_n(works, 1, __ATOMIC_RELAXED);
    return family;
  }
  if (family == NOT_BOUND) {
    if (__atomic_load_n(works, __ATOMIC_RELAXED)) return NOT_BOUND;
    if (netlink_finds_own_socket(protocol, host)) {
      __atomic_store_n(works, 1, __ATOMIC_RELAXED);
      return NOT_BOUND;
    }
  }
  return hpc_family_in_proc_net(protocol, host, port);
}

int hpc_family_bound_at(int protocol, uint32_t host, uint16_t port) {
  const int saved = errno;
  const int family = family_bound_at(protocol, host, port);
  errno = saved;
  return family;
}
