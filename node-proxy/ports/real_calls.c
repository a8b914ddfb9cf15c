#include "node-proxy/ports/real_calls.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma weak dlsym

typedef void (*any_call)(void);

enum call {
  BIND,
  CONNECT,
  GETSOCKNAME,
  GETPEERNAME,
  ACCEPT,
  ACCEPT4,
  SENDTO,
  SENDMSG,
  SENDMMSG,
  RECVFROM,
  RECVFROM_CHK,
  RECVMSG,
  RECVMMSG,
  CALLS,
};

static const char kNames[CALLS][16] = {
    "bind",    "connect",  "getsockname", "getpeername",    "accept",  "accept4",  "sendto",
    "sendmsg", "sendmmsg", "recvfrom",    "__recvfrom_chk", "recvmsg", "recvmmsg",
};

static any_call found[CALLS];

static any_call find(enum call which) {
  any_call call = __atomic_load_n(&found[which], __ATOMIC_RELAXED);
  if (call != NULL || dlsym == NULL) return call;
  void* symbol = dlsym(RTLD_NEXT, kNames[which]);
  memcpy(&call, &symbol, sizeof call);
  __atomic_store_n(&found[which], call, __ATOMIC_RELAXED);
  return call;
}

void hpc_find_real_calls(void) {
  for (enum call which = BIND; which < CALLS; ++which) find(which);
}

int hpc_real_bind(int fd, const struct sockaddr* address, socklen_t size) {
  typedef int (*function)(int, const struct sockaddr*, socklen_t);
  const function call = (function)find(BIND);
  return call != NULL ? call(fd, address, size) : (int)syscall(SYS_bind, fd, address, size);
}

int hpc_real_connect(int fd, const struct sockaddr* address, socklen_t size) {
  typedef int (*function)(int, const struct sockaddr*, socklen_t);
  const function call = (function)find(CONNECT);
  return call != NULL ? call(fd, address, size) : (int)syscall(SYS_connect, fd, address, size);
}

int hpc_real_getsockname(int fd, struct sockaddr* address, socklen_t* size) {
  typedef int (*function)(int, struct sockaddr*, socklen_t*);
  const function call = (function)find(GETSOCKNAME);
  return call != NULL ? call(fd, address, size) : (int)syscall(SYS_getsockname, fd, address, size);
}

int hpc_real_getpeername(int fd, struct sockaddr* address, socklen_t* size) {
  typedef int (*function)(int, struct sockaddr*, socklen_t*);
  const function call = (function)find(GETPEERNAME);
  return call != NULL ? call(fd, address, size) : (int)syscall(SYS_getpeername, fd, address, size);
}

int hpc_real_accept(int fd, struct sockaddr* address, socklen_t* size) {
  typedef int (*function)(int, struct sockaddr*, socklen_t*);
  const function call = (function)find(ACCEPT);
  return call != NULL ? call(fd, address, size) : (int)syscall(SYS_accept4, fd, address, size, 0);
}

int hpc_real_accept4(int fd, struct sockaddr* address, socklen_t* size, int flags) {
  typedef int (*function)(int, struct sockaddr*, socklen_t*, int);
  const function call = (function)find(ACCEPT4);
  return call != NULL ? call(fd, address, size, flags)
                      : (int)syscall(SYS_accept4, fd, address, size, flags);
}

ssize_t hpc_real_sendto(int fd, const void* bytes, size_t count, int flags,
                        const struct sockaddr* address, socklen_t size) {
  typedef ssize_t (*function)(int, const void*, size_t, int, const struct sockaddr*, socklen_t);
  const function call = (function)find(SENDTO);
  return call != NULL ? call(fd, bytes, count, flags, address, size)
                      : syscall(SYS_sendto, fd, bytes, count, flags, address, size);
}

ssize_t hpc_real_sendmsg(int fd, const struct msghdr* message, int flags) {
  typedef ssize_t (*function)(int, const struct msghdr*, int);
  const function call = (function)find(SENDMSG);
  return call != NULL ? call(fd, message, flags) : syscall(SYS_sendmsg, fd, message, flags);
}

int hpc_real_sendmmsg(int fd, struct mmsghdr* messages, unsigned int count, int flags) {
  typedef int (*function)(int, struct mmsghdr*, unsigned int, int);
  const function call = (function)find(SENDMMSG);
  return call != NULL ? call(fd, messages, count, flags)
                      : (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}

ssize_t hpc_real_recvfrom(int fd, void* bytes, size_t count, int flags, struct sockaddr* address,
                          socklen_t* size) {
  typedef ssize_t (*function)(int, void*, size_t, int, struct sockaddr*, socklen_t*);
  const function call = (function)find(RECVFROM);
  return call != NULL ? call(fd, bytes, count, flags, address, size)
                      : syscall(SYS_recvfrom, fd, bytes, count, flags, address, size);
}

ssize_t hpc_real_recvfrom_chk(int fd, void* bytes, size_t count, size_t room, int flags,
                              struct sockaddr* address, socklen_t* size) {
  typedef ssize_t (*function)(int, void*, size_t, size_t, int, struct sockaddr*, socklen_t*);
  const function call = (function)find(RECVFROM_CHK);
  if (call != NULL) return call(fd, bytes, count, room, flags, address, size);
  if (count > room) __builtin_trap(); /* what libc does there: the program would be overrun */
  return hpc_real_recvfrom(fd, bytes, count, flags, address, size);
}

ssize_t hpc_real_recvmsg(int fd, struct msghdr* message, int flags) {
  typedef ssize_t (*function)(int, struct msghdr*, int);
  const function call = (function)find(RECVMSG);
  return call != NULL ? call(fd, message, flags) : syscall(SYS_recvmsg, fd, message, flags);
}

int hpc_real_recvmmsg(int fd, struct mmsghdr* messages, unsigned int count, int flags,
                      struct timespec* timeout) {
  typedef int (*function)(int, struct mmsghdr*, unsigned int, int, struct timespec*);
  const function call = (function)find(RECVMMSG);
  return call != NULL ? call(fd, messages, count, flags, timeout)
                      : (int)syscall(SYS_recvmmsg, fd, messages, count, flags, timeout);
}
