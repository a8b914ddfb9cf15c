#include "node-proxy/rewrite_html.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/escape_html.h"
#include "common/http_head.h"
#include "node-proxy/rewrite_attribute.h"

namespace hpc {

namespace {

struct AttributeRow {
  std::string_view name;
  std::string_view element;  // empty: any, so that links of custom elements are found too
  AttributeValue value;
};
constexpr AttributeRow kAttributes[] = {
    {"href", "", AttributeValue::kUrl},
    {"src", "", AttributeValue::kUrl},
    {"srcset", "", AttributeValue::kUrlList},
    {"style", "", AttributeValue::kStyle},
    {"action", "form", AttributeValue::kUrl},
    {"formaction", "", AttributeValue::kUrl},
    {"poster", "", AttributeValue::kUrl},
    {"data", "object", AttributeValue::kUrl},
    {"imagesrcset", "link", AttributeValue::kUrlList},
    {"xlink:href", "", AttributeValue::kUrl},
    {"background", "", AttributeValue::kUrl},
    {"cite", "", AttributeValue::kUrl},
    {"manifest", "html", AttributeValue::kUrl},
};

/// What may come in front of a document's own <base>.
constexpr std::string_view kHeadElements[] = {
    "html",  "head",  "base",     "basefont", "bgsound", "link",    "meta",
    "title", "style", "noscript", "noframes", "script",  "template"};
/// End tags that end the head, whether or not it was written.
constexpr std::string_view kEndsOfHead[] = {"head", "body", "html"};

template <std::size_t kCount>
bool is_one_of(std::string_view name, const std::string_view (&names)[kCount]) {
  return std::any_of(std::begin(names), std::end(names),
                     [name](auto one) { return equals_ignoring_case(name, one); });
}

bool is(const HtmlTag& tag, std::string_view name) { return equals_ignoring_case(tag.name, name); }

/// The raw value of the first attribute of that name: a browser ignores the others.
std::optional<std::string_view> find(const HtmlTag& tag, std::string_view name) {
  for (const auto& attribute : tag.attributes) {
    if (equals_ignoring_case(tag.name_of(attribute), name)) return tag.value_of(attribute);
  }
  return std::nullopt;
}

bool is_refresh(const HtmlTag& tag) {
  const auto kind = find(tag, "http-equiv");
  return kind && equals_ignoring_case(*kind, "refresh");
}

std::optional<AttributeValue> kind_of(const HtmlTag& tag, std::string_view name) {
  const auto* const row =
      std::find_if(std::begin(kAttributes), std::end(kAttributes), [&](const auto& one) {
        return equals_ignoring_case(one.name, name) &&
               (one.element.empty() || is(tag, one.element));
      });
  if (row != std::end(kAttributes)) return row->value;
  if (equals_ignoring_case(name, "content") && is(tag, "meta") && is_refresh(tag)) {
    return AttributeValue::kRefresh;
  }
  return std::nullopt;
}

/// The first byte of UTF-16 with a byte order mark, which no text of ours begins with.
bool begins_like_utf16(char first) { return first == '\xfe' || first == '\xff'; }

}  // namespace

HtmlRewriter::HtmlRewriter(HtmlAnswer answer)
    : answer_(std::move(answer)),
      tokenizer_(answer_.xml ? HtmlTokenizer::Syntax::kXml : HtmlTokenizer::Syntax::kHtml, *this),
      css_(answer_.names),
      base_done_(answer_.page.empty()),
      leave_styles_(answer_.leave_styles) {}

void HtmlRewriter::feed(std::string_view bytes, std::string& out) noexcept {
  if (!bytes.empty() && !std::exchange(began_, true)) passes_ = begins_like_utf16(bytes.front());
  if (passes_ && !in_style_ && tokenizer_.between_tokens()) {
    out.append(bytes);
    return;
  }
  out_ = &out;
  tokenizer_.feed(bytes);
}

void HtmlRewriter::finish(std::string& out) noexcept {
  out_ = &out;
  // A document may end without ever naming its body. In XML, what comes behind the root is an
  // error.
  const bool open = template_depth_ > 0 || !tokenizer_.between_tokens();
  if (tag_seen_ && !base_done_ && !answer_.xml && !open) put_base();
  tokenizer_.finish();
  if (in_style_) css_.finish(out);
}

void HtmlRewriter::on_text(std::string_view bytes) noexcept { out_->append(bytes); }

void HtmlRewriter::on_raw_text(std::string_view bytes) noexcept {
  if (in_style_) return css_.feed(bytes, *out_);
  out_->append(bytes);
}

void HtmlRewriter::on_tag(const HtmlTag& tag) noexcept {
  if (std::exchange(in_style_, false)) css_.finish(*out_);
  tag_seen_ = true;
  if (passes_) return on_text(tag.text);
  if (!base_done_ && template_depth_ == 0 && wants_base_before(tag)) put_base();
  if (is(tag, "template")) {
    if (!tag.end) ++template_depth_;
    if (tag.end && template_depth_ > 0) --template_depth_;
  }
  if (tag.end) return on_text(tag.text);
  if (is(tag, "base") && template_depth_ == 0) look_at_base(tag);
  if (is(tag, "meta")) look_at_policy(tag);
  if (is(tag, "style") && !answer_.xml) in_style_ = !leave_styles_ && !passes_;
  if (tag.cut || passes_) return on_text(tag.text);
  write_start_tag(tag);
}

bool HtmlRewriter::wants_base_before(const HtmlTag& tag) const {
  // There a <base> outside of <head> is none, and next to the root it breaks the document.
  if (answer_.xml) return tag.end && tag.name == "head";
  return tag.end ? is_one_of(tag.name, kEndsOfHead) : !is_one_of(tag.name, kHeadElements);
}

void HtmlRewriter::put_base() {
  base_done_ = has_base_ = true;
  out_->append("<base href=\"");
  out_->append(escape_html(answer_.page));
  out_->append(answer_.xml ? "\"/>" : "\">");
}

/// The document's first <base> with an address counts, the others are ignored.
void HtmlRewriter::look_at_base(const HtmlTag& tag) {
  const auto href = find(tag, "href");
  if (has_base_ || !(href || tag.cut)) return;
  base_done_ = has_base_ = true;
  // Then "/x" is a path of that site, and no link of this document is ours but by its full name.
  if (href && names_other_site(*href, answer_.names)) passes_ = true;
}

/// A policy in the document counts as one in the answer's head does.
void HtmlRewriter::look_at_policy(const HtmlTag& tag) {
  const auto kind = find(tag, "http-equiv");
  if (!kind || !equals_ignoring_case(*kind, "content-security-policy")) return;
  const auto policy = find(tag, "content");
  if (policy && decode_value(*policy).text.find("'sha") != std::string::npos) leave_styles_ = true;
}

void HtmlRewriter::write_start_tag(const HtmlTag& tag) {
  std::size_t copied = 0;
  for (const auto& attribute : tag.attributes) {
    const auto kind = kind_of(tag, tag.name_of(attribute));
    if (!kind || (*kind == AttributeValue::kStyle && leave_styles_)) continue;
    const auto value = rewrite_attribute(*kind, tag.value_of(attribute), answer_.names);
    if (!value) continue;
    out_->append(tag.text.substr(copied, attribute.value_begin - copied)).append(*value);
    copied = attribute.value_end;
  }
  out_->append(tag.text.substr(copied));
}

}  // namespace hpc
