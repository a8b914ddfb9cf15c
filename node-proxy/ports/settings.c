#define _GNU_SOURCE
#include "node-proxy/ports/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOOPBACK_FIRST_BYTES = 0x7F40, ADDRESSES_PER_RUN = 4 };

/* Decimal digits, at most `max`; moves `*text` behind them. */
static int read_number(const char** text, uint32_t max, uint32_t* number) {
  const char* digit = *text;
  uint32_t value = 0;
  for (; *digit >= '0' && *digit <= '9'; ++digit) {
    value = value * 10 + (uint32_t)(*digit - '0');
    if (value > max) return 0;
  }
  if (digit == *text) return 0;
  *text = digit;
  *number = value;
  return 1;
}

/* Four numbers, in 127.64.0.0/10, of which the last is divisible by four. */
static int read_address(const char* text, uint32_t* address) {
  uint32_t bytes = 0;
  for (int i = 0; i < 4; ++i) {
    uint32_t byte;
    if (i > 0 && *text++ != '.') return 0;
    if (*text == '0' && text[1] >= '0' && text[1] <= '9') return 0;
    if (!read_number(&text, 255, &byte)) return 0;
    bytes = bytes << 8 | byte;
  }
  if (*text != '\0' || (bytes >> 16 & 0xFFC0) != LOOPBACK_FIRST_BYTES) return 0;
  *address = bytes;
  return bytes % ADDRESSES_PER_RUN == 0;
}

static int read_range(const char** text, struct hpc_port_range* range) {
  uint32_t first, last;
  if (!read_number(text, UINT16_MAX, &first) || first == 0) return 0;
  last = first;
  if (**text == '-') {
    ++*text;
    if (!read_number(text, UINT16_MAX, &last) || last < first) return 0;
  }
  range->first = (uint16_t)first;
  range->last = (uint16_t)last;
  return 1;
}

int hpc_parse_settings(const char* address, const char* shared,
                       struct hpc_ports_settings* settings) {
  uint32_t bytes;
  if (address == NULL || !read_address(address, &bytes)) return 0;
  settings->v4 = htonl(bytes);
  settings->v6 = htonl(bytes + 1);
  settings->shared_count = 0;
  if (shared == NULL || *shared == '\0') return 1;
  for (;;) {
    if (settings->shared_count == HPC_PORTS_RANGES_MAX) return 0;
    if (!read_range(&shared, &settings->shared[settings->shared_count++])) return 0;
    if (*shared == '\0') return 1;
    if (*shared++ != ',') return 0;
  }
}

int hpc_is_shared(const struct hpc_ports_settings* settings, uint16_t port) {
  for (uint32_t i = 0; i < settings->shared_count; ++i) {
    if (port >= settings->shared[i].first && port <= settings->shared[i].last) return 1;
  }
  return 0;
}

int hpc_is_claimed(uint32_t v4) {
  const int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 1;
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(HPC_PORTS_CLAIM_PORT);
  address.sin_addr.s_addr = htonl(ntohl(v4) + HPC_PORTS_CLAIM_OFFSET);
  /* Two programs that look at the same moment are not in each other's way; the claim is in both's,
     for it has not this option. */
  const int on = 1;
  syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int is_free = syscall(SYS_bind, fd, &address, sizeof address) == 0;
  const int no_such_address = !is_free && errno == EADDRNOTAVAIL;
  syscall(SYS_close, fd);
  return !is_free && !no_such_address;
}

enum reading { UNREAD, BEING_READ, CHANGE_NOTHING, READ };
static enum reading state;
static struct hpc_ports_settings known;

/* Who finds them unread, or being read by another thread (which in a child of a fork will never
   end), reads them for himself; the first one also for all who come after. */
const struct hpc_ports_settings* hpc_settings(struct hpc_ports_settings* scratch) {
  enum reading now = __atomic_load_n(&state, __ATOMIC_ACQUIRE);
  if (now == READ) return &known;
  if (now == CHANGE_NOTHING) return NULL;
  const int saved = errno;
  const int good =
      hpc_parse_settings(getenv(HPC_PORTS_ADDRESS), getenv(HPC_PORTS_SHARED), scratch) &&
      hpc_is_claimed(scratch->v4);
  errno = saved;
  now = UNREAD;
  if (__atomic_compare_exchange_n(&state, &now, BEING_READ, 0, __ATOMIC_ACQ_REL,
                                  __ATOMIC_ACQUIRE)) {
    if (good) known = *scratch;
    __atomic_store_n(&state, good ? READ : CHANGE_NOTHING, __ATOMIC_RELEASE);
  }
  return good ? scratch : NULL;
}
