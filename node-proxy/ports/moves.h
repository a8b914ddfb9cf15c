/* Where a socket goes instead: the rules of docs/ports-library.md. */
#ifndef HPC_PORTS_MOVES_H
#define HPC_PORTS_MOVES_H

#include <sys/socket.h>

#include "node-proxy/ports/place.h"
#include "node-proxy/ports/settings.h"

/* bind(), moved where the rules say so. */
int hpc_bind_moved(const struct hpc_ports_settings* settings, int fd,
                   const struct sockaddr* address, socklen_t size);

/* Where to connect, or send, instead of to `address`: 1 and `*moved` with `*moved_size`, or 0. Asks
   the kernel when it is a loopback address. `flags` are those of send(), `is_connect` for
   connect(). errno stays what it was. */
struct hpc_errand {
  int fd;
  int is_connect;
  int flags;
};
int hpc_find_moved(const struct hpc_ports_settings* settings, const struct hpc_errand* errand,
                   const void* address, socklen_t size, union hpc_address* moved,
                   socklen_t* moved_size);

#endif
