/* The parts of ports_probe, which tells what each command does. */
#ifndef HPC_PORTS_PROBE_H
#define HPC_PORTS_PROBE_H

#include <sys/socket.h>

int probe_fd(const char* name);
void probe_say(int result);
socklen_t probe_address(struct sockaddr_storage* address, const char* text, const char* port);

/* ports_probe_hard.c: what a library in front of libc must survive. */
void probe_forbid(char** word);
void probe_fork(char** word);
void probe_vfork(char** word);
void probe_spawn(char** word);
void probe_serve(char** word);
void probe_threads(char** word);
void probe_cancel(char** word);
void probe_handler(char** word);
void probe_plugin(char** word);
void probe_nulls(char** word);
void probe_time(char** word);

#endif
