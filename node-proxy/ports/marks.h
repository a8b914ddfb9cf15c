/* What a program called an address, where the address that it was moved to does not tell: two bits
   for each descriptor number. A descriptor that came here without us (exec, dup, SCM_RIGHTS) has
   the default, or what the one with its number before had: only a name that is shown is wrong. */
#ifndef HPC_PORTS_MARKS_H
#define HPC_PORTS_MARKS_H

enum hpc_mark {
  HPC_MARK_NONE,
  HPC_MARK_WILDCARD,        /* bound to 0.0.0.0 or :: */
  HPC_MARK_MAPPED_WILDCARD, /* bound to ::ffff:0.0.0.0 */
  HPC_MARK_ASKED_IPV6,      /* its peer is ::1 to it, and listens on v4 for both families */
};

enum { HPC_MARKED_DESCRIPTORS = 65536 }; /* higher ones are never marked */

void hpc_set_mark(int fd, enum hpc_mark mark);
enum hpc_mark hpc_mark_of(int fd);

#endif
