#include "manager/operator_client.h"

#include <poll.h>
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
constexpr int kOperatorWaitMs = kOperatorWaitSeconds * 1000;

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

/// Collects the one answer, or hands its body on.
class AnswerReader final : private HttpParser::Listener {
 public:
  AnswerReader() = default;
  explicit AnswerReader(const OperatorStream& stream) : stream_(&stream) {}
  /// True when the answer is complete.
  Result<bool> take(Bytes bytes) {
    const auto used = bytes.empty() ? finish() : parser_.feed(bytes);
    if (!used) {
      return fail(Errc::kNetwork, kWhere, "its answer cannot be read: " + used.error().detail);
    }
    if (too_large_) return fail(Errc::kTooLarge, kWhere, "its answer is too long");
    return complete_;
  }
  bool head_is_there() const { return status_ != 0; }
  bool enough() const { return enough_; }
  OperatorAnswer answer() { return {parser_.response_head().status, std::move(body_)}; }

 private:
  void on_head() noexcept override { status_ = parser_.response_head().status; }
  void on_body(Bytes bytes) noexcept override {
    if (stream_ != nullptr && status_ >= 200 && status_ <= 299) {
      enough_ = enough_ || !stream_->take(as_text(bytes));
      return;
    }
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
  const OperatorStream* stream_ = nullptr;
  int status_ = 0;  // once the head is there
  bool enough_ = false;
  std::string body_;
  bool too_large_ = false;
  bool complete_ = false;
};

/// What the next bytes are: nothing for the end, kTimeout where none come.
Result<Bytes> receive(int descriptor, std::array<char, 16 * 1024>& buffer) {
  while (true) {
    const auto count = recv(descriptor, buffer.data(), buffer.size(), 0);
    if (count >= 0) return as_bytes({buffer.data(), static_cast<std::size_t>(count)});
    if (errno != EINTR) return tl::unexpected(system_error(errno));
  }
}

/// False: `stop` can be read.
Result<bool> wait_for_bytes(int descriptor, int stop, bool for_ever) {
  std::array<pollfd, 2> watched = {pollfd{descriptor, POLLIN, 0}, pollfd{stop, POLLIN, 0}};
  while (true) {
    const int count = poll(watched.data(), watched.size(), for_ever ? -1 : kOperatorWaitMs);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return tl::unexpected(system_error(count == 0 ? EAGAIN : errno));
    return watched[1].revents == 0;
  }
}

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

Result<UniqueFd> connect_to(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.empty() || socket_path.size() >= sizeof address.sun_path) {
    return fail(Errc::kConfig, kWhere,
                socket_path.empty()
                    ? "no home directory is known: name its socket with --socket PATH"
                    : "the path of its socket is too long: " + socket_path);
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  UniqueFd descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
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
  return descriptor;
}

}  // namespace

Result<OperatorAnswer> exchange_over(int descriptor, const OperatorRequest& request) {
  // Whoever answers before it has read all may close early: its answer counts.
  const auto sent = send_all(descriptor, text_of(request));
  AnswerReader reader;
  std::array<char, 16 * 1024> buffer{};
  while (true) {
    const auto bytes = receive(descriptor, buffer);
    if (!bytes) return tl::unexpected(sent ? bytes.error() : sent.error());
    const auto complete = reader.take(*bytes);
    if (!complete) return tl::unexpected(complete.error());
    if (*complete) return reader.answer();
  }
}

Result<std::optional<OperatorAnswer>> stream_over(int descriptor, const OperatorRequest& request,
                                                  const OperatorStream& stream) {
  const auto sent = send_all(descriptor, text_of(request));
  AnswerReader reader(stream);
  std::array<char, 16 * 1024> buffer{};
  while (true) {
    const auto goes_on = wait_for_bytes(descriptor, stream.stop_descriptor, reader.head_is_there());
    if (!goes_on) return tl::unexpected(goes_on.error());
    if (!*goes_on) return std::optional<OperatorAnswer>();
    const auto bytes = receive(descriptor, buffer);
    if (!bytes) return tl::unexpected(sent ? bytes.error() : sent.error());
    const auto complete = reader.take(*bytes);
    if (reader.enough()) return std::optional<OperatorAnswer>();
    if (!complete) return tl::unexpected(complete.error());
    if (*complete) return std::optional(reader.answer());
  }
}

Result<OperatorAnswer> ask_operator_socket(const std::string& socket_path,
                                           const OperatorRequest& request) {
  const auto descriptor = connect_to(socket_path);
  if (!descriptor) return tl::unexpected(descriptor.error());
  return exchange_over(descriptor->get(), request);
}

Result<std::optional<OperatorAnswer>> stream_operator_socket(const std::string& socket_path,
                                                             const OperatorRequest& request,
                                                             const OperatorStream& stream) {
  const auto descriptor = connect_to(socket_path);
  if (!descriptor) return tl::unexpected(descriptor.error());
  return stream_over(descriptor->get(), request, stream);
}

}  // namespace hpc
