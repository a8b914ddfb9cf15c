/* See ports_probe.h. Each prints one line: "ok", or what went wrong. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/ports_probe.h"

enum { THREADS = 16, ROUNDS = 200, CALLS_TIMED = 20000 };

extern char** environ;

/* Makes socket(AF_NETLINK) or openat() fail with EACCES, as a sandbox does. */
void probe_forbid(char** word) {
  const int is_netlink = strcmp(word[1], "netlink") == 0;
  const unsigned int call = is_netlink ? SYS_socket : SYS_openat;
  struct sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, is_netlink ? AF_NETLINK : (unsigned int)-100, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return probe_say(-1);
  probe_say(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

/* Connects to 127.0.0.1 and looks at what it is shown; 0 when all is as it should be. */
static int visit(const char* port) {
  struct sockaddr_storage address, shown;
  socklen_t size = probe_address(&address, "127.0.0.1", port);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int failed = fd < 0 || connect(fd, (void*)&address, size) != 0;
  size = sizeof shown;
  if (!failed) failed = getpeername(fd, (void*)&shown, &size) != 0;
  if (!failed) failed = memcmp(&address, &shown, sizeof(struct sockaddr_in)) != 0;
  close(fd);
  return failed;
}

/* Binds to a port of its own choice, which must be shown as it was asked for. */
static int settle(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr_in shown;
  socklen_t size = sizeof shown;
  const int value = 1;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof value);
  const int failed = fd < 0 || bind(fd, (void*)&address, sizeof address) != 0 ||
                     getsockname(fd, (void*)&shown, &size) != 0 || shown.sin_addr.s_addr != 0 ||
                     shown.sin_port != address.sin_port;
  close(fd);
  return failed;
}

static void say_end_of(pid_t child) {
  int status = -1;
  if (child < 0 || waitpid(child, &status, 0) != child) return probe_say(-1);
  printf(status == 0 ? "ok\n" : "child %x\n", (unsigned)status);
}

void probe_fork(char** word) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) _exit(visit(word[1]));
  say_end_of(child);
}

void probe_vfork(char** word) {
  const pid_t child = vfork();
  if (child == 0) _exit(visit(word[1]));
  say_end_of(child);
}

void probe_spawn(char** word) {
  pid_t child = -1;
  char* arguments[] = {word[1], NULL};
  if ((errno = posix_spawn(&child, word[1], NULL, NULL, arguments, environ)) != 0) child = -1;
  say_end_of(child);
}

struct work {
  const char* port;
  uint16_t own_port; /* threads do not share one */
  int failures;
};

static void* work(void* given) {
  struct work* mine = given;
  for (int i = 0; i < ROUNDS; ++i) {
    mine->failures += visit(mine->port);
    mine->failures += settle(mine->own_port);
  }
  return NULL;
}

/* All at once, against a "serve" elsewhere; while they run, the process forks, and the children
 * visit too. */
void probe_threads(char** word) {
  pthread_t threads[THREADS];
  struct work works[THREADS];
  int failures = 0;
  for (int i = 0; i < THREADS; ++i) {
    works[i] = (struct work){word[1], (uint16_t)(atoi(word[2]) + i), 0};
    if (pthread_create(&threads[i], NULL, work, &works[i]) != 0) return probe_say(-1);
  }
  for (int i = 0; i < THREADS; ++i) {
    int status = -1;
    const pid_t child = fork();
    if (child == 0) _exit(visit(word[1]));
    waitpid(child, &status, 0);
    failures += status != 0;
  }
  for (int i = 0; i < THREADS; ++i) {
    pthread_join(threads[i], NULL);
    failures += works[i].failures;
  }
  printf(failures == 0 ? "ok\n" : "%d failures\n", failures);
}

static const char* handler_port;
static volatile sig_atomic_t handler_result = -1;
static void on_signal(int number) {
  (void)number;
  handler_result = visit(handler_port);
}

void probe_handler(char** word) {
  handler_port = word[1];
  signal(SIGUSR1, on_signal);
  errno = EXDEV;
  raise(SIGUSR1);
  puts(handler_result == 0 && errno == EXDEV ? "ok" : "changed");
}

