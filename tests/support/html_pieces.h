#pragma once
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "node-proxy/html_tokenizer.h"
#include "node-proxy/rewrite_html.h"

namespace hpc {

/// What a tokenizer told, as text: tags as {text} with their attributes, text as it is, raw text
/// between bars. Neighbouring pieces of one kind are one.
class TokenLog final : public HtmlTokenizer::Listener {
 public:
  void on_tag(const HtmlTag& tag) noexcept override {
    end_raw();
    said += tag.cut ? "{cut " : tag.end ? "{/" : "{";
    said += tag.name;
    for (const auto& attribute : tag.attributes) {
      said.append(" ").append(tag.name_of(attribute)).append("=");
      said.append(tag.value_of(attribute));
    }
    said += "}";
    whole += tag.text;
  }
  void on_text(std::string_view bytes) noexcept override {
    end_raw();
    said += bytes;
    whole += bytes;
    longest = std::max(longest, bytes.size());
  }
  void on_raw_text(std::string_view bytes) noexcept override {
    if (!raw_) said += "|";
    raw_ = true;
    said += bytes;
    whole += bytes;
  }
  void end_raw() {
    if (raw_) said += "|";
    raw_ = false;
  }

  std::string said;
  std::string whole;  // every byte in its order
  std::size_t longest = 0;

 private:
  bool raw_ = false;
};

/// One document through a rewriter, in pieces of `size` bytes; the first one of `first` bytes.
inline std::string rewrite_in_pieces(const HtmlAnswer& answer, std::string_view document,
                                     std::size_t first, std::size_t size) {
  HtmlRewriter rewriter(answer);
  std::string out;
  for (std::size_t count = first; !document.empty(); count = size) {
    const auto piece = document.substr(0, count);
    rewriter.feed(piece, out);
    document.remove_prefix(piece.size());
  }
  rewriter.finish(out);
  return out;
}

inline std::string rewrite_whole(const HtmlAnswer& answer, std::string_view document) {
  return rewrite_in_pieces(answer, document, document.size(), document.size());
}

}  // namespace hpc
