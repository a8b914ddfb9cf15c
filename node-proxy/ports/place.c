#include "node-proxy/ports/place.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

static const uint8_t kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

enum {
  V4_BYTES_MIN = offsetof(struct sockaddr_in, sin_addr) + 4,
  V6_BYTES_MIN = offsetof(struct sockaddr_in6, sin6_addr) + 16,
};

static enum hpc_where place_of_host(const struct hpc_ports_settings* settings, uint32_t host) {
  if (host == settings->v4) return HPC_PRIVATE_V4;
  if (host == settings->v6) return HPC_PRIVATE_V6;
  if (host == htonl(INADDR_LOOPBACK)) return HPC_LOOPBACK;
  return host == htonl(INADDR_ANY) ? HPC_WILDCARD : HPC_ELSEWHERE;
}

struct hpc_place hpc_read_place(const struct hpc_ports_settings* settings, const void* address,
                                socklen_t size) {
  struct hpc_place place = {HPC_IPV4, HPC_ELSEWHERE, 0};
  union hpc_address given;
  if (address == NULL || size < V4_BYTES_MIN) return place;
  memcpy(&given, address, size < sizeof given ? size : sizeof given);
  if (given.any.sa_family == AF_INET) {
    place.port = ntohs(given.v4.sin_port);
    place.where = place_of_host(settings, given.v4.sin_addr.s_addr);
    return place;
  }
  if (given.any.sa_family != AF_INET6 || size < V6_BYTES_MIN) return place;
  place.port = ntohs(given.v6.sin6_port);
  const uint8_t* host = given.v6.sin6_addr.s6_addr;
  if (memcmp(host, kMappedPrefix, sizeof kMappedPrefix) == 0) {
    uint32_t mapped;
    memcpy(&mapped, host + sizeof kMappedPrefix, sizeof mapped);
    place.spelling = HPC_MAPPED;
    place.where = place_of_host(settings, mapped);
    return place;
  }
  place.spelling = HPC_IPV6;
  if (IN6_IS_ADDR_LOOPBACK(&given.v6.sin6_addr)) place.where = HPC_LOOPBACK;
  if (IN6_IS_ADDR_UNSPECIFIED(&given.v6.sin6_addr)) place.where = HPC_WILDCARD;
  return place;
}

static void put_ipv4(void* address, enum hpc_spelling spelling, uint32_t host) {
  uint8_t* bytes = address;
  if (spelling == HPC_IPV4) {
    memcpy(bytes + offsetof(struct sockaddr_in, sin_addr), &host, sizeof host);
    return;
  }
  bytes += offsetof(struct sockaddr_in6, sin6_addr);
  memcpy(bytes, kMappedPrefix, sizeof kMappedPrefix);
  memcpy(bytes + sizeof kMappedPrefix, &host, sizeof host);
}

void hpc_copy_with_host(union hpc_address* copy, const void* address, socklen_t size,
                        uint32_t host) {
  memset(copy, 0, sizeof *copy);
  memcpy(copy, address, size < sizeof *copy ? size : sizeof *copy);
  const int is_v4 = copy->any.sa_family == AF_INET;
  put_ipv4(copy, is_v4 ? HPC_IPV4 : HPC_MAPPED, host);
  /* A scope means nothing to IPv4, and the kernel refuses a strange one for ::1 only. */
  if (!is_v4) copy->v6.sin6_scope_id = 0;
}

void hpc_write_place(void* address, enum hpc_spelling spelling, enum hpc_where where) {
  const int is_loopback = where == HPC_LOOPBACK;
  if (spelling != HPC_IPV6) {
    put_ipv4(address, spelling, htonl(is_loopback ? INADDR_LOOPBACK : INADDR_ANY));
    return;
  }
  const struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
  const struct in6_addr any = IN6ADDR_ANY_INIT;
  memcpy((uint8_t*)address + offsetof(struct sockaddr_in6, sin6_addr),
         is_loopback ? &loopback : &any, sizeof any);
}
