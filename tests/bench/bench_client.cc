// bench_client: WebSocket load, and connections that do nothing.
//
//   bench_client echo PORT TARGET CONNECTIONS SECONDS [FIELD]...   64-byte messages, the next when
//                    the echo of the last has come; prints {"round_trips", "seconds", "p50_us",
//                    ...}
//   bench_client idle-http PORT TARGET CONNECTIONS [FIELD]...      opens the connections, gets
//   bench_client idle-websocket ...                                TARGET (or upgrades) once on
//   each,
//                    prints "ready" and keeps them open until its standard input ends
//
// PORT is of 127.0.0.1; FIELD is a request field, "Name: value". One thread.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace {

// A masked binary frame: 2 bytes of head, 4 of mask, 64 of payload.
constexpr std::size_t kFrameBytes = 70;
constexpr int kAnswerSecondsMax = 30;

struct Order {
  std::string mode;
  std::uint16_t port = 0;
  std::string request;
  std::size_t connections = 0;
  double seconds = 0;
};

struct Connection {
  int fd = -1;
  std::size_t got = 0;  // bytes of the echo that is awaited
  std::int64_t sent_at_ns = 0;
};

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

bool has_whole_answer(const std::string& answer, bool upgrade) {
  const std::size_t end = answer.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  if (upgrade) return true;
  for (const char* name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
    const std::size_t at = answer.find(name);
    if (at < end) return answer.size() >= end + 4 + std::strtoul(&answer[at + 18], nullptr, 10);
  }
  return true;
}

/// A connection on which the first request was answered as it should be.
Connection open_connection(const Order& order) {
  const bool upgrade = order.mode != "idle-http";
  Connection connection;
  connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(order.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  const timeval patience{kAnswerSecondsMax, 0};
  setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(connection.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail("connect");
  }
  if (send(connection.fd, order.request.data(), order.request.size(), MSG_NOSIGNAL) < 0) {
    fail("send");
  }
  std::string answer;
  std::array<char, 4096> buffer;
  while (!has_whole_answer(answer, upgrade)) {
    const ssize_t got = recv(connection.fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) fail("no answer");
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  if (!answer.starts_with(upgrade ? "HTTP/1.1 101" : "HTTP/1.1 200")) {
    std::fprintf(stderr, "answered:\n%s\n", answer.c_str());
    std::exit(1);
  }
  return connection;
}

void send_message(Connection& connection) {
  std::array<char, kFrameBytes> frame{};
  frame[0] = static_cast<char>(0x82);
  frame[1] = static_cast<char>(0x80 | 64);
  connection.got = 0;
  connection.sent_at_ns = now_ns();
  if (send(connection.fd, frame.data(), frame.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(frame.size())) {
    fail("send");
  }
}

double percentile_us(std::vector<std::uint32_t>& sorted, double part) {
  if (sorted.empty()) return 0;
  const auto at = static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1));
  return sorted[at] / 1e3;
}

void echo(std::vector<Connection>& connections, double seconds) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::uint32_t> took_ns;
  const std::int64_t begin = now_ns();
  const std::int64_t end = begin + static_cast<std::int64_t>(seconds * 1e9);
  for (std::size_t i = 0; i < connections.size(); ++i) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event);
    send_message(connections[i]);
  }
  std::array<epoll_event, 256> events;
  std::array<char, 4096> buffer;
  while (now_ns() < end) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 100);
    for (int i = 0; i < count; ++i) {
      Connection& connection = connections[events[static_cast<std::size_t>(i)].data.u64];
      const ssize_t got = recv(connection.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got <= 0) fail("connection ended");
      connection.got += static_cast<std::size_t>(got);
      if (connection.got < kFrameBytes) continue;
      took_ns.push_back(static_cast<std::uint32_t>(now_ns() - connection.sent_at_ns));
      send_message(connection);
    }
  }
  const double took = static_cast<double>(now_ns() - begin) / 1e9;
  std::sort(took_ns.begin(), took_ns.end());
  std::printf("{\"round_trips\": %zu, \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
              took_ns.size(), took, percentile_us(took_ns, 0.5), percentile_us(took_ns, 0.99));
}

Order read_order(int argc, char** argv) {
  Order order;
  order.mode = argc > 1 ? argv[1] : "";
  const bool timed = order.mode == "echo";
  const int fixed = timed ? 6 : 5;
  if (argc < fixed || (!timed && order.mode != "idle-http" && order.mode != "idle-websocket")) {
    std::fputs(
        "usage: bench_client echo PORT TARGET CONNECTIONS SECONDS [FIELD]...\n"
        "       bench_client idle-http|idle-websocket PORT TARGET CONNECTIONS [FIELD]...\n",
        stderr);
    std::exit(2);
  }
  order.port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  order.connections = static_cast<std::size_t>(std::atol(argv[4]));
  if (timed) order.seconds = std::atof(argv[5]);
  order.request =
      "GET " + std::string(argv[3]) + " HTTP/1.1\r\nHost: 127.0.0.1:" + argv[2] + "\r\n";
  if (order.mode != "idle-http") {
    order.request +=
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  }
  for (int i = fixed; i < argc; ++i) order.request += std::string(argv[i]) + "\r\n";
  order.request += "\r\n";
  return order;
}

}  // namespace

int main(int argc, char** argv) {
  const Order order = read_order(argc, argv);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::vector<Connection> connections(order.connections);
  for (auto& connection : connections) connection = open_connection(order);
  if (order.mode == "echo") {
    echo(connections, order.seconds);
    return 0;
  }
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}
