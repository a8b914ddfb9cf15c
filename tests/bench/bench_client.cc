// bench_client: WebSocket load, so many requests, and connections that do nothing.
//
//   bench_client echo PORT TARGET CONNECTIONS SECONDS [FIELD]...   64-byte messages, the next when
//                    the echo of the last has come; prints {"round_trips", "seconds", "p50_us",
//                    ...}
//   bench_client idle-http PORT TARGET CONNECTIONS [FIELD]...      opens the connections, gets
//   bench_client idle-websocket ...                                TARGET (or upgrades) once on
//   each,
//                    prints "ready" and keeps them open until its standard input ends
//   bench_client requests PORT TARGET CONNECTIONS REQUESTS [FIELD]...   the same; at the first line
//                    of its standard input it makes so many requests over all of them, and prints
//                    {"requests", "seconds"}
//
// PORT is of 127.0.0.1; FIELD is a request field, "Name: value"; TARGET may be @FILE: a line for
// each request in turn, its target and its fields with tabs between them. One thread.
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
#include <fstream>
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
  std::vector<std::string> requests;  // at least one; by turns
  std::size_t connections = 0;
  double amount = 0;  // seconds, or requests
};

struct Connection {
  int fd = -1;
  std::size_t got = 0;  // bytes of the echo that is awaited
  std::int64_t sent_at_ns = 0;
  std::string answer;  // what there is of the one that is awaited
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

/// Ends the program when the answer is not the one that is wanted.
void check_answer(const std::string& answer, bool upgrade) {
  if (answer.starts_with(upgrade ? "HTTP/1.1 101" : "HTTP/1.1 200")) return;
  std::fprintf(stderr, "answered:\n%s\n", answer.c_str());
  std::exit(1);
}

void send_request(const Connection& connection, const std::string& request) {
  if (send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    fail("send");
  }
}

/// A connection on which the first request was answered as it should be.
Connection open_connection(const Order& order, const std::string& request) {
  const bool upgrade = order.mode == "echo" || order.mode == "idle-websocket";
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
  send_request(connection, request);
  std::string answer;
  std::array<char, 4096> buffer;
  while (!has_whole_answer(answer, upgrade)) {
    const ssize_t got = recv(connection.fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) fail("no answer");
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  check_answer(answer, upgrade);
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

/// A new epoll descriptor that tells, by their place in the list, which of them can be read.
int watch(const std::vector<Connection>& connections) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (std::size_t i = 0; i < connections.size(); ++i) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event);
  }
  return epoll;
}

void echo(std::vector<Connection>& connections, double seconds) {
  const int epoll = watch(connections);
  std::vector<std::uint32_t> took_ns;
  const std::int64_t begin = now_ns();
  const std::int64_t end = begin + static_cast<std::int64_t>(seconds * 1e9);
  for (Connection& connection : connections) send_message(connection);
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

/// So many requests over all connections, the next on each when it has its answer.
void make_requests(std::vector<Connection>& connections, const Order& order) {
  const int epoll = watch(connections);
  const auto wanted = static_cast<std::size_t>(order.amount);
  std::size_t sent = 0;
  const auto send_next = [&](Connection& connection) {
    connection.answer.clear();
    if (sent < wanted) send_request(connection, order.requests[sent++ % order.requests.size()]);
  };
  const std::int64_t begin = now_ns();
  for (Connection& connection : connections) send_next(connection);
  std::array<epoll_event, 256> events;
  std::array<char, 4096> buffer;
  for (std::size_t answered = 0; answered < wanted;) {
    const int count =
        epoll_wait(epoll, events.data(), static_cast<int>(events.size()), kAnswerSecondsMax * 1000);
    if (count <= 0) fail("no answer");
    for (int i = 0; i < count; ++i) {
      Connection& connection = connections[events[static_cast<std::size_t>(i)].data.u64];
      const ssize_t got = recv(connection.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got <= 0) fail("connection ended");
      connection.answer.append(buffer.data(), static_cast<std::size_t>(got));
      if (!has_whole_answer(connection.answer, false)) continue;
      check_answer(connection.answer, false);
      ++answered;
      send_next(connection);
    }
  }
  std::printf("{\"requests\": %zu, \"seconds\": %.6f}\n", wanted,
              static_cast<double>(now_ns() - begin) / 1e9);
  std::fflush(stdout);
}

/// "\tName: value" of each field behind the target, as in the lines of @FILE.
std::string request_of(const std::string& line, const std::string& fields) {
  const std::size_t tab = std::min(line.find('\t'), line.size());
  std::string request = "GET " + line.substr(0, tab) + " HTTP/1.1\r\n" + fields;
  for (std::size_t at = tab; at < line.size();) {
    const std::size_t end = std::min(line.find('\t', at + 1), line.size());
    request += line.substr(at + 1, end - at - 1) + "\r\n";
    at = end;
  }
  return request + "\r\n";
}

std::vector<std::string> requests_of(const std::string& target, const std::string& fields) {
  if (!target.starts_with('@')) return {request_of(target, fields)};
  std::vector<std::string> requests;
  std::ifstream file(target.substr(1));
  for (std::string line; std::getline(file, line);) requests.push_back(request_of(line, fields));
  if (requests.empty()) fail("no requests in the file");
  return requests;
}

Order read_order(int argc, char** argv) {
  Order order;
  order.mode = argc > 1 ? argv[1] : "";
  const bool has_amount = order.mode == "echo" || order.mode == "requests";
  const bool upgrade = order.mode == "echo" || order.mode == "idle-websocket";
  const int fixed = has_amount ? 6 : 5;
  if (argc < fixed || (!has_amount && !upgrade && order.mode != "idle-http")) {
    std::fputs(
        "usage: bench_client echo PORT TARGET CONNECTIONS SECONDS [FIELD]...\n"
        "       bench_client idle-http|idle-websocket PORT TARGET CONNECTIONS [FIELD]...\n"
        "       bench_client requests PORT TARGET|@FILE CONNECTIONS REQUESTS [FIELD]...\n",
        stderr);
    std::exit(2);
  }
  order.port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  order.connections = static_cast<std::size_t>(std::atol(argv[4]));
  if (has_amount) order.amount = std::atof(argv[5]);
  std::string fields = "Host: 127.0.0.1:" + std::string(argv[2]) + "\r\n";
  if (upgrade) {
    fields +=
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  }
  for (int i = fixed; i < argc; ++i) fields += std::string(argv[i]) + "\r\n";
  order.requests = requests_of(argv[3], fields);
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
  for (std::size_t i = 0; i < connections.size(); ++i) {
    connections[i] = open_connection(order, order.requests[i % order.requests.size()]);
  }
  if (order.mode == "echo") {
    echo(connections, order.amount);
    return 0;
  }
  std::puts("ready");
  std::fflush(stdout);
  if (order.mode == "requests" && std::getchar() != EOF) make_requests(connections, order);
  while (std::getchar() != EOF) {
  }
  return 0;
}
