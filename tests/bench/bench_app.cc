// bench_app: the app behind every proxy that is measured, so that all have the same one.
//
//   GET /bytes/N              N bytes; keep-alive
//   GET /page/N               a page with N small assets, scripts and pictures by turns
//   GET /asset/script, /asset/picture    2 KiB each
//   PUT or POST with Content-Length    reads the body, answers "ok"
//   any request with Upgrade  101, then sends back what it gets: a WebSocket echo without looking
//                             into the frames, which no proxy does either
//
// Prints "ready PORT" (of 127.0.0.1); runs until it is killed. One thread; requests are not
// pipelined by the load we have, so one is read at a time.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

constexpr std::size_t kBlockBytes = std::size_t{256} * 1024;
constexpr std::size_t kHeadBytesMax = std::size_t{64} * 1024;
constexpr std::size_t kAssetBytes = 2048;
constexpr int kEventsPerTurn = 256;

std::array<char, kBlockBytes> g_read;
std::array<char, kBlockBytes> g_body;  // what downloads consist of: zeros

struct Connection {
  int fd = -1;
  std::string head;               // of the request that is being read
  std::string out;                // not yet taken by the kernel
  std::uint64_t body_left = 0;    // of a download, behind `out`
  std::uint64_t upload_left = 0;  // still to be read
  bool echo = false;
  bool waits_for_room = false;
};

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// The value of a field whose name is given in lower case with its colon; empty when there is none.
std::string_view field(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at + 2 < head.size(); at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
    if (line.size() >= name.size() && std::equal(name.begin(), name.end(), line.begin(),
                                                 [&](char b, char a) { return same(a, b); })) {
      const std::size_t value = line.find_first_not_of(' ', name.size());
      return value == std::string_view::npos ? std::string_view() : line.substr(value);
    }
  }
  return {};
}

class App {
 public:
  int run();

 private:
  void accept_all();
  void on_readable(Connection& connection);
  void take(Connection& connection, std::string_view bytes);
  void answer(Connection& connection, std::string_view head);
  void say(Connection& connection, std::string_view type, std::uint64_t length);
  void say_text(Connection& connection, std::string_view type, std::string_view text);
  bool flush(Connection& connection);
  void watch(Connection& connection, bool for_room);
  void drop(const Connection& connection);

  int epoll_ = -1;
  int listener_ = -1;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
};

void App::drop(const Connection& connection) {
  const int fd = connection.fd;
  close(fd);
  connections_.erase(fd);
}

void App::watch(Connection& connection, bool for_room) {
  if (connection.waits_for_room == for_room) return;
  connection.waits_for_room = for_room;
  // While an echo waits for room nothing more is read, so that `out` stays small.
  epoll_event event{};
  event.events = for_room ? EPOLLOUT : EPOLLIN;
  event.data.fd = connection.fd;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
}

/// Sends what there is to send; false when the connection has broken.
bool App::flush(Connection& connection) {
  while (!connection.out.empty() || connection.body_left > 0) {
    const auto piece = std::min<std::uint64_t>(connection.body_left, g_body.size());
    std::array<iovec, 2> parts{{{connection.out.data(), connection.out.size()},
                                {g_body.data(), static_cast<std::size_t>(piece)}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t sent = sendmsg(connection.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      watch(connection, true);
      return errno == EAGAIN;
    }
    const auto of_out = std::min(static_cast<std::size_t>(sent), connection.out.size());
    connection.out.erase(0, of_out);
    connection.body_left -= static_cast<std::size_t>(sent) - of_out;
  }
  watch(connection, false);
  return true;
}

void App::say(Connection& connection, std::string_view type, std::uint64_t length) {
  connection.out += "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: ";
  connection.out += type;
  connection.out += "\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}

void App::say_text(Connection& connection, std::string_view type, std::string_view text) {
  say(connection, type, text.size());
  connection.out += text;
}

/// Each asset has an address of its own, so that none comes from the browser's cache.
std::string page_text(std::uint64_t assets) {
  std::string text = "<!DOCTYPE html>\n<html><head><title>page</title></head><body>\n";
  for (std::uint64_t i = 0; i < assets; ++i) {
    const std::string number = std::to_string(i);
    text += i % 2 == 0 ? "<script defer src=\"../asset/script?" + number + "\"></script>\n"
                       : "<img src=\"../asset/picture?" + number + "\">\n";
  }
  return text + "</body></html>\n";
}

std::string padded(std::string text) {
  text.resize(kAssetBytes, ' ');
  return text;
}

bool asks_for(std::string_view head, std::string_view path) {
  return head.starts_with("GET") && head.substr(3).starts_with(path);
}

void App::answer(Connection& connection, std::string_view head) {
  if (!field(head, "upgrade:").empty()) {
    // The load does not check the proof, so that there is none to compute.
    connection.out +=
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Accept: bench\r\n\r\n";
    connection.echo = true;
    return;
  }
  connection.upload_left = number_of(field(head, "content-length:"));
  if (connection.upload_left > 0) return;
  if (asks_for(head, " /page/")) {
    return say_text(connection, "text/html", page_text(number_of(head.substr(10))));
  }
  if (asks_for(head, " /asset/script")) {
    return say_text(connection, "text/javascript", padded("window.loaded = 1;"));
  }
  if (asks_for(head, " /asset/picture")) {
    return say_text(connection, "image/svg+xml",
                    padded("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"8\" height=\"8\"/>"));
  }
  const std::size_t at = head.find("/bytes/");
  connection.body_left = at == std::string_view::npos ? 0 : number_of(head.substr(at + 7));
  say(connection, "application/octet-stream", connection.body_left);
}

void App::take(Connection& connection, std::string_view bytes) {
  while (!bytes.empty()) {
    if (connection.echo) {
      connection.out += bytes;
      return;
    }
    if (connection.upload_left > 0) {
      const auto piece = std::min<std::uint64_t>(connection.upload_left, bytes.size());
      connection.upload_left -= piece;
      bytes.remove_prefix(static_cast<std::size_t>(piece));
      if (connection.upload_left == 0) {
        say(connection, "text/plain", 2);
        connection.out += "ok";
      }
      continue;
    }
    const std::size_t before = connection.head.size();
    connection.head += bytes;
    const std::size_t end = connection.head.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    if (end == std::string::npos) return;
    const std::string head = connection.head.substr(0, end + 2);
    bytes.remove_prefix(end + 4 - before);
    connection.head.clear();
    answer(connection, head);
  }
}

void App::on_readable(Connection& connection) {
  const ssize_t got = recv(connection.fd, g_read.data(), g_read.size(), MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0 || connection.head.size() > kHeadBytesMax) {
    drop(connection);
    return;
  }
  take(connection, {g_read.data(), static_cast<std::size_t>(got)});
  if (!flush(connection)) drop(connection);
}

void App::accept_all() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto connection = std::make_unique<Connection>();
    connection->fd = fd;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    connections_[fd] = std::move(connection);
  }
}

int App::run() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener_;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 4096) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) != 0) {
    std::perror("bench_app");
    return 1;
  }
  std::printf("ready %d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  std::array<epoll_event, kEventsPerTurn> events;
  for (;;) {
    const int count = epoll_wait(epoll_, events.data(), kEventsPerTurn, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener_) {
        accept_all();
        continue;
      }
      const auto found = connections_.find(fd);
      if (found == connections_.end()) continue;
      Connection& connection = *found->second;
      if (!connection.waits_for_room) {
        on_readable(connection);
      } else if (!flush(connection)) {
        drop(connection);
      }
    }
  }
}

}  // namespace

int main() { return App().run(); }
