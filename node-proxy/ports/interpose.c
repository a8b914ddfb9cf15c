/* The functions that programs call. Each does nothing but what it is called for when the address is
   none of those that are moved, and leaves errno as the real one does. */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>

#include "node-proxy/ports/marks.h"
#include "node-proxy/ports/moves.h"
#include "node-proxy/ports/real_calls.h"
#include "node-proxy/ports/settings.h"
#include "node-proxy/ports/views.h"

/* Under names of our own here: libc's headers declare its own in ways that compilers differ on. */
#define INSTEAD_OF(name) __asm__(name) __attribute__((visibility("default")))

int hpc_bind(int, const struct sockaddr*, socklen_t) INSTEAD_OF("bind");
int hpc_connect(int, const struct sockaddr*, socklen_t) INSTEAD_OF("connect");
int hpc_getsockname(int, struct sockaddr*, socklen_t*) INSTEAD_OF("getsockname");
int hpc_getpeername(int, struct sockaddr*, socklen_t*) INSTEAD_OF("getpeername");
int hpc_accept(int, struct sockaddr*, socklen_t*) INSTEAD_OF("accept");
int hpc_accept4(int, struct sockaddr*, socklen_t*, int) INSTEAD_OF("accept4");
ssize_t hpc_sendto(int, const void*, size_t, int, const struct sockaddr*, socklen_t)
    INSTEAD_OF("sendto");
ssize_t hpc_sendmsg(int, const struct msghdr*, int) INSTEAD_OF("sendmsg");
int hpc_sendmmsg(int, struct mmsghdr*, unsigned int, int) INSTEAD_OF("sendmmsg");
ssize_t hpc_recvfrom(int, void*, size_t, int, struct sockaddr*, socklen_t*) INSTEAD_OF("recvfrom");
/* What recvfrom() becomes in programs built with _FORTIFY_SOURCE. */
ssize_t hpc_recvfrom_chk(int, void*, size_t, size_t, int, struct sockaddr*, socklen_t*)
    INSTEAD_OF("__recvfrom_chk");
ssize_t hpc_recvmsg(int, struct msghdr*, int) INSTEAD_OF("recvmsg");
int hpc_recvmmsg(int, struct mmsghdr*, unsigned int, int, struct timespec*) INSTEAD_OF("recvmmsg");

enum {
  MESSAGES_AT_ONCE = 16, /* of sendmmsg(); their copies are on the stack */
  MESSAGES_MAX = 1024,   /* of recvmmsg(): UIO_MAXIOV of the kernel */
};

/* Before the program has threads, changed environment or signals. All of it comes again by itself
   where somebody calls us earlier. */
__attribute__((constructor)) static void start(void) {
  struct hpc_ports_settings scratch;
  hpc_find_real_calls();
  hpc_settings(&scratch);
}

/* What there is of an address that the kernel has written into `room` bytes. */
static socklen_t written(socklen_t room, socklen_t size) { return size < room ? size : room; }

int hpc_bind(int fd, const struct sockaddr* address, socklen_t size) {
  struct hpc_ports_settings scratch;
  const struct hpc_ports_settings* settings = hpc_settings(&scratch);
  if (settings == NULL) return hpc_real_bind(fd, address, size);
  return hpc_bind_moved(settings, fd, address, size);
}

int hpc_connect(int fd, const struct sockaddr* address, socklen_t size) {
  struct hpc_ports_settings scratch;
  const struct hpc_ports_settings* settings = hpc_settings(&scratch);
  const struct hpc_errand errand = {fd, 1, 0};
  union hpc_address moved;
  socklen_t moved_size;
  if (settings != NULL && hpc_find_moved(settings, &errand, address, size, &moved, &moved_size)) {
    return hpc_real_connect(fd, &moved.any, moved_size);
  }
  return hpc_real_connect(fd, address, size);
}

typedef void (*show)(const struct hpc_ports_settings*, int, void*, socklen_t);

