/* What a program is shown in place of the private addresses: what it asked for. */
#ifndef HPC_PORTS_VIEWS_H
#define HPC_PORTS_VIEWS_H

#include <sys/socket.h>

#include "node-proxy/ports/settings.h"

/* `size` bytes of the address are there, maybe fewer than it has. errno stays what it was. */
void hpc_show_local(const struct hpc_ports_settings* settings, int fd, void* address,
                    socklen_t size);
/* Also for the sender of a datagram that came to `fd`. */
void hpc_show_peer(const struct hpc_ports_settings* settings, int fd, void* address,
                   socklen_t size);

#endif
