#include "manager/operator_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/http_parser.h"
#include "common/unique_fd.h"

namespace hpc {

namespace {

constexpr const char* kWhere = "serve";

std::string text_of(const OperatorRequest& request) {
  std::string text = request.method + " " + request.target +
                     " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n";
  if (!request.body.empty()) {
    text += "Content-Type: application/json\r\n";
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  } else if (request.method == "POST") {
    text += "Content-Length: 0\r\n";
  }
  return text + "\r\n" + request.body;
}

Error system_error(int number) {
  if (number == EAGAIN || number == EWOULDBLOCK) {
    return {Errc::kTimeout, kWhere,
            "no answer within " + std::to_string(kOperatorWaitSeconds) + " s"};
  }
  return {Errc::kNetwork, kWhere, std::strerror(number)};
}

Status send_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const auto sent = send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return tl::unexpected(system_error(errno));
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

/// Collects the one answer.
class AnswerReader final : private HttpParser::Listener {
 public:
  /// True when the answer is complete.
  Result<bool> take(Bytes bytes) {
    const auto used = bytes.empty() ? finish() : parser_.feed(bytes);
    if (!used) {
      return fail(Errc::kNetwork, kWhere, "its answer cannot be read: " + used.error().detail);
    }
    if (too_large_) return fail(Errc::kTooLarge, kWhere, "its answer is too long");
    return complete_;
  }
  OperatorAnswer answer() { return {parser_.response_head().status, std::move(body_)}; }

 private:
  void on_head() noexcept override {}
  void on_body(Bytes bytes) noexcept override {
    too_large_ = too_large_ || body_.size() + bytes.size() > kOperatorAnswerBytesMax;
    if (!too_large_) body_.append(as_text(bytes));
  }
  void on_message_end() noexcept override { complete_ = true; }
  tl::expected<std::size_t, HttpRefusal> finish() {
    auto end = parser_.finish();
    if (!end) return tl::unexpected(end.error());
    if (!complete_) return refuse(502, "the connection was closed before an answer came");
    return std::size_t{0};
  }

  HttpParser parser_{HttpParser::Kind::kResponse, {}, *this};
  std::string body_;
  bool too_large_ = false;
  bool complete_ = false;
};

Status check_peer(int descriptor, const std::string& path) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return fail(Errc::kSystem, kWhere, std::strerror(errno));
  }
  const uid_t own = geteuid();
  if (peer.uid == own || peer.uid == 0 || own == 0) return {};
  return fail(Errc::kForbidden, kWhere,
              "what listens at " + path + " belongs to another user; ask as that user");
}

Error connect_error(int number, const std::string& path) {
  switch (number) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
      return {Errc::kNotFound, kWhere,
              "it is not running: nothing listens at " + path +
                  "; start it, or name its socket with --socket PATH"};
    case EACCES:
    case EPERM:
      return {Errc::kForbidden, kWhere,
              "you may not use " + path + "; only the user that runs it may, and root"};
    default:
      return {Errc::kSystem, kWhere, path + ": " + std::strerror(number)};
  }
}

}  // namespace

Result<OperatorAnswer> exchange_over(int descriptor, const OperatorRequest& request) {
  // Whoever answers before it has read all may close early: its answer counts.
  const auto sent = send_all(descriptor, text_of(request));
  AnswerReader reader;
  std::array<char, 16 * 1024> buffer{};
  while (true) {
    const auto count = recv(descriptor, buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(sent ? system_error(errno) : sent.error());
    const auto complete = reader.take(as_bytes({buffer.data(), static_cast<std::size_t>(count)}));
    if (!complete) return tl::unexpected(complete.error());
    if (*complete) return reader.answer();
  }
}

Result<OperatorAnswer> ask_operator_socket(const std::string& socket_path,
                                           const OperatorRequest& request) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.empty() || socket_path.size() >= sizeof address.sun_path) {
    return fail(Errc::kConfig, kWhere,
                socket_path.empty()
                    ? "no home directory is known: name its socket with --socket PATH"
                    : "the path of its socket is too long: " + socket_path);
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  const UniqueFd descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (descriptor.get() < 0) return fail(Errc::kSystem, kWhere, std::strerror(errno));
  const timeval wait{kOperatorWaitSeconds, 0};
  setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  setsockopt(descriptor.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  if (connect(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return tl::unexpected(connect_error(errno, socket_path));
  }
  if (auto status = check_peer(descriptor.get(), socket_path); !status) {
    return tl::unexpected(status.error());
  }
  return exchange_over(descriptor.get(), request);
}

}  // namespace hpc