static void show_after(show how, int fd, void* address, socklen_t room, socklen_t size) {
  struct hpc_ports_settings scratch;
  const struct hpc_ports_settings* settings = hpc_settings(&scratch);
  if (settings != NULL && address != NULL) how(settings, fd, address, written(room, size));
}

int hpc_getsockname(int fd, struct sockaddr* address, socklen_t* size) {
  const socklen_t room = size != NULL ? *size : 0;
  const int result = hpc_real_getsockname(fd, address, size);
  if (result == 0 && size != NULL) show_after(hpc_show_local, fd, address, room, *size);
  return result;
}

int hpc_getpeername(int fd, struct sockaddr* address, socklen_t* size) {
  const socklen_t room = size != NULL ? *size : 0;
  const int result = hpc_real_getpeername(fd, address, size);
  if (result == 0 && size != NULL) show_after(hpc_show_peer, fd, address, room, *size);
  return result;
}

static int show_accepted(int fd, struct sockaddr* address, socklen_t room, const socklen_t* size) {
  if (fd < 0) return fd;
  hpc_set_mark(fd, HPC_MARK_NONE);
  if (address != NULL && size != NULL) show_after(hpc_show_peer, fd, address, room, *size);
  return fd;
}

int hpc_accept(int fd, struct sockaddr* address, socklen_t* size) {
  const socklen_t room = size != NULL ? *size : 0;
  return show_accepted(hpc_real_accept(fd, address, size), address, room, size);
}

int hpc_accept4(int fd, struct sockaddr* address, socklen_t* size, int flags) {
  const socklen_t room = size != NULL ? *size : 0;
  return show_accepted(hpc_real_accept4(fd, address, size, flags), address, room, size);
}

ssize_t hpc_sendto(int fd, const void* bytes, size_t count, int flags,
                   const struct sockaddr* address, socklen_t size) {
  struct hpc_ports_settings scratch;
  const struct hpc_ports_settings* settings = address != NULL ? hpc_settings(&scratch) : NULL;
  const struct hpc_errand errand = {fd, 0, flags};
  union hpc_address moved;
  socklen_t moved_size;
  if (settings != NULL && hpc_find_moved(settings, &errand, address, size, &moved, &moved_size)) {
    return hpc_real_sendto(fd, bytes, count, flags, &moved.any, moved_size);
  }
  return hpc_real_sendto(fd, bytes, count, flags, address, size);
}

/* Puts another name into a message that is a copy of the program's. */
static int move_message(const struct hpc_ports_settings* settings, int fd, int flags,
                        struct msghdr* message, union hpc_address* moved) {
  const struct hpc_errand errand = {fd, 0, flags};
  socklen_t size;
  if (!hpc_find_moved(settings, &errand, message->msg_name, message->msg_namelen, moved, &size)) {
    return 0;
  }
  message->msg_name = moved;
  message->msg_namelen = size;
  return 1;
}

ssize_t hpc_sendmsg(int fd, const struct msghdr* message, int flags) {
  struct hpc_ports_settings scratch;
  const struct hpc_ports_settings* settings = NULL;
  if (message != NULL && message->msg_name != NULL) settings = hpc_settings(&scratch);
  if (settings != NULL) {
    struct msghdr copy = *message;
    union hpc_address moved;
    if (move_message(settings, fd, flags, &copy, &moved)) return hpc_real_sendmsg(fd, &copy, flags);
  }
  return hpc_real_sendmsg(fd, message, flags);
}

static int has_loopback_name(const struct hpc_ports_settings* settings,
                             const struct mmsghdr* messages, unsigned int count) {
  for (unsigned int i = 0; i < count; ++i) {
    const struct msghdr* message = &messages[i].msg_hdr;
    if (hpc_read_place(settings, message->msg_name, message->msg_namelen).where != HPC_ELSEWHERE) {
      return 1;
    }
  }
  return 0;
}

