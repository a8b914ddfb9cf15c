#include "node-proxy/rewrite_attribute.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "common/http_head.h"
#include "node-proxy/css_urls.h"

namespace hpc {

namespace {

// Of a URL only its beginning counts: a host of ours, or the prefix, is shorter by far.
constexpr std::size_t kUrlHeadBytes = 1024;
// Stands for every character that is of no account here.
constexpr char kOtherCharacter = '\x80';

struct NamedReference {
  std::string_view name;
  char character;
};
/// What templates write for ASCII characters that mean something in a URL (13.5). Others are left:
/// a value that begins with one is then not taken for a path.
constexpr NamedReference kNamed[] = {
    {"amp;", '&'},  {"quot;", '"'},   {"apos;", '\''},    {"lt;", '<'},     {"gt;", '>'},
    {"sol;", '/'},  {"bsol;", '\\'},  {"colon;", ':'},    {"period;", '.'}, {"quest;", '?'},
    {"num;", '#'},  {"comma;", ','},  {"semi;", ';'},     {"equals;", '='}, {"lpar;", '('},
    {"rpar;", ')'}, {"lsqb;", '['},   {"lbrack;", '['},   {"rsqb;", ']'},   {"rbrack;", ']'},
    {"Tab;", '\t'}, {"commat;", '@'}, {"NewLine;", '\n'}, {"lowbar;", '_'}, {"ast;", '*'},
};

struct Reference {
  std::size_t size;  // 0: none
  char character;
};

Reference numeric_reference(std::string_view text) {
  const bool hex = text.size() > 2 && (text[2] == 'x' || text[2] == 'X');
  const std::size_t begin = hex ? 3 : 2;
  const std::string_view digits = text.substr(std::min(begin, text.size()));
  std::uint32_t value = 0;
  const char* const last = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), last, value, hex ? 16 : 10);
  if (parsed.ptr == digits.data()) return {0, 0};
  std::size_t size = begin + static_cast<std::size_t>(parsed.ptr - digits.data());
  if (size < text.size() && text[size] == ';') ++size;
  const bool ascii = parsed.ec == std::errc{} && value != 0 && value < 0x80;
  return {size, ascii ? static_cast<char>(value) : kOtherCharacter};
}

Reference reference_at(std::string_view text) {
  if (text.size() > 1 && text[1] == '#') return numeric_reference(text);
  for (const auto& named : kNamed) {
    if (text.substr(1).starts_with(named.name)) return {named.name.size() + 1, named.character};
  }
  return {0, 0};
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

/// Controls and blanks around a URL, and line ends and TABs within, are no part of it (URL, 4.4).
bool is_left_out_of_url(char c) { return c == '\t' || c == '\n' || c == '\r'; }

/// The URL's beginning as the URL parser sees it.
DecodedValue seen_url(std::string_view text) {
  DecodedValue seen;
  std::size_t at = 0;
  while (at < text.size() && static_cast<unsigned char>(text[at]) <= ' ') ++at;
  for (; at < text.size() && seen.text.size() < kUrlHeadBytes; ++at) {
    if (is_left_out_of_url(text[at])) continue;
    seen.text += text[at];
    seen.offsets.push_back(static_cast<std::uint32_t>(at));
  }
  seen.offsets.push_back(static_cast<std::uint32_t>(at));
  return seen;
}

/// Copies a value with some spans of it replaced, which come in their order.
class ValueWriter {
 public:
  explicit ValueWriter(std::string_view raw) : raw_(raw) {}
  void replace(std::uint32_t begin, std::uint32_t end, std::string_view text) {
    out_.append(raw_.substr(copied_, begin - copied_)).append(text);
    copied_ = end;
    changed_ = true;
  }
  std::optional<std::string> finish() {
    if (!changed_) return std::nullopt;
    out_.append(raw_.substr(copied_));
    return std::move(out_);
  }

 private:
  std::string_view raw_;
  std::string out_;
  std::size_t copied_ = 0;
  bool changed_ = false;
};

void rewrite_span(const DecodedValue& value, std::size_t begin, std::size_t end,
                  const RewriteContext& names, ValueWriter& out) {
  const std::string_view url = std::string_view(value.text).substr(begin, end - begin);
  if (const auto edit = edit_attribute_url(url, names)) {
    out.replace(value.offsets[begin + edit->begin], value.offsets[begin + edit->end], edit->text);
  }
}

/// "URL descriptors, URL descriptors" (HTML, 4.8.4.2.1).
void rewrite_url_list(const DecodedValue& value, const RewriteContext& names, ValueWriter& out) {
  const std::string_view text = value.text;
  std::size_t at = 0;
  while (true) {
    while (at < text.size() && (is_blank(text[at]) || text[at] == ',')) ++at;
    if (at == text.size()) return;
    const std::size_t begin = at;
    while (at < text.size() && !is_blank(text[at])) ++at;
    rewrite_span(value, begin, at, names, out);
    if (text[at - 1] == ',') continue;
    for (int depth = 0; at < text.size() && (depth > 0 || text[at] != ','); ++at) {
      if (text[at] == '(') ++depth;
      if (text[at] == ')' && depth > 0) --depth;
    }
  }
}

void rewrite_style(const DecodedValue& value, const RewriteContext& names, ValueWriter& out) {
  CssUrlFinder finder;
  std::size_t begin = 0;
  bool inside = false;
  for (std::size_t at = 0; at <= value.text.size(); ++at) {
    const bool url = at < value.text.size() && finder.is_url(value.text[at]);
    if (url && !inside) begin = at;
    if (!url && inside && at - begin <= CssRewriter::kUrlBytesMax) {
      rewrite_span(value, begin, at, names, out);
    }
    inside = url;
  }
}

void rewrite_refresh_value(const DecodedValue& value, const RewriteContext& names,
                           ValueWriter& out) {
  if (const auto span = find_refresh_url(value.text)) {
    rewrite_span(value, span->begin, span->end, names, out);
  }
}

bool has_scheme(std::string_view url) {
  const std::size_t colon = url.find_first_of(":/?#");
  return colon != std::string_view::npos && colon != 0 && url[colon] == ':';
}

/// Most values are relative, or a fragment: they need no closer look.
bool may_be_ours(std::string_view raw) {
  return !raw.empty() && (raw.front() == '/' || raw.front() == 'h' || raw.front() == 'H' ||
                          raw.front() == '&' || static_cast<unsigned char>(raw.front()) <= ' ');
}

}  // namespace

