#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hpc {

/// One attribute of a tag, as offsets into the tag's text. Without a value both value offsets are
/// the end of the name.
struct HtmlAttribute {
  std::uint32_t name_begin;
  std::uint32_t name_end;
  std::uint32_t value_begin;  // behind the quote where there is one
  std::uint32_t value_end;
};

/// A start tag or an end tag. Views into the tokenizer: they die when the callback returns.
struct HtmlTag {
  std::string_view text;                      // from '<' to '>'; of a cut tag only its beginning
  std::string_view name;                      // as written, in any case
  std::span<const HtmlAttribute> attributes;  // none of an end tag
  bool end = false;
  // Past kTagBytesMax or kAttributesMax: its rest comes as text, and its attributes are not told.
  bool cut = false;

  std::string_view name_of(const HtmlAttribute& attribute) const {
    return text.substr(attribute.name_begin, attribute.name_end - attribute.name_begin);
  }
  std::string_view value_of(const HtmlAttribute& attribute) const {
    return text.substr(attribute.value_begin, attribute.value_end - attribute.value_begin);
  }
};

/// Finds the tags of a document while it comes in, cut anywhere, and tells every byte of it in its
/// order. Follows the tokenization of the HTML standard (WHATWG, 13.2.5) where it decides what is a
/// tag: quotes, comments, elements whose content is text, scripts that hold "<!--".
///
/// It builds no tree: whether it is inside <svg> or <math> (where a CDATA section may be, and where
/// "/>" closes a script) is counted from their tags.
///
/// Holds at most one tag of kTagBytesMax; everything else is passed on in the call that brought it.
class HtmlTokenizer {
 public:
  // Longer tags do exist: pictures as data: URLs, whole states of an app in one attribute. They
  // pass, they are only not looked into.
  static constexpr std::size_t kTagBytesMax = std::size_t{64} * 1024;
  static constexpr std::size_t kAttributesMax = 256;

  enum class Syntax : std::uint8_t { kHtml, kXml };  // kXml: application/xhtml+xml

  /// Told every byte once, in order. May not call the tokenizer.
  class Listener {
   public:
    virtual void on_tag(const HtmlTag& tag) noexcept = 0;
    /// Text, comments, doctype, and everything else that is no tag. Never empty.
    virtual void on_text(std::string_view bytes) noexcept = 0;
    /// Text inside an element whose content is no markup: the last start tag says which.
    virtual void on_raw_text(std::string_view bytes) noexcept = 0;

   protected:
    ~Listener() = default;
  };

  /// `listener` must outlive it.
  HtmlTokenizer(Syntax syntax, Listener& listener) : syntax_(syntax), listener_(listener) {}

  void feed(std::string_view bytes);
  /// The document's end: a tag that is not complete is passed on as text.
  void finish();
  /// Nothing is open: what is written here is read as markup.
  bool between_tokens() const { return state_ == State::kData && held_.empty(); }
  std::size_t held_bytes() const { return held_.size(); }

 private:
  enum class State : std::uint8_t {
    kData,
    kTagOpen,     // "<"
    kEndTagOpen,  // "</"
    // In a tag.
    kTagName,
    kBeforeName,
    kName,
    kAfterName,
    kBeforeValue,
    kDoubleQuoted,
    kSingleQuoted,
    kUnquoted,
    kAfterValue,
    kSelfClosing,
    // Passed on as they come.
    kMarkup,  // "<!"
    kBogus,   // up to the next '>': bogus comments, doctype, processing instructions
    kComment,
    kCdata,
    kRaw,
    kRawOpen,     // "<" in raw text
    kRawEndName,  // "</na" in raw text
    kRawTagName,  // "<na" in a script that holds "<!--"
    kPlaintext,
  };
  enum class Comment : std::uint8_t { kStart, kStartDash, kText, kEndDash, kEnd, kEndBang };
  enum class Script : std::uint8_t { kPlain, kEscaped, kDoubleEscaped };

  std::size_t feed_open(std::string_view bytes);
  std::size_t feed_passing(std::string_view bytes);
  std::size_t feed_raw(std::string_view bytes);
  bool step_tag_open(char c);
  bool step_tag(char c);
  bool step_before_name(char c);
  bool step_value(char c);
  bool step_markup(char c);
  void step_comment(char c);
  bool step_raw_open(char c);
  bool step_raw_name(char c);
  void track_script(char c);
  void hold(char c);
  void cut_tag();
  void end_tag_name();
  void begin_tag(bool end);
  void emit_tag(bool self_closing);
  void begin_raw_text();
  void release(State next);
  std::uint32_t here() const { return static_cast<std::uint32_t>(held_.size()); }
  bool raw() const { return !raw_name_.empty(); }

  const Syntax syntax_;
  Listener& listener_;
  State state_ = State::kData;
  std::string held_;  // the tag that is open
  std::vector<HtmlAttribute> attributes_;
  std::uint32_t name_end_ = 0;
  bool end_ = false;  // it is an end tag
  bool cut_ = false;  // its beginning was passed on
  bool opens_foreign_ = false;
  std::string_view opens_raw_;  // the name of the element whose content will be raw text
  std::string_view raw_name_;   // of the element that is open, in lower case; static text
  std::string word_;            // at most a few bytes that decide where we are
  Comment comment_ = Comment::kStart;
  Script script_ = Script::kPlain;
  int escape_start_ = 0;             // how much of "<!--" was seen in a script
  int dashes_ = 0;                   // in front of a possible "-->"
  std::uint32_t foreign_depth_ = 0;  // of <svg> and <math>
};

}  // namespace hpc
