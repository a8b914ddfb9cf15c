/* /proc/net/tcp and its like: slow on a busy node, but there where netlink is not. */
#ifndef HPC_PORTS_PROC_NET_H
#define HPC_PORTS_PROC_NET_H

#include <stdint.h>

/* NOLINTBEGIN(readability-identifier-naming): names as in C */

#ifdef __cplusplus
extern "C" {
#endif

/* As hpc_family_bound_at(). errno is changed. */
int hpc_family_in_proc_net(int protocol, uint32_t host, uint16_t port);

/* Is `line`, from such a file, that of a socket bound to `end` ("0100007F:1F90") in the state
   `state` ("0A") that belongs to `uid`? `line` ends with a newline or 0. */
int hpc_is_line_of(const char* line, const char* end, const char* state, uint32_t uid);

#ifdef __cplusplus
}
#endif

/* NOLINTEND(readability-identifier-naming) */

#endif
