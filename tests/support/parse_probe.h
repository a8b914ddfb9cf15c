#pragma once
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_decoder.h"
#include "common/http_parser.h"

namespace hpc {

/// What a parser made of a stream of bytes: whole messages, then how it ended. Two readings of the
/// same bytes are compared by text(), which holds everything that a listener can see.
struct Parsed {
  struct Message {
    RequestHead request;
    ResponseHead response;
    std::string body;
    bool ended = false;
  };
  std::vector<Message> messages;  // interim answers are messages that never end
  int refusal = 0;                // its status; 0: not refused
  std::string detail;
  std::size_t unused = 0;  // bytes behind an answer
  bool at_start = true;    // between messages when the bytes ran out

  std::string text() const {
    std::ostringstream out;
    for (const auto& message : messages) write(out, message);
    out << "refusal " << refusal << " " << detail << " unused " << unused << " at_start "
        << at_start;
    return out.str();
  }

 private:
  static void write(std::ostream& out, const Message& message) {
    const auto& request = message.request;
    const auto& response = message.response;
    out << request.method << ' ' << request.target << ' ' << request.host << ' '
        << request.version_minor << request.keep_alive << request.expects_continue
        << request.websocket_upgrade << '\n'
        << response.status << ' ' << response.reason << ' ' << response.version_minor
        << response.keep_alive << response.websocket_upgrade << '\n';
    write(out, request.fields, request.framing);
    write(out, response.fields, response.framing);
    out << message.body << "\nended " << message.ended << '\n';
  }
  static void write(std::ostream& out, const FieldList& fields, const Framing& framing) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      out << fields[i].name << '=' << fields[i].value << '\n';
    }
    out << static_cast<int>(framing.kind) << ' ' << framing.length << '\n';
  }
};

/// Feeds a parser and writes down what it says. Requests follow each other as on a connection; a
/// complete answer is the last.
class ParseProbe final : public HttpParser::Listener {
 public:
  struct Options {
    HttpParser::Kind kind = HttpParser::Kind::kRequest;
    HttpLimits limits = {};
    bool to_head = false;        // the answer is to a HEAD
    bool upgrade_asked = false;  // the answer is to a WebSocket handshake
    bool finish = true;          // the peer is done behind the last byte
  };

  explicit ParseProbe(const Options& options)
      : options_(options), parser_(options.kind, options.limits, *this) {
    parser_.expect_head_answer(options.to_head);
    parser_.expect_upgrade(options.upgrade_asked);
  }

  void feed(std::string_view bytes) {
    while (!bytes.empty() && parsed_.refusal == 0) {
      if (parser_.message_complete()) {
        if (options_.kind == HttpParser::Kind::kResponse) {
          parsed_.unused += bytes.size();
          return;
        }
        parser_.next_message();
      }
      const auto used = parser_.feed(as_bytes(bytes));
      if (!used) return refused(used.error());
      bytes.remove_prefix(*used);
    }
  }

  Parsed end() {
    if (options_.finish && parsed_.refusal == 0) {
      if (const auto finished = parser_.finish(); !finished) refused(finished.error());
    }
    parsed_.at_start = parser_.at_message_start();
    return std::move(parsed_);
  }

  HttpParser& parser() { return parser_; }

  void on_head() noexcept override {
    require_second_reader();
    parsed_.messages.push_back({parser_.request_head(), parser_.response_head(), {}, false});
  }
  void on_body(Bytes bytes) noexcept override {
    parsed_.messages.back().body.append(as_text(bytes));
  }
  void on_message_end() noexcept override { parsed_.messages.back().ended = true; }

 private:
  void refused(const HttpRefusal& refusal) {
    parsed_.refusal = refusal.status;
    parsed_.detail = refusal.detail;
  }

  /// llhttp reads every head that is let in as our own scan does. In the parser it only reads
  /// those of chunked messages; here, where heads are strange, it reads them all.
  void require_second_reader() const {
    struct NoBody final : HttpParser::Listener {
      void on_head() noexcept override {}
      void on_body(Bytes) noexcept override {}
      void on_message_end() noexcept override {}
    } no_body;
    const bool request = options_.kind == HttpParser::Kind::kRequest;
    const auto& fields = request ? parser_.request_head().fields : parser_.response_head().fields;
    const auto& framing =
        request ? parser_.request_head().framing : parser_.response_head().framing;
    const auto text = fields.text();
    std::string_view target;  // as it was sent
    if (request) {
      target = text.substr(text.find(' ') + 1);
      target = target.substr(0, target.find(' '));
    }
    HttpDecoder second(options_.kind, no_body);
    if (second.agrees_on_head(text, target, fields, framing)) return;
    std::fprintf(stderr, "llhttp reads this head in another way:\n%.*s",
                 static_cast<int>(text.size()), text.data());
    std::abort();
  }

  Options options_;
  HttpParser parser_;
  Parsed parsed_;
};

inline Parsed parse_whole(const ParseProbe::Options& options, std::string_view bytes) {
  ParseProbe probe(options);
  probe.feed(bytes);
  return probe.end();
}

/// In pieces of that many bytes.
inline Parsed parse_in_steps(const ParseProbe::Options& options, std::string_view bytes,
                             std::size_t step) {
  ParseProbe probe(options);
  for (std::size_t at = 0; at < bytes.size(); at += step) probe.feed(bytes.substr(at, step));
  return probe.end();
}

inline Parsed parse_in_two(const ParseProbe::Options& options, std::string_view first,
                           std::string_view second) {
  ParseProbe probe(options);
  probe.feed(first);
  probe.feed(second);
  return probe.end();
}

/// In pieces of cuts.next() bytes.
template <class Cuts>
Parsed parse_in_cuts(const ParseProbe::Options& options, std::string_view bytes, Cuts& cuts) {
  ParseProbe probe(options);
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, cuts.next());
    probe.feed(piece);
    bytes.remove_prefix(piece.size());
  }
  return probe.end();
}

inline std::string repeat(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace hpc
