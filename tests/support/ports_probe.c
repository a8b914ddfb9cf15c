/* A program for the tests of libhpc_ports.so: does with sockets what it reads on standard input,
 * one command a line, and prints one line for each: what it has seen, or "error N" (errno).
 *
 *   socket NAME tcp|udp|mptcp|unix 4|6    only NAME 0|1 (IPV6_V6ONLY)      reuse NAME
 *   bind NAME ADDRESS PORT   listen NAME   connect NAME ADDRESS PORT   accept NAME AS
 *   accept4 NAME AS   local NAME   peer NAME   real NAME (local, past the library)
 *   send NAME ADDRESS PORT HOW    HOW: sendto, sendmsg, sendmmsg, fastopen, fastopenmsg
 *   receive NAME HOW              HOW: recvfrom, chk, recvmsg, recvmmsg
 *   short NAME BYTES (getsockname with that much room)   tight NAME PORT (recvmmsg with little,
 *   of a sender with that port)   dup NAME AS   close NAME   closeall
 *   forbid netlink|files (seccomp)   serve NAME (accepts and closes)   spawn PROGRAM
 *   fork|vfork|handler PORT (connect there)   threads PORT FIRST (and bind to 16 of their own)
 *   plugin LIBRARY PORT   nulls NAME
 *   cancel NAME (a thread in its accept)   time name|bad|refused (nanoseconds a call)
 *
 * NAME is one letter. What is not a command prints "what?". */
#define _GNU_SOURCE
#include "tests/support/ports_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, MPTCP = 262, MESSAGES = 20 };

static int fds[128];

int probe_fd(const char* name) { return fds[name[0] & 127]; }

static void keep(const char* name, int fd) {
  fds[name[0] & 127] = fd;
  probe_say(fd);
}

void probe_say(int result) {
  if (result < 0) {
    printf("error %d\n", errno);
  } else {
    puts("ok");
  }
}

static void say_address(const struct sockaddr_storage* address, int result) {
  char text[INET6_ADDRSTRLEN] = "";
  const struct sockaddr_in* v4 = (const void*)address;
  const struct sockaddr_in6* v6 = (const void*)address;
  if (result < 0) {
    probe_say(result);
  } else if (address->ss_family == AF_INET) {
    printf("%s %d\n", inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text), ntohs(v4->sin_port));
  } else if (address->ss_family == AF_INET6) {
    printf("%s %d\n", inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text), ntohs(v6->sin6_port));
  } else {
    printf("family %d\n", address->ss_family);
  }
}

socklen_t probe_address(struct sockaddr_storage* address, const char* text, const char* port) {
  struct sockaddr_in* v4 = (void*)address;
  struct sockaddr_in6* v6 = (void*)address;
  memset(address, 0, sizeof *address);
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)atoi(port));
    return sizeof *v4;
  }
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons((uint16_t)atoi(port));
  return inet_pton(AF_INET6, text, &v6->sin6_addr) == 1 ? sizeof *v6 : 0;
}

static void do_socket(char** word) {
  const int is_udp = strcmp(word[2], "udp") == 0;
  int family = word[3][0] == '6' ? AF_INET6 : AF_INET;
  if (strcmp(word[2], "unix") == 0) family = AF_UNIX;
  const int protocol = strcmp(word[2], "mptcp") == 0 ? MPTCP : 0;
  keep(word[1], socket(family, is_udp ? SOCK_DGRAM : SOCK_STREAM, protocol));
}

static void do_option(char** word) {
  const int is_only = word[0][0] == 'o';
  const int value = is_only ? atoi(word[2]) : 1;
  probe_say(setsockopt(probe_fd(word[1]), is_only ? IPPROTO_IPV6 : SOL_SOCKET,
                       is_only ? IPV6_V6ONLY : SO_REUSEADDR, &value, sizeof value));
}

static void do_bind(char** word) {
  struct sockaddr_storage address;
  const socklen_t size = probe_address(&address, word[2], word[3]);
  probe_say(bind(probe_fd(word[1]), (void*)&address, size));
}

