/* A program whose own function is called connect(), as programs may; it has sockets as well. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

const char* own_connect(const char* what) __asm__("connect");
const char* own_connect(const char* what) { return what; }

int main(int argc, char** argv) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  struct sockaddr_in shown;
  socklen_t size = sizeof shown;
  address.sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "0"));
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (const struct sockaddr*)&address, sizeof address) != 0) return 1;
  if (getsockname(fd, (struct sockaddr*)&shown, &size) != 0) return 2;
  puts(own_connect(inet_ntoa(shown.sin_addr)));
  return 0;
}