static void* serve(void* given) {
  const int listener = *(int*)given;
  for (int fd; (fd = accept(listener, NULL, NULL)) >= 0 || errno == EINTR;) close(fd);
  return NULL;
}

/* A thread that takes every connection and closes it. */
void probe_serve(char** word) {
  static int listener;
  pthread_t thread;
  listener = probe_fd(word[1]);
  errno = pthread_create(&thread, NULL, serve, &listener);
  probe_say(errno != 0 ? -1 : 0);
}

static volatile sig_atomic_t cleaned;
static void clean(const int* fd) {
  (void)fd;
  cleaned = 1;
}

static void* wait_for_ever(void* given) {
  const int listener __attribute__((cleanup(clean))) = *(int*)given;
  accept(listener, NULL, NULL);
  return NULL;
}

/* Cancels a thread that waits in accept(): what it has on its stack must be cleaned up. */
void probe_cancel(char** word) {
  int listener = probe_fd(word[1]);
  pthread_t thread;
  if ((errno = pthread_create(&thread, NULL, wait_for_ever, &listener)) != 0) return probe_say(-1);
  pthread_cancel(thread);
  pthread_join(thread, NULL);
  puts(cleaned ? "ok" : "not cleaned up");
}

/* A library that is loaded while the program runs, and connects. */
void probe_plugin(char** word) {
#ifdef PORTS_PROBE_STATIC
  (void)word;
  puts("none in a static program");
#else
  void* library = dlopen(word[1], RTLD_NOW | RTLD_LOCAL);
  int (*plugin_visit)(const char*) = NULL;
  void* symbol = library != NULL ? dlsym(library, "plugin_visit") : NULL;
  memcpy(&plugin_visit, &symbol, sizeof symbol);
  puts(plugin_visit != NULL && plugin_visit(word[2]) == 0 ? "ok" : "failed");
#endif
}

/* Calls without an address: the kernel's answer, not a crash of ours. */
void probe_nulls(char** word) {
  const int fd = probe_fd(word[1]);
  char byte;
  struct sockaddr* volatile none = NULL;
  socklen_t* volatile no_size = NULL;
  const int results[] = {
      bind(fd, none, 0) == -1 && errno == EINVAL,
      connect(fd, none, 0) == -1 && errno == EINVAL,
      getsockname(fd, none, no_size) == -1 && errno == EFAULT,
      getpeername(-1, none, no_size) == -1 && errno == EBADF,
      accept(-1, none, no_size) == -1 && errno == EBADF,
      recvfrom(fd, &byte, 1, MSG_DONTWAIT, none, no_size) == -1 && errno == EAGAIN,
      sendto(-1, &byte, 1, 0, none, 0) == -1 && errno == EBADF,
      sendmsg(fd, NULL, 0) == -1 && errno == EFAULT,
      recvmsg(fd, NULL, MSG_DONTWAIT) == -1 && errno == EFAULT,
  };
  for (size_t i = 0; i < sizeof results / sizeof *results; ++i) {
    if (!results[i]) {
      printf("call %zu\n", i);
      return;
    }
  }
  puts("ok");
}

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Nanoseconds a call: "name" getsockname() of a Unix socket, "refused" connect() to a port of
   127.0.0.1 where nobody listens, "bad" connect() of a Unix socket. */
void probe_time(char** word) {
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
  struct sockaddr_storage address;
  const socklen_t size = probe_address(&address, "127.0.0.1", "1");
  const int unix_fd = socket(AF_UNIX, SOCK_STREAM, 0);
  const double begin = now_ns();
  for (int i = 0; i < CALLS_TIMED; ++i) {
    struct sockaddr_storage shown;
    socklen_t room = sizeof shown;
    if (word[1][0] == 'n') getsockname(unix_fd, (void*)&shown, &room);
    if (word[1][0] == 'b') connect(unix_fd, (void*)&name, sizeof name);
    if (word[1][0] == 'r') {
      const int fd = socket(AF_INET, SOCK_STREAM, 0);
      connect(fd, (void*)&address, size);
      close(fd);
    }
  }
  printf("%.0f\n", (now_ns() - begin) / CALLS_TIMED);
  close(unix_fd);
}
