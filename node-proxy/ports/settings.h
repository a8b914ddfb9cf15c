/* What libhpc_ports.so is told by `hpc-proxy run`, in the environment of COMMAND. C and C++. */
#ifndef HPC_PORTS_SETTINGS_H
#define HPC_PORTS_SETTINGS_H

#include <stdint.h>

/* NOLINTBEGIN(readability-identifier-naming): names as in C */

#define HPC_PORTS_LIBRARY_NAME "libhpc_ports.so"
/* "127.64.9.4": where 127.0.0.1 and 0.0.0.0 are moved; ::1 is moved to the address after it. */
#define HPC_PORTS_ADDRESS "HPC_PORTS_ADDRESS"
/* "8786-8787,29500": ports that are not moved; empty or missing: none. */
#define HPC_PORTS_SHARED "HPC_PORTS_SHARED"

enum {
  /* While a run lives, it has a TCP socket bound to this port of the second address behind v4. */
  HPC_PORTS_CLAIM_PORT = 27464,
  HPC_PORTS_CLAIM_OFFSET = 2,
  HPC_PORTS_RANGES_MAX = 64, /* as PortSet::kRangesMax: what --shared-ports takes */
};

#ifdef __cplusplus
extern "C" {
#endif

struct hpc_port_range {
  uint16_t first; /* both included, in the machine's order */
  uint16_t last;
};

struct hpc_ports_settings {
  uint32_t v4; /* in network order, as v6, which is an IPv4 address too */
  uint32_t v6;
  uint32_t shared_count;
  struct hpc_port_range shared[HPC_PORTS_RANGES_MAX];
};

/* 1 and `*settings` filled, or 0 when the texts are not exactly as described above; NULL is a
   setting that is missing. */
int hpc_parse_settings(const char* address, const char* shared,
                       struct hpc_ports_settings* settings);
int hpc_is_shared(const struct hpc_ports_settings* settings, uint16_t port);

/* Is the run that has this address there, on this node and in this network? Else the settings came
   from somewhere else: another node's step of the job, a container with a network of its own, a
   shell that outlived its run. 1 where it cannot be told. errno is changed. */
int hpc_is_claimed(uint32_t v4);

/* The settings of this process, or NULL: the library is to change nothing. They may be in
   `*scratch`. errno stays what it was. Never waits, so that a fork in another thread can leave
   nothing half done. */
const struct hpc_ports_settings* hpc_settings(struct hpc_ports_settings* scratch);

#ifdef __cplusplus
}
#endif

/* NOLINTEND(readability-identifier-naming) */

#endif
