#include "node-proxy/loopback_client.h"

#include <fcntl.h>
#include <poll.h>
#include <rapidjson/document.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/clock.h"
#include "common/hello.h"
#include "common/http_parser.h"
#include "common/target_owner.h"
#include "common/tcp_stream.h"
#include "common/unique_fd.h"
#include "node-proxy/access.h"

namespace hpc {

namespace {

// Over loopback an answer takes a millisecond; a busy node may need more, a person not wait longer.
constexpr int kStepMs = 3000;
// /ports with the most ports and a long template.
constexpr std::size_t kBodyBytesMax = std::size_t{512} * 1024;

Error network(const char* step) {
  return {Errc::kNetwork, "hpc-proxy", std::string(step) + ": " + std::strerror(errno)};
}

Status wait_for(int fd, short events) {
  pollfd item{fd, events, 0};
  while (true) {
    const int count = poll(&item, 1, kStepMs);
    if (count > 0) return {};
    if (count == 0) return fail(Errc::kTimeout, "hpc-proxy", "does not answer");
    if (errno != EINTR) return tl::unexpected<Error>(network("poll"));
  }
}

Result<UniqueFd> connect_to(const std::string& address, std::uint16_t port) {
  const auto target = make_sockaddr(address, port);
  if (!target) return tl::unexpected<Error>(target.error());
  UniqueFd fd(socket(target->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return tl::unexpected<Error>(network("socket"));
  const auto size = static_cast<socklen_t>(target->ss_family == AF_INET ? sizeof(sockaddr_in)
                                                                        : sizeof(sockaddr_in6));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&*target), size) != 0 &&
      errno != EINPROGRESS) {
    return fail(Errc::kRefused, "hpc-proxy", std::strerror(errno));
  }
  if (const auto ready = wait_for(fd.get(), POLLOUT); !ready) {
    return tl::unexpected<Error>(ready.error());
  }
  int failure = 0;
  socklen_t failure_size = sizeof failure;
  getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &failure_size);
  if (failure != 0) return fail(Errc::kRefused, "hpc-proxy", std::strerror(failure));
  return fd;
}

/// With --host ADDR it listens on that address only, which is then one of the record's.
Result<UniqueFd> connect_to(const JobRecord& record) {
  auto fd = connect_to("127.0.0.1", record.port);
  if (fd) return fd;
  std::vector<std::string> others = {"::1"};
  others.insert(others.end(), record.addresses.begin(), record.addresses.end());
  for (const std::string& address : others) {
    auto other = connect_to(address, record.port);
    if (other) return other;
  }
  if (fd.error().code != Errc::kRefused) return fd;
  return fail(Errc::kRefused, "hpc-proxy",
              "process " + std::to_string(record.pid) + " takes no connection on port " +
                  std::to_string(record.port) + " (is it ending?)");
}

/// The text member of that name of a JSON object; empty where there is none.
std::string read_member(const std::string& body, const char* name) {
  rapidjson::Document json;
  json.Parse<rapidjson::kParseIterativeFlag>(body.data(), body.size());
  if (json.HasParseError() || !json.IsObject()) return {};
  if (!json.HasMember(name) || !json[name].IsString()) return {};
  return {json[name].GetString(), json[name].GetStringLength()};
}

SocketAddress local_end(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return socket_address(address);
}

class Answer final : public HttpParser::Listener {
 public:
  explicit Answer(int fd) : fd_(fd), parser_(HttpParser::Kind::kResponse, {}, *this) {}

  Result<std::string> read_all() {
    std::array<char, 4096> buffer{};
    while (!parser_.message_complete()) {
      if (const auto ready = wait_for(fd_, POLLIN); !ready) {
        return tl::unexpected<Error>(ready.error());
      }
      const ssize_t size = read(fd_, buffer.data(), buffer.size());
      if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (size < 0) return tl::unexpected<Error>(network("read"));
      const bool fine =
          size == 0
              ? parser_.finish().has_value()
              : parser_.feed(as_bytes({buffer.data(), static_cast<std::size_t>(size)})).has_value();
      if (!fine || (size == 0 && !parser_.message_complete()) || body_.size() > kBodyBytesMax) {
        return fail(Errc::kNetwork, "hpc-proxy", "the answer is not HTTP or was cut short");
      }
    }
    const int status = parser_.response_head().status;
    if (status == 200) return body_;
    const std::string detail = read_member(body_, "detail");
    return fail(Errc::kNetwork, "hpc-proxy",
                detail.empty() ? "answers " + std::to_string(status) : detail);
  }

  void on_head() noexcept override {}
  void on_body(Bytes bytes) noexcept override {
    if (body_.size() <= kBodyBytesMax) body_.append(as_text(bytes));
  }
  void on_message_end() noexcept override {}

 private:
  int fd_;
  HttpParser parser_;
  std::string body_;
};

Result<std::string> ask(const JobRecord& record, const std::string& method,
                        const std::string& target, const std::string& fields) {
  const auto fd = connect_to(record);
  if (!fd) return tl::unexpected<Error>(fd.error());
  const std::string request = method + " " + target +
                              " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(record.port) +
                              "\r\n" + fields + "Connection: close\r\n\r\n";
  // A request of a few hundred bytes always fits into a fresh socket's buffer.
  if (send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return tl::unexpected<Error>(network("send"));
  }
  return Answer(fd->get()).read_all();
}

std::string token_field(const JobRecord& record) {
  return std::string(kTokenField) + ": " + record.token + "\r\n";
}

}  // namespace

Status check_hello(const JobRecord& record) {
  const std::string nonce = random_hex64();
  const auto body = ask(record, "GET", "/.hpc-proxy/hello?nonce=" + nonce, "");
  if (!body) return tl::unexpected<Error>(body.error());
  const auto want = hello_hmac(record.token, nonce);
  if (want && equal_in_constant_time(read_member(*body, "hmac"), *want)) return {};
  return fail(Errc::kForbidden, "hpc-proxy",
              "somebody else answers on port " + std::to_string(record.port));
}

Result<std::string> get_with_token(const JobRecord& record, const std::string& target) {
  if (const auto known = check_hello(record); !known) return tl::unexpected<Error>(known.error());
  return ask(record, "GET", target, token_field(record));
}

Status post_with_token(const JobRecord& record, const std::string& target,
                       const std::string& fields) {
  if (auto known = check_hello(record); !known) return known;
  const auto body =
      ask(record, "POST", target, token_field(record) + fields + "Content-Length: 0\r\n");
  if (!body) return tl::unexpected<Error>(body.error());
  return {};
}

Status look_for_listener(std::uint16_t port, bool anybody,
                         const std::vector<std::string>& private_addresses) {
  const auto owner = make_target_owner(make_system_lookup());
  bool foreign = false;
  std::vector<std::string> addresses = private_addresses;
  addresses.insert(addresses.end(), {"127.0.0.1", "::1"});
  for (const std::string& address : addresses) {
    const auto fd = connect_to(address, port);
    if (!fd) continue;
    if (anybody) return {};
    const auto verdict = owner->owner_of({address, port}, local_end(fd->get()), geteuid());
    if (verdict && *verdict == TargetVerdict::kOurs) return {};
    foreign = foreign || !verdict || *verdict == TargetVerdict::kForeign;
  }
  // A run's command gets the port all the same.
  if (!foreign || !private_addresses.empty()) {
    return fail(Errc::kRefused, "hpc-proxy",
                "nothing listens on port " + std::to_string(port) + " yet");
  }
  return fail(
      Errc::kForbidden, "hpc-proxy",
      "port " + std::to_string(port) + " belongs to another user; start your app on another port");
}

}  // namespace hpc
