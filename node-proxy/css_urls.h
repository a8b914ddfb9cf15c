#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "node-proxy/rewrite_url.h"

namespace hpc {

/// Finds the URLs of a style sheet byte by byte: url(x), url("x") and @import "x" (CSS Syntax
/// 3, 4.3). Bytes of one URL come one after the other; between two URLs there is always another
/// byte.
class CssUrlFinder {
 public:
  /// Does the next byte belong to a URL?
  bool is_url(char c);

 private:
  enum class State : std::uint8_t {
    kOther,
    kSlash,  // '/' that may begin a comment
    kComment,
    kCommentStar,  // '*' that may end it
    kBeforeUrl,    // "url("
    kUnquoted,
    kAfterUrl,  // up to ')'
    kString,
  };
  bool other(char c);
  bool in_string(char c);
  void word(char c);
  State state_ = State::kOther;
  std::string word_;       // the identifier being read, in lower case; at most a few bytes
  bool import_ = false;    // "@import" was read, and nothing since
  bool url_ = false;       // the string is a URL
  bool escaped_ = false;   // the byte before was '\'
  bool function_ = false;  // the string is inside "url("
  char quote_ = '"';
};

/// Gives the URLs of a style sheet the prefix while it comes in, cut anywhere. Holds at most one
/// URL of kUrlBytesMax; a longer one (a picture as data: URL) passes as it is.
class CssRewriter {
 public:
  static constexpr std::size_t kUrlBytesMax = 4096;
  /// `names` must outlive it.
  explicit CssRewriter(const RewriteContext& names) : names_(names) {}
  void feed(std::string_view bytes, std::string& out);
  /// The style sheet's end. Another one may follow.
  void finish(std::string& out);

 private:
  void end_url(std::string& out);
  const RewriteContext& names_;
  CssUrlFinder finder_;
  std::string url_;
  bool long_ = false;  // the URL's beginning was passed on
};

}  // namespace hpc
