#define _GNU_SOURCE
#include "node-proxy/ports/moves.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "node-proxy/ports/marks.h"
#include "node-proxy/ports/question.h"
#include "node-proxy/ports/real_calls.h"

enum { PROTOCOL_MPTCP = 262 }; /* newer than some headers; its listeners are TCP's to netlink */

static int option_of(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return syscall(SYS_getsockopt, fd, level, name, &value, &size) == 0 ? value : -1;
}

/* IPPROTO_TCP, IPPROTO_UDP, or 0 for any other kind of socket. */
static int protocol_of(int fd) {
  const int type = option_of(fd, SOL_SOCKET, SO_TYPE);
  if (type != SOCK_STREAM && type != SOCK_DGRAM) return 0;
  const int protocol = option_of(fd, SOL_SOCKET, SO_PROTOCOL);
  if (type == SOCK_DGRAM) return protocol == IPPROTO_UDP ? IPPROTO_UDP : 0;
  return protocol == IPPROTO_TCP || protocol == PROTOCOL_MPTCP ? IPPROTO_TCP : 0;
}

/* An address of IPv4 in an AF_INET6 socket needs this off; possible while it is not bound. */
static int set_v6_only(int fd, int value) {
  return syscall(SYS_setsockopt, fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof value) == 0;
}
static int is_v6_only(int fd) { return option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 1; }

static int may_move(const struct hpc_ports_settings* settings, struct hpc_place place) {
  return (place.where == HPC_LOOPBACK || place.where == HPC_WILDCARD) && place.port != 0 &&
         !hpc_is_shared(settings, place.port);
}

static socklen_t copied_size(socklen_t size) {
  return size < sizeof(union hpc_address) ? size : (socklen_t)sizeof(union hpc_address);
}

static enum hpc_mark mark_of_bound(struct hpc_place place) {
  if (place.where != HPC_WILDCARD) return HPC_MARK_NONE;
  return place.spelling == HPC_MAPPED ? HPC_MARK_MAPPED_WILDCARD : HPC_MARK_WILDCARD;
}

/* A port of [::] alone, or of ::1, may be free while 0.0.0.0 has it, of which the private address
   is a part (Tornado: 0.0.0.0 on any port, then [::] on the same). Then the program gets what it
   asked for, unless it is a socket that was moved which is in the way. */
static int bind_after_all(const struct hpc_ports_settings* settings, int fd,
                          const struct sockaddr* address, socklen_t size, struct hpc_place place) {
  if (hpc_family_bound_at(protocol_of(fd), settings->v6, place.port) != 0) return -1;
  return hpc_real_bind(fd, address, size);
}

int hpc_bind_moved(const struct hpc_ports_settings* settings, int fd,
                   const struct sockaddr* address, socklen_t size) {
  const struct hpc_place place = hpc_read_place(settings, address, size);
  const int protocol = may_move(settings, place) ? protocol_of(fd) : 0;
  const int only = protocol != 0 && place.spelling != HPC_IPV4 && is_v6_only(fd);
  /* A wildcard UDP socket also sends, and from a loopback address it could not leave the node. */
  if (protocol == 0 || (protocol == IPPROTO_UDP && place.where == HPC_WILDCARD) ||
      (only && place.spelling == HPC_MAPPED)) {
    hpc_set_mark(fd, HPC_MARK_NONE);
    return hpc_real_bind(fd, address, size);
  }
  const int to_v6 = place.spelling == HPC_IPV6 && (only || place.where == HPC_LOOPBACK);
  union hpc_address moved;
  hpc_copy_with_host(&moved, address, size, to_v6 ? settings->v6 : settings->v4);
  if (only) set_v6_only(fd, 0);
  const int result = hpc_real_bind(fd, &moved.any, copied_size(size));
  if (result == 0) {
    hpc_set_mark(fd, mark_of_bound(place));
    return 0;
  }
  const int failure = errno;
  if (only) set_v6_only(fd, 1);
  errno = failure;
  if (failure != EADDRINUSE || !to_v6) return result;
  hpc_set_mark(fd, HPC_MARK_NONE);
  return bind_after_all(settings, fd, address, size, place);
}

static struct hpc_place local_place(const struct hpc_ports_settings* settings, int fd) {
  union hpc_address local;
  socklen_t size = sizeof local;
  if (syscall(SYS_getsockname, fd, &local, &size) != 0) size = 0;
  return hpc_read_place(settings, &local, size);
}

/* For ::1, the IPv4 address to go to; 0: stay. */
static uint32_t host_for_ipv6(const struct hpc_ports_settings* settings, int fd, int protocol,
                              uint16_t port) {
  uint32_t host = 0;
  if (hpc_family_bound_at(protocol, settings->v6, port) != 0) {
    host = settings->v6;
  } else if (hpc_family_bound_at(protocol, settings->v4, port) == AF_INET6) {
    host = settings->v4; /* a listener for both families */
  }
  const struct hpc_place local = local_place(settings, fd);
  if (local.spelling == HPC_MAPPED) {
    /* It was moved when it was bound, and reaches IPv4 only: the sender that we called ::1. */
    return host != 0 ? host : htonl(INADDR_LOOPBACK);
  }
  /* Bound to ::1 itself, or to [::] alone, it reaches IPv6 only, and that cannot be changed. */
  if (host != 0 && is_v6_only(fd) && !set_v6_only(fd, 0)) return 0;
  return host;
}

static uint32_t host_for(const struct hpc_ports_settings* settings, int fd, int protocol,
                         struct hpc_place place) {
  if (place.spelling == HPC_IPV6) return host_for_ipv6(settings, fd, protocol, place.port);
  return hpc_family_bound_at(protocol, settings->v4, place.port) != 0 ? settings->v4 : 0;
}

int hpc_find_moved(const struct hpc_ports_settings* settings, const struct hpc_errand* errand,
                   const void* address, socklen_t size, union hpc_address* moved,
                   socklen_t* moved_size) {
  const struct hpc_place place = hpc_read_place(settings, address, size);
  if (!may_move(settings, place)) return 0;
  const int saved = errno;
  const int protocol = protocol_of(errand->fd);
  uint32_t host = 0;
  if (protocol == IPPROTO_UDP ||
      (protocol == IPPROTO_TCP && (errand->is_connect || (errand->flags & MSG_FASTOPEN) != 0))) {
    host = host_for(settings, errand->fd, protocol, place);
  }
  errno = saved;
  if (host == 0) return 0;
  if (place.spelling == HPC_IPV6 && host == settings->v4) {
    hpc_set_mark(errand->fd, HPC_MARK_ASKED_IPV6);
  } else if (hpc_mark_of(errand->fd) == HPC_MARK_ASKED_IPV6 || errand->is_connect) {
    hpc_set_mark(errand->fd, HPC_MARK_NONE);
  }
  hpc_copy_with_host(moved, address, size, host);
  *moved_size = copied_size(size);
  return 1;
}