/* At most MESSAGES_AT_ONCE, with other names where they are moved. */
static int send_copies(const struct hpc_ports_settings* settings, int fd, struct mmsghdr* messages,
                       unsigned int count, int flags) {
  struct mmsghdr copies[MESSAGES_AT_ONCE];
  union hpc_address moved[MESSAGES_AT_ONCE];
  for (unsigned int i = 0; i < count; ++i) {
    copies[i] = messages[i];
    move_message(settings, fd, flags, &copies[i].msg_hdr, &moved[i]);
  }
  const int sent = hpc_real_sendmmsg(fd, copies, count, flags);
  for (int i = 0; i < sent; ++i) messages[i].msg_len = copies[i].msg_len;
  return sent;
}

int hpc_sendmmsg(int fd, struct mmsghdr* messages, unsigned int count, int flags) {
  struct hpc_ports_settings scratch;
  const struct hpc_ports_settings* settings = messages != NULL ? hpc_settings(&scratch) : NULL;
  if (settings == NULL || !has_loopback_name(settings, messages, count)) {
    return hpc_real_sendmmsg(fd, messages, count, flags);
  }
  unsigned int done = 0;
  while (done < count) {
    const unsigned int left = count - done;
    const unsigned int now = left < MESSAGES_AT_ONCE ? left : MESSAGES_AT_ONCE;
    const int sent = send_copies(settings, fd, messages + done, now, flags);
    /* After a message that failed, the next call fails for the same reason. */
    if (sent <= 0) return done > 0 ? (int)done : sent;
    done += (unsigned int)sent;
  }
  return (int)done;
}

ssize_t hpc_recvfrom(int fd, void* bytes, size_t count, int flags, struct sockaddr* address,
                     socklen_t* size) {
  const socklen_t room = size != NULL ? *size : 0;
  const ssize_t result = hpc_real_recvfrom(fd, bytes, count, flags, address, size);
  if (result >= 0 && size != NULL) show_after(hpc_show_peer, fd, address, room, *size);
  return result;
}

ssize_t hpc_recvfrom_chk(int fd, void* bytes, size_t count, size_t limit, int flags,
                         struct sockaddr* address, socklen_t* size) {
  const socklen_t room = size != NULL ? *size : 0;
  const ssize_t result = hpc_real_recvfrom_chk(fd, bytes, count, limit, flags, address, size);
  if (result >= 0 && size != NULL) show_after(hpc_show_peer, fd, address, room, *size);
  return result;
}

ssize_t hpc_recvmsg(int fd, struct msghdr* message, int flags) {
  const socklen_t room = message != NULL ? message->msg_namelen : 0;
  const ssize_t result = hpc_real_recvmsg(fd, message, flags);
  if (result >= 0 && message != NULL) {
    show_after(hpc_show_peer, fd, message->msg_name, room, message->msg_namelen);
  }
  return result;
}

int hpc_recvmmsg(int fd, struct mmsghdr* messages, unsigned int count, int flags,
                 struct timespec* timeout) {
  /* The kernel writes over what room there was for each name; it takes no more messages. */
  uint8_t rooms[MESSAGES_MAX] = {0};
  if (messages == NULL) return hpc_real_recvmmsg(fd, messages, count, flags, timeout);
  for (unsigned int i = 0; i < count && i < MESSAGES_MAX; ++i) {
    const socklen_t room = messages[i].msg_hdr.msg_namelen;
    rooms[i] = (uint8_t)(room < UINT8_MAX ? room : UINT8_MAX);
  }
  const int result = hpc_real_recvmmsg(fd, messages, count, flags, timeout);
  for (int i = 0; i < result && i < MESSAGES_MAX; ++i) {
    const struct msghdr* message = &messages[i].msg_hdr;
    show_after(hpc_show_peer, fd, message->msg_name, rooms[i], message->msg_namelen);
  }
  return result;
}
