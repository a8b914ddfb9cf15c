#include "node-proxy/html_tokenizer.h"

#include <algorithm>
#include <utility>

#include "common/http_head.h"

namespace hpc {

namespace {

/// Elements whose content is text to a browser that runs scripts (13.2.6).
constexpr std::string_view kRawElements[] = {"script", "style",   "textarea", "title", "noscript",
                                             "iframe", "noembed", "noframes", "xmp",   "plaintext"};

// Decides which name it is, no more: the longest of the above, and one.
constexpr std::size_t kWordBytesMax = 10;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }

bool ends_name(char c) { return is_blank(c) || c == '/' || c == '>'; }

bool is_foreign_root(std::string_view name) {
  return equals_ignoring_case(name, "svg") || equals_ignoring_case(name, "math");
}

}  // namespace

void HtmlTokenizer::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const bool open = state_ > State::kData && state_ < State::kMarkup;
    bytes.remove_prefix(open ? feed_open(bytes) : feed_passing(bytes));
  }
  if (cut_ && !held_.empty()) {
    listener_.on_text(held_);
    held_.clear();
  }
}

void HtmlTokenizer::finish() {
  if (held_.empty()) return;
  if (state_ >= State::kRaw) {
    listener_.on_raw_text(held_);
  } else {
    listener_.on_text(held_);
  }
  held_.clear();
}

/// Inside "<...": byte by byte into held_, as long as a tag is open.
std::size_t HtmlTokenizer::feed_open(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && state_ > State::kData && state_ < State::kMarkup) {
    const char c = bytes[at];
    const bool taken = state_ <= State::kEndTagOpen ? step_tag_open(c) : step_tag(c);
    if (taken) ++at;
  }
  return at;
}

/// What is not held: passed on up to where a tag may begin.
std::size_t HtmlTokenizer::feed_passing(std::string_view bytes) {
  std::size_t at = 0;
  switch (state_) {
    case State::kData:
      at = std::min(bytes.find('<'), bytes.size());
      if (at != 0) listener_.on_text(bytes.substr(0, at));
      if (at == bytes.size()) return at;
      hold('<');
      state_ = State::kTagOpen;
      return at + 1;
    case State::kMarkup:
      while (at < bytes.size() && state_ == State::kMarkup && step_markup(bytes[at])) ++at;
      break;
    case State::kBogus:
      at = std::min(bytes.find('>'), bytes.size());
      if (at != bytes.size()) {
        ++at;
        state_ = State::kData;
      }
      break;
    case State::kComment:
      while (at < bytes.size() && state_ == State::kComment) step_comment(bytes[at++]);
      break;
    case State::kCdata:
      while (at < bytes.size() && state_ == State::kCdata) {
        const char c = bytes[at++];
        if (c == '>' && dashes_ >= 2) state_ = State::kData;
        dashes_ = c == ']' ? dashes_ + 1 : 0;
      }
      break;
    case State::kPlaintext:
      listener_.on_raw_text(bytes);
      return bytes.size();
    default:
      return feed_raw(bytes);
  }
  if (at != 0) listener_.on_text(bytes.substr(0, at));
  return at;
}

std::size_t HtmlTokenizer::feed_raw(std::string_view bytes) {
  if (state_ == State::kRawOpen) return step_raw_open(bytes.front()) ? 1 : 0;
  if (state_ != State::kRaw) return step_raw_name(bytes.front()) ? 1 : 0;
  std::size_t at = 0;
  if (script_ == Script::kPlain && escape_start_ == 0) {
    at = std::min(bytes.find('<'), bytes.size());
  } else {
    while (at < bytes.size() && bytes[at] != '<') track_script(bytes[at++]);
  }
  if (at != 0) listener_.on_raw_text(bytes.substr(0, at));
  if (at == bytes.size()) return at;
  escape_start_ = dashes_ = 0;
  hold('<');
  state_ = State::kRawOpen;
  return at + 1;
}

/// Behind "<" or "</". False: `c` is to be looked at again.
bool HtmlTokenizer::step_tag_open(char c) {
  const bool end = state_ == State::kEndTagOpen;
  if (is_letter(c)) {
    begin_tag(end);
    return false;
  }
  if (!end && c == '/') {
    hold(c);
    state_ = State::kEndTagOpen;
    return true;
  }
  if (!end && c == '!') {
    hold(c);
    word_.clear();
    release(State::kMarkup);
    return true;
  }
  // "</>" is nothing, "</ x>" and "<?x>" are comments, "< " is text.
  release(end || c == '?' ? State::kBogus : State::kData);
  return false;
}

