/* Socket addresses as this library sees them: which of the few that matter, and in which spelling.
 */
#ifndef HPC_PORTS_PLACE_H
#define HPC_PORTS_PLACE_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "node-proxy/ports/settings.h"

enum hpc_spelling {
  HPC_IPV4,   /* AF_INET */
  HPC_MAPPED, /* AF_INET6, ::ffff:127.0.0.1 */
  HPC_IPV6,   /* AF_INET6, ::1 */
};

enum hpc_where {
  HPC_ELSEWHERE, /* or no internet address */
  HPC_LOOPBACK,  /* 127.0.0.1, ::1 */
  HPC_WILDCARD,  /* 0.0.0.0, :: */
  HPC_PRIVATE_V4,
  HPC_PRIVATE_V6, /* both are IPv4 or mapped */
};

struct hpc_place {
  enum hpc_spelling spelling;
  enum hpc_where where;
  uint16_t port; /* in the machine's order */
};

/* An address of the kind that `struct sockaddr` stands for, wherever it lies. */
union hpc_address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

/* `size` bytes are there; an address that is cut off is elsewhere. */
struct hpc_place hpc_read_place(const struct hpc_ports_settings* settings, const void* address,
                                socklen_t size);

/* A copy with another host, IPv4 in network order: the spelling becomes HPC_MAPPED in AF_INET6.
   `address` holds at least what hpc_read_place() has read. */
void hpc_copy_with_host(union hpc_address* copy, const void* address, socklen_t size,
                        uint32_t host);

/* Changes the host in place. */
void hpc_write_place(void* address, enum hpc_spelling spelling, enum hpc_where where);

#endif
