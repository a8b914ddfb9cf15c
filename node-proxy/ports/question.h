/* Who listens at a private address? Asked of the kernel, anew each time, with a socket that is
   closed before the answer is used: programs close and reuse descriptors as they like. */
#ifndef HPC_PORTS_QUESTION_H
#define HPC_PORTS_QUESTION_H

#include <stdint.h>

/* The family (AF_INET, AF_INET6) of the TCP listener, or of the UDP socket without a peer, of this
   user that is bound to exactly this address (IPv4, network order) and port; 0: none, or the kernel
   does not tell. `protocol` is IPPROTO_TCP or IPPROTO_UDP. errno stays what it was. */
int hpc_family_bound_at(int protocol, uint32_t host, uint16_t port);

#endif
