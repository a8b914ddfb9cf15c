// stream_client PORT PREFIX sse|chunked|websocket|upload BYTES [EVERY_MS]
//
// Streams BYTES from or to a stream_app that is at PREFIX ("/port/5500") of 127.0.0.1:PORT and
// checks every byte. With EVERY_MS a second connection reads the app's events meanwhile and
// measures how old each is when it arrives; late_ms is what the machine itself adds to such an age,
// at worst. Prints one line of JSON; exit 1 and a reason when a stream was cut, changed, or
// refused.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdio>
#include <thread>

#include "tests/support/stream_pattern.h"

namespace hpc {
namespace {

struct Task {
  std::uint16_t port;
  std::string prefix;
  std::string kind;
  std::uint64_t bytes;
  std::string every_ms;  // empty: no events
};

int connect_to(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    std::perror("connect");
    std::exit(1);
  }
  return fd;
}

[[noreturn]] void give_up(const char* what, std::string_view detail, std::uint64_t at) {
  std::fprintf(stderr, "%s: %.*s (after %llu bytes)\n", what, static_cast<int>(detail.size()),
               detail.data(), static_cast<unsigned long long>(at));
  std::exit(1);
}

/// Sends the head of a request; `fields` are lines with their ends.
void send_head(int fd, const Task& task, const char* method, const std::string& path,
               const std::string& fields) {
  send_parts(fd, std::string(method) + " " + task.prefix + path + " HTTP/1.1\r\nHost: 127.0.0.1:" +
                     std::to_string(task.port) + "\r\n" + fields + "\r\n");
}

void expect_status(Reader& reader, std::string_view status) {
  std::string line;
  if (!reader.line(line) || line.substr(0, 13) != "HTTP/1.1 " + std::string(status) + " ") {
    give_up("unexpected answer", line, 0);
  }
  while (reader.line(line) && !line.empty()) {
  }
}

void take_all(Reader& reader, PatternCheck& check, std::uint64_t size) {
  while (size > 0) {
    const auto bytes = reader.some(size);
    if (bytes.empty()) give_up("cut off", "inside the data", check.taken());
    if (!check.take(bytes)) give_up("changed", "not the bytes of the pattern", check.taken());
    size -= bytes.size();
  }
}

std::uint64_t download_chunks(Reader& reader) {
  PatternCheck check;
  std::string line;
  for (;;) {
    std::uint64_t size = 0;
    if (!reader.line(line)) give_up("cut off", "before the last chunk", check.taken());
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), size, 16);
    if (line.empty() || parsed.ptr != line.data() + line.size()) {
      give_up("not a chunk size", line, check.taken());
    }
    if (size == 0) return check.taken();
    take_all(reader, check, size);
    if (!reader.line(line)) give_up("cut off", "at the end of a chunk", check.taken());
    if (!line.empty()) give_up("chunk without end", line, check.taken());
  }
}

std::uint64_t download_frames(Reader& reader) {
  PatternCheck check;
  for (;;) {
    const std::string head = reader.exactly(2);
    if (head.size() < 2) give_up("cut off", "before the last frame", check.taken());
    if (head == std::string_view("\x88\x00", 2)) return check.taken();
    if (head != "\x82\x7F") give_up("not a frame of the app", head, check.taken());
    std::uint64_t size = 0;
    const std::string length = reader.exactly(8);
    if (length.size() < 8) give_up("cut off", "inside the head of a frame", check.taken());
    for (const char byte : length) size = size << 8 | static_cast<std::uint8_t>(byte);
    take_all(reader, check, size);
  }
}

std::uint64_t upload(int fd, Reader& reader, std::uint64_t total) {
  const Pattern pattern;
  for (std::uint64_t done = 0; done < total;) {
    const auto piece =
        static_cast<std::size_t>(std::min<std::uint64_t>(kPatternBytes, total - done));
    if (!send_parts(fd, pattern.at(done, piece))) give_up("cut off", "while sending", done);
    done += piece;
  }
  expect_status(reader, "200");
  const std::string answer =
      reader.exactly(sizeof "{\"bytes\": }" - 1 + std::to_string(total).size());
  if (answer != "{\"bytes\": " + std::to_string(total) + "}") give_up("upload", answer, total);
  return total;
}

