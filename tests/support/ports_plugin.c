/* A library for the tests of libhpc_ports.so, in two roles: loaded by a program it connects
   (plugin_visit), preloaded behind libhpc_ports.so it says what comes to its connect(), and plays a
   kernel without tcp_diag: netlink's answers all become "there is none". */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int plugin_visit(const char* port);
int plugin_visit(const char* port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int result = connect(fd, (const struct sockaddr*)&address, sizeof address);
  close(fd);
  return result;
}

#ifdef HPC_PLUGIN_PRELOADED
long other_syscall(long, long, long, long, long, long, long) __asm__("syscall");
long other_syscall(long number, long a, long b, long c, long d, long e, long f) {
  long (*real)(long, long, long, long, long, long, long);
  void* symbol = dlsym(RTLD_NEXT, "syscall");
  memcpy(&real, &symbol, sizeof symbol);
  const long result = real(number, a, b, c, d, e, f);
  if (number != SYS_recvfrom || getenv("NO_TCP_DIAG") == NULL) return result;
  struct nlmsghdr* header = (void*)b;
  struct nlmsgerr* failure = NLMSG_DATA(header);
  if (result < (long)NLMSG_LENGTH(sizeof failure->error)) return result;
  header->nlmsg_type = NLMSG_ERROR;
  failure->error = -ENOENT;
  return result;
}

int other_connect(int, const struct sockaddr*, socklen_t) __asm__("connect");
int other_connect(int fd, const struct sockaddr* address, socklen_t size) {
  int (*real)(int, const struct sockaddr*, socklen_t);
  void* symbol = dlsym(RTLD_NEXT, "connect");
  memcpy(&real, &symbol, sizeof symbol);
  char text[INET_ADDRSTRLEN] = "?";
  if (address != NULL && address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &((const struct sockaddr_in*)(const void*)address)->sin_addr, text,
              sizeof text);
  }
  fprintf(stderr, "other library: connect to %s\n", text);
  return real(fd, address, size);
}
#endif
