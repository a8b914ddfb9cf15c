#pragma once
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "common/http_parser.h"

namespace hpc {

/// What a message in progress needs: a parser, and texts for what waits or is written meanwhile.
/// All of it keeps its memory for the next message, maybe of another connection.
///
/// Lent by a ParserPool. What is called back goes to `to`, which lives until the next lend().
class ParserKit final : private HttpParser::Listener {
 public:
  ParserKit(HttpParser::Kind kind, const HttpLimits& limits) : parser(kind, limits, *this) {}
  ParserKit(const ParserKit&) = delete;
  ParserKit& operator=(const ParserKit&) = delete;

  HttpParser parser;
  std::array<std::string, 2> texts;  // empty when lent

 private:
  friend class ParserPool;
  void on_head() noexcept override { to_->on_head(); }
  void on_body(Bytes bytes) noexcept override { to_->on_body(bytes); }
  void on_message_end() noexcept override { to_->on_message_end(); }
  HttpParser::Listener* to_ = nullptr;
};

/// Kits of one kind that nobody uses now, so that an idle connection needs none and a busy one
/// allocates none. Must outlive whoever gives back; a kit may also be destroyed instead.
class ParserPool {
 public:
  // As many requests as a page's browsers, or a load test, have under way; the rest are freed.
  static constexpr std::size_t kSpareMax = 128;
  // As the parser's own buffers: a text that grew larger is not kept.
  static constexpr std::size_t kTextBytesMax = std::size_t{16} * 1024;

  ParserPool(HttpParser::Kind kind, const HttpLimits& limits) : kind_(kind), limits_(limits) {}
  std::unique_ptr<ParserKit> lend(HttpParser::Listener& to);
  /// Not from inside one of the parser's callbacks. Kept is what is between two messages, at the
  /// end of one or at the start of the next; what was refused or cut short is freed.
  void give_back(std::unique_ptr<ParserKit> kit);
  std::size_t spare_count() const { return spare_.size(); }

 private:
  HttpParser::Kind kind_;
  HttpLimits limits_;
  std::vector<std::unique_ptr<ParserKit>> spare_;
};

}  // namespace hpc
