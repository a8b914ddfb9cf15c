// A client's bytes and an upstream's bytes through the whole engine: whatever they are, what comes
// out on both sides is read in one way only, by our strict parser and by llhttp as it is; nothing
// of a refused request goes out; no half answer looks whole; nothing is left open.
#include <llhttp.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/http_parser.h"
#include "common/http_rules.h"
#include "tests/fuzz/exchange_world.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/parse_probe.h"

namespace hpc {
namespace {

using Message = Parsed::Message;
using Kind = HttpParser::Kind;

/// What is known of a message before it is read: of an answer, what it answers.
struct Expected {
  bool to_head = false;
  bool upgrade_asked = false;
};

/// The number that the engine's policy gave the message; none: it is an answer of our own.
std::optional<std::size_t> number_of(const FieldList& fields) {
  const auto text = fields.find("X-Seq");
  if (!text) return std::nullopt;
  require(fields.count("X-Seq") == 1, "one number");
  std::size_t number = 0;
  std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

/// Messages one after the other on one connection, as our strict parser reads them.
class Reader final : private HttpParser::Listener {
 public:
  Reader(Kind kind, std::string_view text) : kind_(kind), text_(text), parser_(kind, {}, *this) {}

  /// The next message with the interim answers before it; nothing when the text ends between two.
  std::optional<Message> next(const Expected& expected) {
    if (started_) parser_.next_message();
    started_ = true;
    parser_.expect_head_answer(expected.to_head);
    parser_.expect_upgrade(expected.upgrade_asked);
    message_.reset();
    while (!text_.empty() && !parser_.message_complete()) {
      const auto used = parser_.feed(as_bytes(text_));
      if (!used) {
        refused = true;
        return message_;
      }
      text_.remove_prefix(*used);
    }
    return message_;
  }
  /// The connection ended cleanly: a body that goes until then is complete.
  bool finish() { return parser_.finish().has_value(); }
  const std::optional<Message>& message() const { return message_; }
  std::string_view rest() const { return text_; }

  bool refused = false;
  bool length_without_body = false;  // where no message may have one (RFC 9110, 8.6)

 private:
  void on_head() noexcept override {
    const auto& head = parser_.response_head();
    if (kind_ == Kind::kResponse && (head.status < 200 || head.status == 204)) {
      length_without_body = length_without_body || head.fields.count("Content-Length") != 0;
    }
    message_ = Message{parser_.request_head(), parser_.response_head(), {}, false};
  }
  void on_body(Bytes bytes) noexcept override { message_->body.append(as_text(bytes)); }
  void on_message_end() noexcept override { message_->ended = true; }

  Kind kind_;
  std::string_view text_;
  HttpParser parser_;
  std::optional<Message> message_;
  bool started_ = false;
};

/// The same connection as llhttp reads it, with no rule of ours.
class PlainReader {
 public:
  struct Seen {
    std::string method;
    std::string target;
    int status = 0;
    std::size_t body_bytes = 0;
    bool ended = false;
  };

  PlainReader(Kind kind, std::vector<Expected> expected) : expected_(std::move(expected)) {
    llhttp_settings_init(&settings_);
    settings_.on_message_begin = [](llhttp_t* p) { return of(p).seen_.emplace_back(), 0; };
    settings_.on_url = [](llhttp_t* p, const char* at, std::size_t size) {
      return of(p).seen_.back().target.append(at, size), 0;
    };
    settings_.on_headers_complete = [](llhttp_t* p) { return of(p).on_head(); };
    settings_.on_body = [](llhttp_t* p, const char*, std::size_t size) {
      return of(p).seen_.back().body_bytes += size, 0;
    };
    settings_.on_message_complete = [](llhttp_t* p) { return of(p).on_end(); };
    llhttp_init(&parser_, kind == Kind::kRequest ? HTTP_REQUEST : HTTP_RESPONSE, &settings_);
    parser_.data = this;
  }
  PlainReader(const PlainReader&) = delete;
  PlainReader& operator=(const PlainReader&) = delete;

  /// Final messages, without interim answers. `relayed`: an upgrade ends HTTP here.
  const std::vector<Seen>& read(std::string_view text, bool relayed) {
    while (!text.empty()) {
      const auto error = llhttp_execute(&parser_, text.data(), text.size());
      if (error == HPE_OK) break;
      require(error == HPE_PAUSED_UPGRADE, "llhttp reads it, too");
      text.remove_prefix(static_cast<std::size_t>(llhttp_get_error_pos(&parser_) - text.data()));
      const bool granted = parser_.type == HTTP_RESPONSE ? parser_.status_code == 101
                                                         : relayed && is_last_handshake();
      if (granted) break;
      llhttp_resume_after_upgrade(&parser_);
    }
    return seen_;
  }
  void finish() { require(llhttp_finish(&parser_) == HPE_OK, "llhttp sees the end, too"); }

 private:
  static PlainReader& of(llhttp_t* parser) { return *static_cast<PlainReader*>(parser->data); }
  bool is_last_handshake() const {
    return seen_.size() == expected_.size() && expected_.back().upgrade_asked;
  }
  int on_head() {
    auto& seen = seen_.back();
    seen.status = parser_.status_code;
    if (parser_.type == HTTP_REQUEST) {
      seen.method = llhttp_method_name(static_cast<llhttp_method_t>(parser_.method));
      return 0;
    }
    // As every client does; llhttp itself would go by a length that they may carry.
    if (seen.status == 204 || seen.status == 304) return 1;
    const std::size_t index = seen_.size() - 1;
    return index < expected_.size() && expected_[index].to_head ? 1 : 0;
  }
  int on_end() {
    seen_.back().ended = true;
    const bool interim = seen_.back().status >= 100 && seen_.back().status < 200;
    if (interim && seen_.back().status != 101) seen_.pop_back();
    return 0;
  }

  std::vector<Expected> expected_;
  llhttp_settings_t settings_;
  llhttp_t parser_;
  std::vector<Seen> seen_;
};

void check_same(const std::vector<Message>& ours, const std::vector<PlainReader::Seen>& plain) {
  // Of a message that is cut inside its head, llhttp has seen the begin.
  require(plain.size() == ours.size() || plain.size() == ours.size() + 1, "as many messages");
  require(plain.size() == ours.size() || !plain.back().ended, "as many whole messages");
  for (std::size_t i = 0; i < ours.size(); ++i) {
    require(plain[i].method == ours[i].request.method, "the same method");
    require(plain[i].target == ours[i].request.target, "the same target");
    require(plain[i].status == ours[i].response.status, "the same status");
    require(plain[i].body_bytes == ours[i].body.size(), "a body of the same length");
  }
}

class Check {
 public:
  Check(const ExchangeWorld& world, std::string client_bytes)
      : world_(world), sent_(parse_whole({.limits = kLimits, .finish = false}, client_bytes)) {}

  void run() {
    for (const auto& far : world_.upstreams()) check_upstream(*far);
    check_client();
  }

 private:
  static constexpr HttpLimits kLimits{
      .target_bytes_max = 256, .head_bytes_max = 4096, .fields_max = 32};

  Expected expected(std::size_t number) const {
    const auto& head = world_.seen()[number].head;
    return {head.method == "HEAD", head.websocket_upgrade};
  }
  bool is_relayed(std::size_t number) const {
    return world_.relayed() && number + 1 == world_.seen().size();
  }

  void check_request(const Message& message, std::size_t number) {
    require(number < world_.seen().size() && world_.seen()[number].forwarded, "it was let in");
    require(number < sent_.messages.size(), "the client sent it");
    const auto& wanted = sent_.messages[number];
    require(message.request.method == wanted.request.method, "the method is the client's");
    require(message.request.target == wanted.request.target, "the target is the client's");
    require(wanted.body.starts_with(message.body), "no other body than the client's");
    require(!message.ended || wanted.ended, "not whole unless the client's was");
    require(!message.ended || wanted.body == message.body, "and then with all of its body");
    for (const auto* name : {"Keep-Alive", "Proxy-Connection", "TE", "Trailer"}) {
      require(!message.request.fields.find(name), "hop-by-hop fields end here");
    }
    require(message.request.websocket_upgrade == wanted.request.websocket_upgrade, "an upgrade");
    require(!message.request.fields.find("Upgrade") || wanted.request.websocket_upgrade,
            "other upgrades end here");
  }

  /// What one upstream connection was sent; then what it said to it.
  void check_upstream(const PlayedEnd& far) {
    Reader reader(Kind::kRequest, far.written);
    std::vector<Message> messages;
    std::vector<Expected> expectations;
    std::vector<std::size_t> numbers;
    bool relayed = false;
    while (!relayed) {
      const auto message = reader.next({});
      require(!reader.refused, "we would let in what we sent");
      if (!message) break;
      const auto number = number_of(message->request.fields);
      require(number.has_value(), "every request is numbered");
      require(numbers.empty() || numbers.back() < *number, "no request twice on a connection");
      check_request(*message, *number);
      messages.push_back(*message);
      numbers.push_back(*number);
      expectations.push_back(expected(*number));
      relayed = is_relayed(*number) && message->ended;
    }
    require(far.written.empty() || !messages.empty(), "no part of a head");
    PlainReader plain(Kind::kRequest, expectations);
    check_same(messages, plain.read(far.written, relayed));
    read_answers(far, numbers);
  }

  void read_answers(const PlayedEnd& far, const std::vector<std::size_t>& numbers) {
    Reader reader(Kind::kResponse, far.delivered);
    for (const auto number : numbers) {
      auto message = reader.next(expected(number));
      if (message && !message->ended && !reader.refused && far.ended && reader.finish()) {
        message = reader.message();
      }
      if (!message || reader.refused) break;
      answers_.resize(std::max(answers_.size(), number + 1));
      answers_[number] = std::move(*message);
    }
  }

  void check_answer(const Message& message, std::size_t index) {
    const auto number = number_of(message.response.fields);
    if (!number) return;
    require(*number == index, "answers come in the order of the requests");
    if (!message.ended || message.response.interim()) return;
    require(index < answers_.size() && answers_[index].has_value(), "an upstream gave it");
    const auto& wanted = *answers_[index];
    require(wanted.ended, "not whole unless the upstream's was");
    require(wanted.response.status == message.response.status, "the status is the upstream's");
    require(wanted.body == message.body, "the body is the upstream's");
  }

  /// What the client was sent. A refusal of the engine's own comes last and answers no request.
  void check_client() {
    const auto& far = world_.client();
    std::vector<Expected> expectations;
    for (std::size_t i = 0; i < world_.seen().size(); ++i) expectations.push_back(expected(i));
    Reader reader(Kind::kResponse, far.written);
    std::vector<Message> messages;
    const bool sees_end = far.half_closed && !far.aborted && !far.reset;
    bool until_end = false;
    while (true) {
      const auto index = messages.size();
      const bool known = index < expectations.size();
      const auto message = reader.next(known ? expectations[index] : refusal(reader.rest()));
      require(!reader.refused, "we would read what we answered");
      if (!message || message->response.interim()) break;
      require(index <= expectations.size(), "no more answers than requests, and a refusal");
      until_end = message->response.framing.kind == BodyKind::kUntilClose;
      if (until_end && sees_end) require(reader.finish(), "it ends with the connection");
      messages.push_back(*reader.message());
      if (!known) expectations.push_back(refusal_);
      check_answer(messages.back(), index);
      if (!messages.back().ended) break;
      if (messages.back().response.status == 101) return;  // from here on bytes
    }
    require(!reader.length_without_body, "no length where there is never a body");
    require(messages.empty() || messages.back().ended || far.aborted || far.reset,
            "an answer that is not whole ends with a reset");
    PlainReader plain(Kind::kResponse, expectations);
    const auto& seen = plain.read(far.written, false);
    if (until_end && sees_end) plain.finish();
    check_same(messages, seen);
  }

  /// A refusal to a HEAD has no body, and nothing follows it.
  const Expected& refusal(std::string_view text) {
    refusal_ = {.to_head = text.ends_with("\r\n\r\n") && text.find("refused") == text.npos};
    return refusal_;
  }

  const ExchangeWorld& world_;
  const Parsed sent_;
  std::vector<std::optional<Message>> answers_;  // as upstreams gave them, by number
  Expected refusal_;
};

}  // namespace
}  // namespace hpc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  ExchangeWorld world;
  world.play(fuzz_text(data, size));
  world.finish();
  Check(world, world.client().delivered + world.client().waiting).run();
  return 0;
}
