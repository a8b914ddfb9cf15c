#include "node-proxy/run/keeper_message.h"

#include <signal.h>

#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

namespace hpc {

namespace {

constexpr char kStart = 'S';
constexpr char kSignal = 'G';
constexpr char kEnd = 'E';
constexpr char kContinue = 'C';
constexpr char kWish = 'W';
constexpr char kReady = 'R';
constexpr char kStopped = 'T';
constexpr char kEnded = 'X';
constexpr char kSocket = 'F';

constexpr std::int32_t kExitCodeMax = 255;

class Writer {
 public:
  explicit Writer(char kind) : packet_(1, kind) {}
  template <class T>
  Writer& number(T value) {
    static_assert(std::is_integral_v<T>);
    packet_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Writer& text(std::string_view text) {
    packet_.append(text).push_back('\0');
    return *this;
  }
  std::string take() { return std::move(packet_); }

 private:
  std::string packet_;
};

/// Takes the packet apart from its begin; once something is missing, all that follows is.
class Reader {
 public:
  explicit Reader(std::string_view packet) : rest_(packet) {}
  template <class T>
  T number() {
    static_assert(std::is_integral_v<T>);
    T value{};
    if (rest_.size() < sizeof value) {
      good_ = false;
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const std::size_t end = rest_.find('\0');
    if (end == std::string_view::npos) {
      good_ = false;
      return {};
    }
    std::string out(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return out;
  }
  std::vector<std::string> texts(std::uint32_t count) {
    std::vector<std::string> out;
    for (std::uint32_t i = 0; i < count && good_; ++i) out.push_back(text());
    return out;
  }
  /// Was everything there, and nothing beside it?
  bool complete() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

bool is_setting(const std::string& text) {
  const std::size_t equals = text.find('=');
  return equals != std::string::npos && equals > 0;
}

bool is_possible(const KeeperCommand& command) {
  if (command.words.empty() || command.words.front().empty()) return false;
  for (const std::string& word : command.words) {
    if (word.find('\0') != std::string::npos) return false;
  }
  for (const std::string& setting : command.environment) {
    if (!is_setting(setting) || setting.find('\0') != std::string::npos) return false;
  }
  return true;
}

tl::unexpected<Error> broken() {
  return fail(Errc::kBadRequest, "keeper", "a packet that is none of ours");
}

Result<std::string> encode_start(const KeeperCommand& command) {
  if (!is_possible(command)) {
    return fail(Errc::kBadRequest, "COMMAND", "has no program, or a zero byte in it");
  }
  Writer writer(kStart);
  writer.number(static_cast<std::uint32_t>(command.words.size()));
  writer.number(static_cast<std::uint32_t>(command.environment.size()));
  for (const std::string& word : command.words) writer.text(word);
  for (const std::string& setting : command.environment) writer.text(setting);
  std::string packet = writer.take();
  if (packet.size() > kKeeperPacketBytesMax) {
    return fail(Errc::kTooLarge, "COMMAND",
                "its arguments are " + std::to_string(packet.size()) + " bytes long, at most " +
                    std::to_string(kKeeperPacketBytesMax) +
                    " are possible; put them into a file or a script");
  }
  return packet;
}

Result<ToKeeper> decode_start(Reader& reader) {
  const auto words = reader.number<std::uint32_t>();
  const auto settings = reader.number<std::uint32_t>();
  StartMessage message;
  message.command.words = reader.texts(words);
  message.command.environment = reader.texts(settings);
  if (!reader.complete() || !is_possible(message.command)) return broken();
  return message;
}

Result<ToKeeper> decode_signal(Reader& reader) {
  SignalMessage message;
  message.number = reader.number<std::int32_t>();
  message.sender = reader.number<std::int32_t>();
  if (!reader.complete() || message.number < 1 || message.number >= NSIG || message.sender < 0) {
    return broken();
  }
  return message;
}

Result<ToKeeper> decode_wish(Reader& reader) {
  WishMessage message;
  message.id = reader.number<std::uint32_t>();
  message.wish.family = reader.number<std::int32_t>();
  message.wish.type = reader.number<std::int32_t>();
  message.wish.protocol = reader.number<std::int32_t>();
  if (!reader.complete()) return broken();
  return message;
}

Result<FromKeeper> decode_ready(Reader& reader) {
  ReadyMessage message;
  message.where = reader.text();
  message.detail = reader.text();
  if (!reader.complete() || message.where.empty() != message.detail.empty()) return broken();
  return message;
}

Result<FromKeeper> decode_stopped(Reader& reader) {
  StoppedMessage message;
  message.pid = reader.number<std::int32_t>();
  message.stop = reader.number<std::uint32_t>();
  if (!reader.complete() || message.pid <= 0) return broken();
  return message;
}

Result<FromKeeper> decode_ended(Reader& reader) {
  const EndedMessage message{reader.number<std::int32_t>()};
  if (!reader.complete() || message.exit_code < 0 || message.exit_code > kExitCodeMax) {
    return broken();
  }
  return message;
}

Result<FromKeeper> decode_socket(Reader& reader) {
  SocketMessage message;
  message.id = reader.number<std::uint32_t>();
  message.error = reader.number<std::int32_t>();
  if (!reader.complete() || message.error < 0) return broken();
  return message;
}

}  // namespace

Result<std::string> encode(const ToKeeper& message) {
  if (const auto* start = std::get_if<StartMessage>(&message)) return encode_start(start->command);
  if (const auto* sent = std::get_if<SignalMessage>(&message)) {
    return Writer(kSignal).number(sent->number).number(sent->sender).take();
  }
  if (const auto* end = std::get_if<EndMessage>(&message)) {
    return Writer(kEnd).number(end->grace_ms).take();
  }
  if (const auto* go_on = std::get_if<ContinueMessage>(&message)) {
    return Writer(kContinue).number(go_on->stop).take();
  }
  const auto* wish = std::get_if<WishMessage>(&message);
  Writer writer(kWish);
  writer.number(wish->id);
  for (const int number : {wish->wish.family, wish->wish.type, wish->wish.protocol}) {
    writer.number(static_cast<std::int32_t>(number));
  }
  return writer.take();
}

std::string encode(const FromKeeper& message) {
  if (const auto* ready = std::get_if<ReadyMessage>(&message)) {
    const auto cut = [](const std::string& text) { return text.substr(0, kKeeperDetailBytesMax); };
    return Writer(kReady).text(cut(ready->where)).text(cut(ready->detail)).take();
  }
  if (const auto* stopped = std::get_if<StoppedMessage>(&message)) {
    return Writer(kStopped).number(stopped->pid).number(stopped->stop).take();
  }
  if (const auto* ended = std::get_if<EndedMessage>(&message)) {
    return Writer(kEnded).number(ended->exit_code).take();
  }
  const auto* made = std::get_if<SocketMessage>(&message);
  return Writer(kSocket).number(made->id).number(made->error).take();
}

Result<ToKeeper> decode_to_keeper(std::string_view packet) {
  if (packet.empty() || packet.size() > kKeeperPacketBytesMax) return broken();
  Reader reader(packet.substr(1));
  switch (packet.front()) {
    case kStart:
      return decode_start(reader);
    case kSignal:
      return decode_signal(reader);
    case kEnd: {
      const EndMessage message{reader.number<std::uint64_t>()};
      if (!reader.complete()) return broken();
      return message;
    }
    case kContinue: {
      const ContinueMessage message{reader.number<std::uint32_t>()};
      if (!reader.complete()) return broken();
      return message;
    }
    case kWish:
      return decode_wish(reader);
    default:
      return broken();
  }
}

Result<FromKeeper> decode_from_keeper(std::string_view packet) {
  if (packet.empty() || packet.size() > kKeeperPacketBytesMax) return broken();
  Reader reader(packet.substr(1));
  switch (packet.front()) {
    case kReady:
      return decode_ready(reader);
    case kStopped:
      return decode_stopped(reader);
    case kEnded:
      return decode_ended(reader);
    case kSocket:
      return decode_socket(reader);
    default:
      return broken();
  }
}

}  // namespace hpc