static void do_listen(char** word) { probe_say(listen(probe_fd(word[1]), 1024)); }

static void do_connect(char** word) {
  struct sockaddr_storage address;
  const socklen_t size = probe_address(&address, word[2], word[3]);
  probe_say(connect(probe_fd(word[1]), (void*)&address, size));
}

static void do_accept(char** word) {
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  struct pollfd waits = {probe_fd(word[1]), POLLIN, 0};
  poll(&waits, 1, PATIENCE_MS);
  const int with_flags = strcmp(word[0], "accept4") == 0;
  const int fd = with_flags ? accept4(waits.fd, (void*)&address, &size, SOCK_CLOEXEC)
                            : accept(waits.fd, (void*)&address, &size);
  fds[word[2][0] & 127] = fd;
  say_address(&address, fd);
}

static void do_name(char** word) {
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  const int fd = probe_fd(word[1]);
  int result;
  if (strcmp(word[0], "local") == 0) {
    result = getsockname(fd, (void*)&address, &size);
  } else if (strcmp(word[0], "peer") == 0) {
    result = getpeername(fd, (void*)&address, &size);
  } else {
    result = (int)syscall(SYS_getsockname, fd, &address, &size);
  }
  say_address(&address, result);
}

/* What getsockname() leaves in a buffer of that size, and says of the size; behind it is already
   what the kernel says, and then 'x'. */
static void do_short(char** word) {
  unsigned char buffer[sizeof(struct sockaddr_in6)];
  socklen_t size = (socklen_t)atoi(word[2]);
  socklen_t whole = sizeof buffer;
  memset(buffer, 'x', sizeof buffer);
  syscall(SYS_getsockname, probe_fd(word[1]), buffer, &whole);
  const int result = getsockname(probe_fd(word[1]), (void*)buffer, &size);
  if (result < 0) return probe_say(result);
  printf("%u ", (unsigned)size);
  for (size_t i = 2; i < sizeof buffer; ++i) printf("%02x", buffer[i]);
  puts("");
}

static void do_send(char** word) {
  struct sockaddr_storage address;
  const socklen_t size = probe_address(&address, word[2], word[3]);
  const int fd = probe_fd(word[1]);
  char byte = '!';
  struct iovec bytes = {&byte, 1};
  struct mmsghdr messages[MESSAGES];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < MESSAGES; ++i) {
    messages[i].msg_hdr.msg_name = &address;
    messages[i].msg_hdr.msg_namelen = size;
    messages[i].msg_hdr.msg_iov = &bytes;
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const struct msghdr* message = &messages[0].msg_hdr;
  ssize_t result = -1;
  if (strcmp(word[4], "sendto") == 0) result = sendto(fd, &byte, 1, 0, (void*)&address, size);
  if (strcmp(word[4], "sendmsg") == 0) result = sendmsg(fd, message, 0);
  if (strcmp(word[4], "fastopen") == 0) {
    result = sendto(fd, &byte, 1, MSG_FASTOPEN, (void*)&address, size);
  }
  if (strcmp(word[4], "fastopenmsg") == 0) result = sendmsg(fd, message, MSG_FASTOPEN);
  if (strcmp(word[4], "sendmmsg") == 0) {
    result = sendmmsg(fd, messages, MESSAGES, 0);
    for (int i = 0; i < result; ++i) {
      if (messages[i].msg_len != 1 || messages[i].msg_hdr.msg_name != (void*)&address) {
        result = -1;
        errno = EPROTO;
      }
    }
  }
  if (result < 0) return probe_say(-1);
  printf("%zd\n", result);
}

ssize_t __recvfrom_chk(int, void*, size_t, size_t, int, struct sockaddr*, socklen_t*);

