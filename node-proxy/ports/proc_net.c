#include "node-proxy/ports/proc_net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
  LINE_BYTES_MAX = 512, /* the kernel's have 150 (tcp) or 200 (tcp6) */
  READ_BYTES = 4096,
  END_BYTES = 38, /* 32 digits, a colon, 4 digits, 0 */
  WORD_OF_END = 1,
  WORD_OF_STATE = 3,
  WORD_OF_UID = 7,
};

static char* put_hex(char* text, uint32_t value, int digits) {
  for (int i = digits - 1; i >= 0; --i) *text++ = "0123456789ABCDEF"[value >> 4 * i & 15];
  *text = '\0';
  return text;
}

/* As the kernel prints it: words of 32 bits in the machine's order. */
static void put_end(char* text, int family, uint32_t host, uint16_t port) {
  if (family == AF_INET6) {
    text = put_hex(put_hex(text, 0, 8), 0, 8);
    text = put_hex(text, htonl(0xFFFF), 8);
  }
  text = put_hex(text, host, 8);
  *text++ = ':';
  put_hex(text, port, 4);
}

static int is_end_of_line(char c) { return c == '\n' || c == '\0'; }

/* 1 when the word at `at` is `word`. */
static int is_word(const char* at, const char* word) {
  while (*word != '\0' && *at == *word) ++at, ++word;
  return *word == '\0' && (*at == ' ' || is_end_of_line(*at));
}

static int is_number(const char* at, uint32_t number) {
  uint64_t value = 0;
  if (*at < '0' || *at > '9') return 0;
  for (; *at >= '0' && *at <= '9' && value <= UINT32_MAX; ++at) {
    value = value * 10 + (uint64_t)(*at - '0');
  }
  return value == number && *at == ' ';
}

int hpc_is_line_of(const char* line, const char* end, const char* state, uint32_t uid) {
  for (int word = 0;; ++word) {
    while (*line == ' ') ++line;
    if (is_end_of_line(*line)) return 0;
    if (word == WORD_OF_END && !is_word(line, end)) return 0;
    if (word == WORD_OF_STATE && !is_word(line, state)) return 0;
    if (word == WORD_OF_UID) return is_number(line, uid);
    while (*line != ' ' && !is_end_of_line(*line)) ++line;
  }
}

/* Fills the rest of `buffer` from the file; what is in it afterwards, 0 at the end or on failure.
 */
static size_t read_more(int fd, char* buffer, size_t filled) {
  const long got = syscall(SYS_read, fd, buffer + filled, READ_BYTES - filled);
  return got > 0 ? filled + (size_t)got : 0;
}

static int is_in_file(const char* path, const char* end, const char* state, uint32_t uid) {
  const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char buffer[READ_BYTES + 1];
  size_t filled = 0;
  int found = 0;
  while (!found && (filled = read_more(fd, buffer, filled)) > 0) {
    buffer[filled] = '\0';
    const char* line = buffer;
    for (const char* newline; !found && (newline = strchr(line, '\n')) != NULL;
         line = newline + 1) {
      found = hpc_is_line_of(line, end, state, uid);
    }
    filled -= (size_t)(line - buffer);
    if (filled >= LINE_BYTES_MAX) break; /* not the kernel's */
    memmove(buffer, line, filled);
  }
  syscall(SYS_close, fd);
  return found;
}

int hpc_family_in_proc_net(int protocol, uint32_t host, uint16_t port) {
  const int is_tcp = protocol == IPPROTO_TCP;
  const char* state = is_tcp ? "0A" : "07";
  const uint32_t uid = (uint32_t)syscall(SYS_geteuid);
  char end[END_BYTES];
  put_end(end, AF_INET, host, port);
  if (is_in_file(is_tcp ? "/proc/net/tcp" : "/proc/net/udp", end, state, uid)) return AF_INET;
  put_end(end, AF_INET6, host, port);
  if (is_in_file(is_tcp ? "/proc/net/tcp6" : "/proc/net/udp6", end, state, uid)) return AF_INET6;
  return 0;
}
