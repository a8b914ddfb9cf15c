#include "node-proxy/base_rewrite.h"

#include <algorithm>
#include <utility>

#include "common/http_rules.h"
#include "node-proxy/rewrite_attribute.h"
#include "node-proxy/rewrite_html.h"

namespace hpc {

namespace {

/// Sec-Fetch-Dest of what is shown by itself.
constexpr std::string_view kDocumentUses[] = {"document", "iframe", "frame", "embed", "object"};

/// In these '<' and '"' may be parts of other characters.
constexpr std::string_view kForeignCharsets[] = {
    "utf-16",    "utf-32",    "utf-7",     "ucs-", "unicode",    "csunicode",
    "iso-2022-", "csiso2022", "iso-10646", "hz-",  "replacement"};

/// They speak of the bytes that the app sent.
constexpr std::string_view kReplacedFields[] = {"ETag",   "Accept-Ranges",  "Content-MD5",
                                                "Digest", "Content-Digest", "Repr-Digest"};

bool is_any_of(std::string_view name, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view one) { return equals_ignoring_case(name, one); });
}

bool starts_ignoring_case(std::string_view text, std::string_view begin) {
  return equals_ignoring_case(text.substr(0, begin.size()), begin);
}

std::string_view media_type(std::string_view content_type) {
  return trim_blanks(content_type.substr(0, content_type.find(';')));
}

/// The charset parameter, without quotes; empty where there is none.
std::string_view charset_of(std::string_view content_type) {
  constexpr std::string_view kName = "charset=";
  std::size_t at = content_type.find(';');
  while (at != std::string_view::npos) {
    const std::size_t end = std::min(content_type.find(';', at + 1), content_type.size());
    std::string_view parameter = trim_blanks(content_type.substr(at + 1, end - at - 1));
    if (starts_ignoring_case(parameter, kName)) {
      parameter = trim_blanks(parameter.substr(kName.size()));
      if (parameter.starts_with('"')) parameter.remove_prefix(1);
      return trim_blanks(parameter.substr(0, parameter.find('"')));
    }
    at = content_type.find(';', at + 1);
  }
  return {};
}

bool is_coded(const ResponseHead& head) {
  const auto coding = head.fields.find("Content-Encoding");
  return head.fields.count("Content-Encoding") > 1 ||
         (coding && !coding->empty() && !equals_ignoring_case(*coding, "identity"));
}

/// A file to be kept is kept as the app made it.
bool is_download(const ResponseHead& head) {
  const auto given = head.fields.find("Content-Disposition");
  return given && starts_ignoring_case(trim_blanks(*given), "attachment");
}

/// Scripts and styles are known to the page's policy by their hash.
bool knows_hashes(const ResponseHead& head) {
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    const Field field = head.fields[i];
    if (equals_ignoring_case(field.name, "Content-Security-Policy") &&
        field.value.find("'sha") != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

bool may_be_changed(const ResponseHead& head) {
  // Of a part nobody can say where it begins: inside of a script, or of a tag.
  if (head.status < 200 || head.status == 204 || head.status == 205 || head.status == 206) {
    return false;
  }
  return !is_coded(head) && !is_download(head) &&
         !lists_token(head.fields, "Cache-Control", "no-transform");
}

}  // namespace

bool asks_for_base_rewrite(const RequestHead& head, bool by_default) {
  const auto given = head.fields.find(FieldId::kHpcBaseRewrite);
  if (!given || head.fields.count(FieldId::kHpcBaseRewrite) != 1) return by_default;
  return *given == "1" || (by_default && *given != "0");
}

bool is_xhtml_type(std::string_view content_type) {
  return equals_ignoring_case(media_type(content_type), "application/xhtml+xml");
}

bool is_page_type(std::string_view content_type) {
  if (!is_xhtml_type(content_type) &&
      !equals_ignoring_case(media_type(content_type), "text/html")) {
    return false;
  }
  const std::string_view charset = charset_of(content_type);
  return std::none_of(
      std::begin(kForeignCharsets), std::end(kForeignCharsets),
      [charset](std::string_view one) { return starts_ignoring_case(charset, one); });
}

BaseRewrite::BaseRewrite(const RequestHead& head, RewriteContext names, std::string page)
    : use_(use_of(head)), names_(std::move(names)), page_(std::move(page)) {
  if (!is_prefix_for_pages(names_.prefix)) use_ = Use::kOther;
}

BaseRewrite::Use BaseRewrite::use_of(const RequestHead& head) {
  if (head.websocket_upgrade) return Use::kOther;
  const auto given = head.fields.find("Sec-Fetch-Dest");
  if (!given || is_any_of(*given, kDocumentUses)) return Use::kDocument;
  return equals_ignoring_case(*given, "empty") ? Use::kPart : Use::kOther;
}

bool BaseRewrite::takes_from_request(std::string_view name) const {
  if (use_ == Use::kOther) return false;
  if (equals_ignoring_case(name, "Accept-Encoding")) return true;
  // What is put together from parts would be half rewritten (RFC 9110, 14.2: Range may be ignored).
  // A script that asks for a part of something knows what it does with it.
  return use_ == Use::kDocument &&
         (equals_ignoring_case(name, "Range") || equals_ignoring_case(name, "If-Range"));
}

std::unique_ptr<BodyFilter> BaseRewrite::filter(const ResponseHead& head) const {
  if (use_ == Use::kOther || !may_be_changed(head)) return nullptr;
  const auto type = head.fields.find("Content-Type");
  // A 304 need not say of what; a weak ETag of something else does no harm.
  if (!type && head.status != 304) return nullptr;
  if (type && (head.fields.count("Content-Type") != 1 || !is_page_type(*type))) return nullptr;
  HtmlAnswer answer;
  answer.names = names_;
  // In what a script puts into its page, a <base> would be that page's.
  if (use_ == Use::kDocument) answer.page = page_;
  answer.xml = type && is_xhtml_type(*type);
  answer.leave_styles = knows_hashes(head);
  return std::make_unique<HtmlRewriter>(std::move(answer));
}

bool BaseRewrite::replaces_in_answer(std::string_view name) {
  return is_any_of(name, kReplacedFields);
}

void BaseRewrite::write_answer_fields(const ResponseHead& head, HeadWriter& out) {
  if (const auto tag = head.fields.find("ETag")) {
    // The same page, but not the same bytes (RFC 9110, 8.8.1).
    out.field("ETag", tag->starts_with("W/") ? std::string(*tag) : "W/" + std::string(*tag));
  }
  if (head.status == 304) return;
  out.field("Accept-Ranges", "none");
  // A part of a page has no <base>; a cache must not show it as a page.
  out.field("Vary", "Sec-Fetch-Dest");
}

void BaseRewrite::write_request_fields(HeadWriter& out) const {
  if (use_ != Use::kOther) out.field("Accept-Encoding", "identity");
}

}  // namespace hpc
