#define _GNU_SOURCE
#include "node-proxy/ports/views.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "node-proxy/ports/marks.h"
#include "node-proxy/ports/place.h"

static int is_private(struct hpc_place place) {
  return place.where == HPC_PRIVATE_V4 || place.where == HPC_PRIVATE_V6;
}

/* `call` is SYS_getsockname or SYS_getpeername; elsewhere when there is no such address. */
static struct hpc_place ask(const struct hpc_ports_settings* settings, long call, int fd) {
  const int saved = errno;
  union hpc_address address;
  socklen_t size = sizeof address;
  if (syscall(call, fd, &address, &size) != 0) size = 0;
  errno = saved;
  return hpc_read_place(settings, &address, size);
}

static int is_connected(int fd) {
  const int saved = errno;
  union hpc_address address;
  socklen_t size = sizeof address;
  const int connected = syscall(SYS_getpeername, fd, &address, &size) == 0;
  errno = saved;
  return connected;
}

/* How the peer at this mapped address is called: a program that asked for ::1 is shown ::1. */
static enum hpc_spelling spelling_of_peer(int fd, struct hpc_place peer) {
  if (peer.where == HPC_PRIVATE_V6) return HPC_IPV6;
  return hpc_mark_of(fd) == HPC_MARK_ASKED_IPV6 ? HPC_IPV6 : HPC_MAPPED;
}

static void show_private_local(int fd, void* address, struct hpc_place local) {
  const enum hpc_mark mark = hpc_mark_of(fd);
  enum hpc_where where = HPC_LOOPBACK;
  if ((mark == HPC_MARK_WILDCARD || mark == HPC_MARK_MAPPED_WILDCARD) && !is_connected(fd)) {
    where = HPC_WILDCARD;
  }
  enum hpc_spelling spelling = local.spelling;
  if (spelling == HPC_MAPPED) {
    const int both_families = where == HPC_WILDCARD && mark == HPC_MARK_WILDCARD;
    if (local.where == HPC_PRIVATE_V6 || both_families) spelling = HPC_IPV6;
  }
  hpc_write_place(address, spelling, where);
}

void hpc_show_local(const struct hpc_ports_settings* settings, int fd, void* address,
                    socklen_t size) {
  const struct hpc_place local = hpc_read_place(settings, address, size);
  if (is_private(local)) {
    show_private_local(fd, address, local);
  } else if (local.spelling == HPC_MAPPED && local.where == HPC_LOOPBACK) {
    /* The near end of a connection to ::1 that was moved. */
    const struct hpc_place peer = ask(settings, SYS_getpeername, fd);
    if (is_private(peer) && spelling_of_peer(fd, peer) == HPC_IPV6) {
      hpc_write_place(address, HPC_IPV6, HPC_LOOPBACK);
    }
  }
}

void hpc_show_peer(const struct hpc_ports_settings* settings, int fd, void* address,
                   socklen_t size) {
  const struct hpc_place peer = hpc_read_place(settings, address, size);
  if (is_private(peer)) {
    const enum hpc_spelling spelling =
        peer.spelling == HPC_MAPPED ? spelling_of_peer(fd, peer) : peer.spelling;
    hpc_write_place(address, spelling, HPC_LOOPBACK);
  } else if (peer.spelling == HPC_MAPPED && peer.where == HPC_LOOPBACK &&
             ask(settings, SYS_getsockname, fd).where == HPC_PRIVATE_V6) {
    /* Whoever comes to ::1, or to [::] alone, comes from ::1. */
    hpc_write_place(address, HPC_IPV6, HPC_LOOPBACK);
  }
}
