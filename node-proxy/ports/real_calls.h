/* The functions that this library stands in front of, as the next library in line has them: libc,
   or another one that is preloaded too. Where dlsym() is missing (before glibc 2.34 it is in
   libdl, which not every program loads), the kernel's own calls. */
#ifndef HPC_PORTS_REAL_CALLS_H
#define HPC_PORTS_REAL_CALLS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

/* Looks all of them up; once, before the program starts, so that neither a signal handler nor a
   child of vfork() has to. Nothing depends on it. */
void hpc_find_real_calls(void);

int hpc_real_bind(int fd, const struct sockaddr* address, socklen_t size);
int hpc_real_connect(int fd, const struct sockaddr* address, socklen_t size);
int hpc_real_getsockname(int fd, struct sockaddr* address, socklen_t* size);
int hpc_real_getpeername(int fd, struct sockaddr* address, socklen_t* size);
int hpc_real_accept(int fd, struct sockaddr* address, socklen_t* size);
int hpc_real_accept4(int fd, struct sockaddr* address, socklen_t* size, int flags);
ssize_t hpc_real_sendto(int fd, const void* bytes, size_t count, int flags,
                        const struct sockaddr* address, socklen_t size);
ssize_t hpc_real_sendmsg(int fd, const struct msghdr* message, int flags);
int hpc_real_sendmmsg(int fd, struct mmsghdr* messages, unsigned int count, int flags);
ssize_t hpc_real_recvfrom(int fd, void* bytes, size_t count, int flags, struct sockaddr* address,
                          socklen_t* size);
ssize_t hpc_real_recvfrom_chk(int fd, void* bytes, size_t count, size_t room, int flags,
                              struct sockaddr* address, socklen_t* size);
ssize_t hpc_real_recvmsg(int fd, struct msghdr* message, int flags);
int hpc_real_recvmmsg(int fd, struct mmsghdr* messages, unsigned int count, int flags,
                      struct timespec* timeout);

#endif
