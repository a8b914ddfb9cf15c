// run_cost: what `hpc-proxy run --private loopback` adds: a look for programs that could not be
// moved, while nothing has changed (every 30 seconds), with the first look at a new socket; and the
// claim of its addresses at the start. Prints microseconds of processor time.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "node-proxy/run/private_addresses.h"
#include "node-proxy/run/unmoved_watch.h"

namespace {

constexpr int kRounds = 200;

/// A listener on a port of the kernel's choice.
int open_listener() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, 1) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

double processor_us() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

/// The best of the rounds.
template <class Work>
double best_us(int rounds, const Work& work) {
  double best = 0;
  for (int round = 0; round < rounds; ++round) {
    const double begin = processor_us();
    work();
    const double took = processor_us() - begin;
    best = round == 0 ? took : std::min(best, took);
  }
  return best;
}

void measure(std::size_t listeners) {
  std::vector<int> fds(listeners);
  for (int& fd : fds) fd = open_listener();
  hpc::Loop loop;
  hpc::UnmovedWatch watch(loop, {geteuid(), getppid(), {"127.64.0.4", "127.64.0.5"}, {}},
                          [](const std::string&) {});
  const auto finish = [&] {
    while (watch.is_looking()) loop.turn();
  };
  const double begin = processor_us();
  watch.look();
  finish();
  const double first = processor_us() - begin;
  const double again = best_us(kRounds, [&] { watch.look(); });
  const double claim = best_us(
      kRounds, [] { [[maybe_unused]] auto got = hpc::claim_private_addresses(1, "bench"); });
  std::printf("%5zu listeners: first look %8.0f us, nothing new %6.0f us; claim %6.0f us\n",
              listeners, first, again, claim);
  for (const int fd : fds) close(fd);
}

}  // namespace

int main() {
  for (const std::size_t listeners : {std::size_t{1}, std::size_t{100}, std::size_t{1000}}) {
    measure(listeners);
  }
  return 0;
}