DecodedValue decode_value(std::string_view raw) {
  DecodedValue value;
  value.text.reserve(raw.size());
  value.offsets.reserve(raw.size() + 1);
  for (std::size_t at = 0; at < raw.size();) {
    const Reference found = raw[at] == '&' ? reference_at(raw.substr(at)) : Reference{0, 0};
    value.text += found.size != 0 ? found.character : raw[at];
    value.offsets.push_back(static_cast<std::uint32_t>(at));
    at += std::max(found.size, std::size_t{1});
  }
  value.offsets.push_back(static_cast<std::uint32_t>(raw.size()));
  return value;
}

bool is_prefix_for_pages(std::string_view prefix) {
  return prefix.size() <= kPagePrefixBytesMax &&
         std::all_of(prefix.begin(), prefix.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("/-._~@:+").find(c) != std::string_view::npos;
         });
}

std::optional<UrlEdit> edit_attribute_url(std::string_view url, const RewriteContext& names) {
  const auto seen = seen_url(url);
  if (seen.text.starts_with("/\\")) return std::nullopt;
  auto edit = edit_location(seen.text, names);
  if (!edit) return std::nullopt;
  return UrlEdit{seen.offsets[edit->begin], seen.offsets[edit->end], std::move(edit->text)};
}

std::optional<std::string> rewrite_attribute(AttributeValue kind, std::string_view raw,
                                             const RewriteContext& names) {
  // Nothing of ours is without a slash, written as itself or as a character reference.
  if (raw.find_first_of("/&") == std::string_view::npos) return std::nullopt;
  if (kind == AttributeValue::kUrl && !may_be_ours(raw)) return std::nullopt;
  const auto value = decode_value(raw);
  ValueWriter out(raw);
  switch (kind) {
    case AttributeValue::kUrl:
      rewrite_span(value, 0, value.text.size(), names, out);
      break;
    case AttributeValue::kUrlList:
      rewrite_url_list(value, names, out);
      break;
    case AttributeValue::kRefresh:
      rewrite_refresh_value(value, names, out);
      break;
    case AttributeValue::kStyle:
      rewrite_style(value, names, out);
      break;
  }
  return out.finish();
}

bool names_other_site(std::string_view raw, const RewriteContext& names) {
  const auto value = decode_value(raw);
  const auto seen = seen_url(value.text);
  const auto url = parse_host_url(seen.text);
  if (url) return !names_external(*url, names) && !names_app(*url, names);
  return has_scheme(seen.text) || seen.text.starts_with("/\\");
}

}  // namespace hpc