std::uint64_t stream(const Task& task) {
  const int fd = connect_to(task.port);
  Reader reader(fd);
  std::uint64_t bytes = 0;
  if (task.kind == "upload") {
    send_head(fd, task, "PUT", "/upload", "Content-Length: " + std::to_string(task.bytes) + "\r\n");
    bytes = upload(fd, reader, task.bytes);
  } else if (task.kind == "websocket") {
    send_head(fd, task, "GET", "/websocket/" + std::to_string(task.bytes),
              "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Key: " +
                  std::string(kWebSocketKey) + "\r\n");
    expect_status(reader, "101");
    bytes = download_frames(reader);
  } else {
    send_head(fd, task, "GET", "/" + task.kind + "/" + std::to_string(task.bytes), "");
    expect_status(reader, "200");
    bytes = download_chunks(reader);
  }
  close(fd);
  return bytes;
}

/// Reads events until the connection is shut down; their ages, in ms.
void read_events(int fd, const Task& task, std::vector<double>& ages_ms) {
  Reader reader(fd);
  send_head(fd, task, "GET", "/events/" + task.every_ms, "");
  expect_status(reader, "200");
  constexpr std::string_view kData = "data: ";
  std::string line;
  while (reader.line(line)) {
    // The lines of the chunk framing and the empty ones are between the events.
    if (!line.starts_with(kData)) continue;
    const double age_ns = static_cast<double>(now_ns() - std::atoll(line.c_str() + kData.size()));
    ages_ms.push_back(age_ns / 1e6);
  }
}

/// How late this machine wakes a thread that has nothing to do with the streams, at worst, in ms:
/// until `ended`.
double watch_machine(const std::atomic<bool>& ended) {
  constexpr long kRestNs = 5'000'000;
  std::int64_t late_ns = 0;
  while (!ended) {
    const std::int64_t begin = now_ns();
    const timespec rest{0, kRestNs};
    nanosleep(&rest, nullptr);
    late_ns = std::max(late_ns, now_ns() - begin - kRestNs);
  }
  return static_cast<double>(late_ns) / 1e6;
}

double percentile(const std::vector<double>& sorted, double part) {
  if (sorted.empty()) return -1;
  return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
}

int run(const Task& task) {
  std::vector<double> ages_ms;
  std::atomic<bool> ended = false;
  double late_ms = 0;
  std::thread machine([&] { late_ms = watch_machine(ended); });
  std::thread events;
  const int events_fd = task.every_ms.empty() ? -1 : connect_to(task.port);
  if (events_fd >= 0) events = std::thread(read_events, events_fd, task, std::ref(ages_ms));
  step_back();
  const std::int64_t begin = now_ns();
  const std::uint64_t bytes = stream(task);
  const double seconds = static_cast<double>(now_ns() - begin) / 1e9;
  ended = true;
  machine.join();
  if (events_fd >= 0) {
    shutdown(events_fd, SHUT_RDWR);
    events.join();
  }
  std::sort(ages_ms.begin(), ages_ms.end());
  std::printf(
      "{\"bytes\": %llu, \"seconds\": %.3f, \"events\": %zu, \"median_ms\": %.3f, "
      "\"p99_ms\": %.3f, \"max_ms\": %.3f, \"late_ms\": %.3f}\n",
      static_cast<unsigned long long>(bytes), seconds, ages_ms.size(), percentile(ages_ms, 0.5),
      percentile(ages_ms, 0.99), percentile(ages_ms, 1), late_ms);
  return 0;
}

}  // namespace
}  // namespace hpc

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) {
    std::fputs("stream_client PORT PREFIX sse|chunked|websocket|upload BYTES [EVERY_MS]\n", stderr);
    return 2;
  }
  return hpc::run({static_cast<std::uint16_t>(std::atoi(argv[1])), argv[2], argv[3],
                   std::strtoull(argv[4], nullptr, 10), argc == 6 ? argv[5] : ""});
}
