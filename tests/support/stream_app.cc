// stream_app: an app on 127.0.0.1 that streams as much as it is asked for, for the soak tests.
//
//   GET /sse/BYTES         server-sent events (stream_pattern.h), chunked
//   GET /chunked/BYTES     the same bytes as a chunked download
//   GET /websocket/BYTES   the same bytes in binary frames, then a close frame
//   PUT /upload            checks the body, answers {"bytes": how many of it were right}
//   GET /events/EVERY_MS   an event every so many ms with the time at which it was sent
//
// Prints "ready PORT"; runs until it is killed. A thread per connection, one request on each.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <optional>
#include <thread>

#include "tests/support/stream_pattern.h"

namespace hpc {
namespace {

struct Request {
  std::string method;
  std::string path;      // without the number at its end
  std::uint64_t number;  // BYTES or EVERY_MS; 0: none
  std::uint64_t content_length = 0;
  std::string web_socket_key;
};

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::optional<Request> read_request(Reader& reader) {
  std::string line;
  if (!reader.line(line)) return std::nullopt;
  const std::size_t space = line.find(' ');
  const std::string target = line.substr(space + 1, line.rfind(' ') - space - 1);
  const std::size_t slash = target.rfind('/');
  Request request{line.substr(0, space), target.substr(0, slash), 0, 0, {}};
  request.number = number_of(std::string_view(target).substr(slash + 1));
  if (request.path.empty()) request.path = target;
  while (reader.line(line) && !line.empty()) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) return std::nullopt;
    const auto value = std::string_view(line).substr(colon + 2);
    if (strncasecmp(line.c_str(), "content-length:", 15) == 0) {
      request.content_length = number_of(value);
    }
    if (strncasecmp(line.c_str(), "sec-websocket-key:", 18) == 0) request.web_socket_key = value;
  }
  return request;
}

std::string chunk_head(std::size_t size) {
  char text[16];
  const int length = std::snprintf(text, sizeof text, "%zx\r\n", size);
  return {text, static_cast<std::size_t>(length)};
}

std::string frame_head(std::size_t size) {
  std::string head("\x82\x7F", 2);  // one binary message, its length in 8 bytes
  for (int shift = 56; shift >= 0; shift -= 8) head += static_cast<char>(size >> shift);
  return head;
}

/// `total` bytes of the pattern, each piece behind what `head_of` says of its size.
bool stream_pattern(int fd, std::uint64_t total, std::string (*head_of)(std::size_t),
                    std::string_view tail) {
  const Pattern pattern;
  for (std::uint64_t done = 0; done < total;) {
    const auto piece =
        static_cast<std::size_t>(std::min<std::uint64_t>(kPatternBytes, total - done));
    if (!send_parts(fd, head_of(piece), pattern.at(done, piece), tail)) return false;
    done += piece;
  }
  return true;
}

void stream_chunked(int fd, const Request& request, std::string_view type) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: " + std::string(type) +
                           "\r\nTransfer-Encoding: chunked\r\n\r\n";
  if (send_parts(fd, head) && stream_pattern(fd, request.number, chunk_head, "\r\n")) {
    send_parts(fd, "0\r\n\r\n");
  }
}

void stream_frames(int fd, const Request& request) {
  if (request.web_socket_key != kWebSocketKey) {
    send_parts(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    return;
  }
  const std::string head =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: " +
      std::string(kWebSocketAccept) + "\r\n\r\n";
  if (send_parts(fd, head) && stream_pattern(fd, request.number, frame_head, {})) {
    send_parts(fd, {"\x88\x00", 2});
  }
}

void take_upload(int fd, Reader& reader, const Request& request) {
  PatternCheck check;
  while (check.taken() < request.content_length) {
    const auto bytes = reader.some(request.content_length - check.taken());
    if (bytes.empty() || !check.take(bytes)) break;
  }
  const std::string body = "{\"bytes\": " + std::to_string(check.taken()) + "}";
  send_parts(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                     std::to_string(body.size()) + "\r\n\r\n" + body);
}

void send_events(int fd, const Request& request) {
  const auto every_ns = static_cast<long>(request.number) * 1'000'000;
  bool open = send_parts(fd,
                         "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n");
  while (open) {
    const timespec rest{every_ns / 1'000'000'000, every_ns % 1'000'000'000};
    nanosleep(&rest, nullptr);
    const std::string event = "data: " + std::to_string(now_ns()) + "\n\n";
    open = send_parts(fd, chunk_head(event.size()), event, "\r\n");
  }
}

void serve(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Reader reader(fd);
  if (const auto request = read_request(reader)) {
    if (request->path != "/events") step_back();
    if (request->path == "/sse") {
      stream_chunked(fd, *request, "text/event-stream");
    } else if (request->path == "/chunked") {
      stream_chunked(fd, *request, "application/octet-stream");
    } else if (request->path == "/websocket") {
      stream_frames(fd, *request);
    } else if (request->path == "/upload") {
      take_upload(fd, reader, *request);
    } else if (request->path == "/events") {
      send_events(fd, *request);
    } else {
      send_parts(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
  }
  // The other side closes first, so that nothing which is still under way is lost.
  shutdown(fd, SHUT_WR);
  while (!reader.some(kPatternBytes).empty()) {
  }
  close(fd);
}

int run() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener, 128) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("stream_app");
    return 1;
  }
  std::printf("ready %d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) std::thread(serve, fd).detach();
  }
}

}  // namespace
}  // namespace hpc

int main() { return hpc::run(); }