void HtmlTokenizer::begin_tag(bool end) {
  end_ = end;
  cut_ = false;
  opens_foreign_ = false;
  opens_raw_ = {};
  attributes_.clear();
  name_end_ = 0;
  state_ = State::kTagName;
}

/// In a tag (13.2.5.8 and 13.2.5.32 to 40).
bool HtmlTokenizer::step_tag(char c) {
  switch (state_) {
    case State::kTagName:
      if (ends_name(c)) {
        end_tag_name();
        state_ = State::kBeforeName;
        return false;
      }
      break;
    case State::kBeforeName:
      return step_before_name(c);
    case State::kName:
      if (!ends_name(c) && c != '=') break;
      if (!cut_ && !attributes_.empty()) {
        auto& last = attributes_.back();
        last.name_end = last.value_begin = last.value_end = here();
      }
      state_ = State::kAfterName;
      return false;
    case State::kAfterName:
      if (c == '=') {
        state_ = State::kBeforeValue;
        break;
      }
      if (is_blank(c)) break;
      state_ = State::kBeforeName;
      return false;
    case State::kSelfClosing:
      if (c == '>') {
        hold(c);
        emit_tag(true);
        return true;
      }
      state_ = State::kBeforeName;
      return false;
    case State::kAfterValue:
      state_ = State::kBeforeName;
      return false;
    default:
      return step_value(c);
  }
  hold(c);
  return true;
}

bool HtmlTokenizer::step_before_name(char c) {
  if (c == '>') {
    hold(c);
    emit_tag(false);
    return true;
  }
  if (c == '/') {
    state_ = State::kSelfClosing;
  } else if (!is_blank(c)) {
    // An attribute's name may begin with '=' (13.2.5.32).
    state_ = State::kName;
    if (!cut_ && !end_ && attributes_.size() < kAttributesMax) {
      attributes_.push_back({here(), 0, 0, 0});
    } else if (!cut_ && !end_) {
      cut_tag();
    }
  }
  hold(c);
  return true;
}

bool HtmlTokenizer::step_value(char c) {
  const auto begin = [this](std::uint32_t at) {
    if (!cut_ && !attributes_.empty()) {
      attributes_.back().value_begin = attributes_.back().value_end = at;
    }
  };
  const auto end = [this] {
    if (!cut_ && !attributes_.empty()) attributes_.back().value_end = here();
  };
  switch (state_) {
    case State::kBeforeValue:
      if (c == '"' || c == '\'') {
        begin(here() + 1);
        state_ = c == '"' ? State::kDoubleQuoted : State::kSingleQuoted;
      } else if (c == '>') {
        state_ = State::kBeforeName;
        return false;
      } else if (!is_blank(c)) {
        begin(here());
        state_ = State::kUnquoted;
      }
      break;
    case State::kUnquoted:
      if (!is_blank(c) && c != '>') break;
      end();
      state_ = State::kBeforeName;
      return false;
    default:
      if (c != (state_ == State::kDoubleQuoted ? '"' : '\'')) break;
      end();
      state_ = State::kAfterValue;
  }
  hold(c);
  return true;
}

void HtmlTokenizer::hold(char c) {
  if (held_.size() >= kTagBytesMax) cut_tag();
  held_ += c;
}

/// The tag is longer than we hold: its beginning is told, the rest will be text.
void HtmlTokenizer::cut_tag() {
  if (!std::exchange(cut_, true)) {
    const std::size_t name_begin = end_ ? 2 : 1;
    const std::size_t name_end = name_end_ != 0 ? name_end_ : held_.size();
    const std::string_view text = held_;
    listener_.on_tag({text, text.substr(name_begin, name_end - name_begin), {}, end_, true});
  } else {
    listener_.on_text(held_);
  }
  held_.clear();
}

void HtmlTokenizer::end_tag_name() {
  if (cut_) return;  // a name as long as that is none of ours
  name_end_ = here();
  const std::string_view name = std::string_view(held_).substr(end_ ? 2 : 1);
  opens_foreign_ = is_foreign_root(name);
  if (end_ || syntax_ == Syntax::kXml) return;
  const auto* const found = std::find_if(
      std::begin(kRawElements), std::end(kRawElements),
      [name](std::string_view element) { return equals_ignoring_case(element, name); });
  if (found != std::end(kRawElements)) opens_raw_ = *found;
}

