#include "node-proxy/css_urls.h"

#include "node-proxy/rewrite_attribute.h"

namespace hpc {

namespace {

constexpr std::size_t kWordBytesMax = 8;  // "@import" is the longest that counts

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

bool ends_line(char c) { return c == '\n' || c == '\r' || c == '\f'; }

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '@' || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

bool CssUrlFinder::is_url(char c) {
  switch (state_) {
    case State::kOther:
      return other(c);
    case State::kSlash:
      state_ = c == '*' ? State::kComment : State::kOther;
      return state_ == State::kOther && other(c);
    case State::kComment:
      if (c == '*') state_ = State::kCommentStar;
      return false;
    case State::kCommentStar:
      if (c == '/') state_ = State::kOther;
      if (c != '*' && c != '/') state_ = State::kComment;
      return false;
    case State::kBeforeUrl:
      if (is_blank(c)) return false;
      if (c == '"' || c == '\'') {
        quote_ = c;
        url_ = function_ = true;
        state_ = State::kString;
        return false;
      }
      state_ = State::kUnquoted;
      [[fallthrough]];
    case State::kUnquoted:
      if (c != ')' && !is_blank(c)) return true;
      state_ = State::kAfterUrl;
      [[fallthrough]];
    case State::kAfterUrl:
      if (c == ')') state_ = State::kOther;
      return false;
    case State::kString:
      return in_string(c);
  }
  return false;
}

bool CssUrlFinder::other(char c) {
  if (escaped_ || c == '\\') {
    // An escape makes it another word than it looks.
    escaped_ = !escaped_;
    word_.assign(kWordBytesMax, '\\');
    import_ = false;
    return false;
  }
  if (is_word_byte(c)) {
    word(c);
    return false;
  }
  if (c == '"' || c == '\'') {
    quote_ = c;
    url_ = import_ || word_ == "@import";
    function_ = false;
    state_ = State::kString;
  } else if (c == '(' && word_ == "url") {
    state_ = State::kBeforeUrl;
  } else if (c == '/') {
    state_ = State::kSlash;
  }
  import_ = is_blank(c) && (import_ || word_ == "@import");
  word_.clear();
  return false;
}

void CssUrlFinder::word(char c) {
  import_ = false;
  if (word_.size() == kWordBytesMax) return;
  word_ += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool CssUrlFinder::in_string(char c) {
  if (escaped_) {
    escaped_ = false;
    return url_;
  }
  if (c == quote_ || ends_line(c)) {
    state_ = function_ ? State::kAfterUrl : State::kOther;
    return false;
  }
  escaped_ = c == '\\';
  return url_;
}

void CssRewriter::feed(std::string_view bytes, std::string& out) {
  for (const char c : bytes) {
    if (!finder_.is_url(c)) {
      end_url(out);
      out += c;
    } else if (long_) {
      out += c;
    } else {
      url_ += c;
      if (url_.size() <= kUrlBytesMax) continue;
      out += url_;
      url_.clear();
      long_ = true;
    }
  }
}

void CssRewriter::end_url(std::string& out) {
  long_ = false;
  if (url_.empty()) return;
  if (const auto edit = edit_attribute_url(url_, names_)) {
    url_.replace(edit->begin, edit->end - edit->begin, edit->text);
  }
  out += url_;
  url_.clear();
}

void CssRewriter::finish(std::string& out) {
  end_url(out);
  finder_ = {};
}

}  // namespace hpc