static void do_receive(char** word) {
  struct sockaddr_storage address[MESSAGES];
  char bytes[MESSAGES];
  struct iovec parts[MESSAGES];
  struct mmsghdr messages[MESSAGES];
  socklen_t size = sizeof address[0];
  const int fd = probe_fd(word[1]);
  struct pollfd waits = {fd, POLLIN, 0};
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < MESSAGES; ++i) {
    parts[i] = (struct iovec){&bytes[i], 1};
    messages[i].msg_hdr = (struct msghdr){
        .msg_name = &address[i], .msg_namelen = size, .msg_iov = &parts[i], .msg_iovlen = 1};
  }
  poll(&waits, 1, PATIENCE_MS);
  ssize_t result = -1;
  int last = 0;
  if (strcmp(word[2], "recvfrom") == 0) result = recvfrom(fd, bytes, 1, 0, (void*)address, &size);
  if (strcmp(word[2], "chk") == 0) {
    result = __recvfrom_chk(fd, bytes, 1, sizeof bytes, 0, (void*)address, &size);
  }
  if (strcmp(word[2], "recvmsg") == 0) result = recvmsg(fd, &messages[0].msg_hdr, 0);
  if (strcmp(word[2], "recvmmsg") == 0) {
    result = recvmmsg(fd, messages, MESSAGES, MSG_WAITFORONE, NULL);
    last = (int)result - 1;
  }
  say_address(&address[last < 0 ? 0 : last], (int)result);
}

/* recvmmsg() with room for a part of the sender only, behind which the rest of a private address
   stands already: "ok" when that was not touched. */
static void do_tight(char** word) {
  struct sockaddr_storage before, address;
  char byte;
  struct iovec part = {&byte, 1};
  struct mmsghdr message;
  struct pollfd waits = {probe_fd(word[1]), POLLIN, 0};
  probe_address(&before, getenv("HPC_PORTS_ADDRESS"), word[2]);
  address = before;
  memset(&message, 0, sizeof message);
  message.msg_hdr =
      (struct msghdr){.msg_name = &address, .msg_namelen = 6, .msg_iov = &part, .msg_iovlen = 1};
  poll(&waits, 1, PATIENCE_MS);
  if (recvmmsg(waits.fd, &message, 1, 0, NULL) != 1) return probe_say(-1);
  puts(memcmp(&address, &before, sizeof before) == 0 ? "ok" : "written past its end");
}

static void do_dup(char** word) { keep(word[2], dup(probe_fd(word[1]))); }
static void do_close(char** word) { probe_say(close(probe_fd(word[1]))); }

static void do_closeall(char** word) {
  (void)word;
  for (int fd = 3; fd < 1024; ++fd) close(fd);
  puts("ok");
}

static const struct command {
  const char* name;
  int words;
  void (*run)(char** word);
} kCommands[] = {
    {"socket", 4, do_socket},    {"only", 3, do_option},        {"reuse", 2, do_option},
    {"bind", 4, do_bind},        {"listen", 2, do_listen},      {"connect", 4, do_connect},
    {"accept", 3, do_accept},    {"accept4", 3, do_accept},     {"local", 2, do_name},
    {"peer", 2, do_name},        {"real", 2, do_name},          {"short", 3, do_short},
    {"send", 5, do_send},        {"receive", 3, do_receive},    {"tight", 3, do_tight},
    {"dup", 3, do_dup},          {"close", 2, do_close},        {"closeall", 1, do_closeall},
    {"forbid", 2, probe_forbid}, {"fork", 2, probe_fork},       {"vfork", 2, probe_vfork},
    {"spawn", 2, probe_spawn},   {"serve", 2, probe_serve},     {"threads", 3, probe_threads},
    {"cancel", 2, probe_cancel}, {"handler", 2, probe_handler}, {"plugin", 3, probe_plugin},
    {"nulls", 2, probe_nulls},   {"time", 2, probe_time},
};

static void obey(char* line) {
  char* word[8] = {NULL};
  int words = 0;
  for (char* next = strtok(line, " \n"); next != NULL && words < 8; next = strtok(NULL, " \n")) {
    word[words++] = next;
  }
  for (size_t i = 0; words > 0 && i < sizeof kCommands / sizeof *kCommands; ++i) {
    if (strcmp(word[0], kCommands[i].name) == 0 && words == kCommands[i].words) {
      return kCommands[i].run(word);
    }
  }
  puts("what?");
}

int main(void) {
  char line[256];
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin) != NULL) obey(line);
  return 0;
}