void HtmlTokenizer::emit_tag(bool self_closing) {
  const std::string_view text = held_;
  if (cut_) {
    listener_.on_text(text);
  } else {
    const std::size_t name_begin = end_ ? 2 : 1;
    listener_.on_tag(
        {text, text.substr(name_begin, name_end_ - name_begin), attributes_, end_, false});
  }
  held_.clear();
  cut_ = false;
  raw_name_ = {};
  state_ = State::kData;
  if (opens_foreign_ && end_ && foreign_depth_ > 0) --foreign_depth_;
  if (opens_foreign_ && !end_ && !self_closing) ++foreign_depth_;
  // In HTML "<script/>" is open; in <svg> it is not.
  if (!opens_raw_.empty() && !(self_closing && foreign_depth_ > 0)) begin_raw_text();
}

void HtmlTokenizer::begin_raw_text() {
  raw_name_ = opens_raw_;
  state_ = raw_name_ == "plaintext" ? State::kPlaintext : State::kRaw;
  script_ = Script::kPlain;
  escape_start_ = dashes_ = 0;
}

/// What was held is no tag.
void HtmlTokenizer::release(State next) {
  if (raw()) {
    listener_.on_raw_text(held_);
  } else {
    listener_.on_text(held_);
  }
  held_.clear();
  state_ = next;
}

/// Behind "<!" (13.2.5.42). False: `c` is to be looked at again.
bool HtmlTokenizer::step_markup(char c) {
  const bool cdata = syntax_ == Syntax::kXml || foreign_depth_ > 0;
  word_ += c;
  if (word_ == "--") {
    state_ = State::kComment;
    comment_ = Comment::kStart;
  } else if (cdata && word_ == "[CDATA[") {
    state_ = State::kCdata;
    dashes_ = 0;
  } else if (word_ != "-" && !(cdata && std::string_view("[CDATA[").starts_with(word_))) {
    state_ = State::kBogus;
    return false;
  }
  return true;
}

/// 13.2.5.43 to 52, as far as they find the comment's end.
void HtmlTokenizer::step_comment(char c) {
  const bool may_end = comment_ != Comment::kText && comment_ != Comment::kEndDash;
  if (c == '>' && may_end) {
    state_ = State::kData;
    return;
  }
  switch (comment_) {
    case Comment::kStart:
      comment_ = c == '-' ? Comment::kStartDash : Comment::kText;
      return;
    case Comment::kStartDash:
    case Comment::kEndDash:
      comment_ = c == '-' ? Comment::kEnd : Comment::kText;
      return;
    case Comment::kText:
    case Comment::kEndBang:
      comment_ = c == '-' ? Comment::kEndDash : Comment::kText;
      return;
    case Comment::kEnd:
      if (c == '-') return;
      comment_ = c == '!' ? Comment::kEndBang : Comment::kText;
  }
}

/// Behind "<" in raw text.
bool HtmlTokenizer::step_raw_open(char c) {
  const bool script = raw_name_ == "script";
  word_.clear();
  if (c == '/') {
    hold(c);
    state_ = State::kRawEndName;
    return true;
  }
  if (script && script_ == Script::kEscaped && is_letter(c)) {
    state_ = State::kRawTagName;
    return false;
  }
  release(State::kRaw);
  if (script && script_ == Script::kPlain && c == '!') {
    escape_start_ = 1;
    listener_.on_raw_text("!");
    return true;
  }
  return false;
}

/// The name behind "</" in raw text, or behind "<" in a script that holds "<!--" (13.2.5.9 to 31).
bool HtmlTokenizer::step_raw_name(char c) {
  if (is_letter(c) && word_.size() < kWordBytesMax) {
    word_ += lower(c);
    hold(c);
    return true;
  }
  const bool named = ends_name(c) && word_ == raw_name_;
  if (state_ == State::kRawTagName) {
    if (named) script_ = Script::kDoubleEscaped;
  } else if (named && script_ == Script::kDoubleEscaped) {
    script_ = Script::kEscaped;
  } else if (named) {
    begin_tag(true);
    end_tag_name();
    state_ = State::kBeforeName;
    return false;
  }
  release(State::kRaw);
  return false;
}

/// "<!--" and "-->" in a script change what ends it.
void HtmlTokenizer::track_script(char c) {
  if (script_ == Script::kPlain) {
    escape_start_ = c == '-' ? escape_start_ + 1 : 0;
    if (escape_start_ < 3) return;
    script_ = Script::kEscaped;
    escape_start_ = 0;
    dashes_ = 2;
    return;
  }
  if (c == '>' && dashes_ >= 2) script_ = Script::kPlain;
  dashes_ = c == '-' ? dashes_ + 1 : 0;
}

}  // namespace hpc
