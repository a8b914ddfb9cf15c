#pragma once
#include <memory>
#include <optional>
#include <string>

#include "common/body_filter.h"
#include "common/http_handler.h"
#include "common/http_head.h"
#include "node-proxy/rewrite_url.h"

namespace hpc {

/// The field that asks for it (1) or against it (0) for one request. Managers let no browser's
/// X-HPC-* field through, and the app never sees one.
constexpr const char* kBaseRewriteField = "X-HPC-Proxy-Base-Rewrite";

/// Are the pages of this answer to be rewritten? `by_default`: --base-rewrite.
bool asks_for_base_rewrite(const RequestHead& head, bool by_default);

/// --base-rewrite for one request and its answer: decides which answers are pages, and what their
/// fields say then (RFC 9110; docs/decisions/0005).
class BaseRewrite {
 public:
  /// `names.prefix` and `page`, the external path and query, as the browser sees them.
  BaseRewrite(const RequestHead& head, RewriteContext names, std::string page);

  /// Does not go to the app: what asks for a coding, or for a part of a page. The request for a
  /// picture, a script or the like, by what the browser says that it is for, is not touched at all.
  bool takes_from_request(std::string_view name) const;
  /// Asks for no coding, where the answer may be a page.
  void write_request_fields(HeadWriter& out) const;

  /// What rewrites this answer; nothing where it passes as it is.
  std::unique_ptr<BodyFilter> filter(const ResponseHead& head) const;

  // Of an answer with a filter: the fields that do not pass, and what is said in their place.
  static bool replaces_in_answer(std::string_view name);
  static void write_answer_fields(const ResponseHead& head, HeadWriter& out);

 private:
  enum class Use : std::uint8_t {
    kDocument,  // a window or a frame, or nobody knows
    kPart,      // what a script asked for
    kOther,
  };
  static Use use_of(const RequestHead& head);

  Use use_;
  RewriteContext names_;
  std::string page_;
};

/// Is this Content-Type a page, in a character set whose ASCII is ASCII?
bool is_page_type(std::string_view content_type);
bool is_xhtml_type(std::string_view content_type);

}  // namespace hpc
