#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "common/body_filter.h"
#include "node-proxy/css_urls.h"
#include "node-proxy/html_tokenizer.h"
#include "node-proxy/rewrite_url.h"

namespace hpc {

/// What HtmlRewriter must know of the answer.
struct HtmlAnswer {
  RewriteContext names;
  std::string page;           // its external path and query, for <base>; empty: none is put in
  bool xml = false;           // application/xhtml+xml
  bool leave_styles = false;  // its policy knows styles by their hash: they may not be changed
};

/// Rewrites the links of one HTML answer while it passes (docs/decisions/0005): links that begin
/// with '/' get the prefix, in attributes and in styles, and a document without a <base> of its own
/// gets one. Every other byte stays. Scripts stay as they are.
///
/// Holds at most one tag and one URL (HtmlTokenizer::kTagBytesMax, CssRewriter::kUrlBytesMax).
/// names.prefix must be one of is_prefix_for_pages().
class HtmlRewriter final : public BodyFilter, private HtmlTokenizer::Listener {
 public:
  explicit HtmlRewriter(HtmlAnswer answer);
  HtmlRewriter(const HtmlRewriter&) = delete;
  HtmlRewriter& operator=(const HtmlRewriter&) = delete;
  void feed(std::string_view bytes, std::string& out) noexcept override;
  void finish(std::string& out) noexcept override;
  std::size_t held_bytes() const { return tokenizer_.held_bytes(); }

 private:
  void on_tag(const HtmlTag& tag) noexcept override;
  void on_text(std::string_view bytes) noexcept override;
  void on_raw_text(std::string_view bytes) noexcept override;
  bool wants_base_before(const HtmlTag& tag) const;
  void put_base();
  void look_at_base(const HtmlTag& tag);
  void look_at_policy(const HtmlTag& tag);
  void write_start_tag(const HtmlTag& tag);

  const HtmlAnswer answer_;
  HtmlTokenizer tokenizer_;
  CssRewriter css_;
  std::string* out_ = nullptr;  // of the call that runs
  bool began_ = false;
  bool passes_ = false;  // nothing is to be changed any more
  bool base_done_;       // there is a base, or none is wanted
  bool has_base_ = false;
  bool tag_seen_ = false;
  bool in_style_ = false;
  bool leave_styles_;
  std::uint32_t template_depth_ = 0;  // what is in a <template> is not in the document
};

}  // namespace hpc
