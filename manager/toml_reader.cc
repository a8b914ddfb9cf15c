#include "manager/toml_reader.h"

#include <algorithm>
#include <utility>

namespace hpc {

namespace {

bool is_key_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Only the tab may stand in a text or a comment as it is (TOML 1.0, "String").
bool is_forbidden_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto add = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xc0 | (code >> 6));
  } else if (code < 0x10000) {
    add(0xe0 | (code >> 12));
    add(0x80 | ((code >> 6) & 0x3f));
  } else {
    add(0xf0 | (code >> 18));
    add(0x80 | ((code >> 12) & 0x3f));
    add(0x80 | ((code >> 6) & 0x3f));
  }
  add(0x80 | (code & 0x3f));
}

class TomlReader {
 public:
  explicit TomlReader(std::string_view text) : rest_(text) {}

  Result<std::vector<TomlEntry>> read() {
    std::vector<TomlEntry> entries;
    while (true) {
      if (auto status = skip_lines(); !status) return tl::unexpected(status.error());
      if (rest_.empty()) return entries;
      auto entry = read_entry();
      if (!entry) return tl::unexpected(entry.error());
      const auto same = std::find_if(entries.begin(), entries.end(),
                                     [&](const TomlEntry& e) { return e.key == entry->key; });
      if (same != entries.end()) {
        line_ = entry->line;
        return wrong("'" + entry->key + "' stands in line " + std::to_string(same->line) +
                     " already; several values are a list: " + entry->key + " = [\"a\", \"b\"]");
      }
      entries.push_back(std::move(*entry));
    }
  }

 private:
  tl::unexpected<Error> wrong(const std::string& what) const {
    return fail(Errc::kConfig, "configuration", "line " + std::to_string(line_) + ": " + what);
  }

  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  void skip_blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) next();
  }
  void next() { rest_.remove_prefix(1); }
  bool take(std::string_view word) {
    if (rest_.substr(0, word.size()) != word) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  // A comment, if there is one, and the end of the line behind it.
  Status finish_line() {
    skip_blanks();
    if (peek() == '#') {
      while (!rest_.empty() && rest_.front() != '\n' && rest_.substr(0, 2) != "\r\n") {
        if (is_forbidden_control(rest_.front())) return wrong("a control byte in a comment");
        next();
      }
    }
    if (rest_.empty()) return {};
    if (!take("\n") && !take("\r\n")) {
      return wrong("there is more behind the value; one 'key = value' a line, texts in quotes");
    }
    ++line_;
    return {};
  }

  // Blank lines and lines with a comment only.
  Status skip_lines() {
    while (true) {
      skip_blanks();
      const bool ends = rest_.empty();
      if (ends || (peek() != '#' && peek() != '\n' && rest_.substr(0, 2) != "\r\n")) return {};
      if (auto status = finish_line(); !status) return status;
    }
  }

  Result<TomlEntry> read_entry() {
    if (peek() == '[') return wrong("there are no [sections] here: every key stands by itself");
    TomlEntry entry;
    entry.line = line_;
    while (is_key_byte(peek())) {
      entry.key.push_back(peek());
      next();
    }
    if (entry.key.empty()) return wrong("a line begins with a key, as in: listen = \"...\"");
    skip_blanks();
    if (!take("=")) return wrong("'=' is missing behind '" + entry.key + "'");
    skip_blanks();
    if (auto status = read_value(entry); !status) return tl::unexpected(status.error());
    if (auto status = finish_line(); !status) return tl::unexpected(status.error());
    return entry;
  }

  Status read_value(TomlEntry& entry) {
    const char first = peek();
    if (first == '[') return read_list(entry);
    if (first == '"' || first == '\'') {
      entry.type = TomlType::kText;
      return read_text(entry.texts);
    }
    if (is_digit(first) || first == '-' || first == '+') return read_number(entry);
    entry.type = TomlType::kBoolean;
    for (const char* word : {"true", "false"}) {
      if (!take(word)) continue;
      entry.texts.emplace_back(word);
      return {};
    }
    return wrong("the value of '" + entry.key +
                 "' is a text in quotes, a whole number, true, false or a list of texts");
  }

  Status read_number(TomlEntry& entry) {
    entry.type = TomlType::kNumber;
    std::string digits;
    if (peek() == '-' || peek() == '+') {
      if (peek() == '-') digits.push_back('-');
      next();
    }
    const auto signs = digits.size();
    while (is_digit(peek()) || (peek() == '_' && digits.size() > signs)) {
      if (peek() != '_') digits.push_back(peek());
      next();
    }
    const bool bad_tail = is_key_byte(peek()) || peek() == '.' || peek() == ':';
    if (digits.size() == signs || bad_tail || digits.size() > 19) {
      return wrong("the value of '" + entry.key +
                   "' is no whole number; a text stands in quotes: " + entry.key + " = \"...\"");
    }
    entry.texts.push_back(std::move(digits));
    return {};
  }

  Status read_list(TomlEntry& entry) {
    entry.type = TomlType::kTexts;
    next();
    while (true) {
      if (auto status = skip_lines(); !status) return status;
      if (take("]")) return {};
      if (rest_.empty()) {
        return wrong("the list of line " + std::to_string(entry.line) + " does not end with ]");
      }
      if (peek() != '"' && peek() != '\'') return wrong("a list holds texts in quotes");
      if (auto status = read_text(entry.texts); !status) return status;
      if (auto status = skip_lines(); !status) return status;
      if (peek() != ']' && !take(",")) return wrong("',' is missing between two texts of a list");
    }
  }

  Status read_text(std::vector<std::string>& texts) {
    const char quote = peek();
    if (rest_.substr(0, 3) == std::string(3, quote)) {
      return wrong("texts over several lines are not read here");
    }
    next();
    std::string text;
    while (peek() != quote || rest_.empty()) {
      if (rest_.empty() || peek() == '\n' || peek() == '\r') {
        return wrong("a text does not end in its line; the quote is missing");
      }
      if (is_forbidden_control(peek())) return wrong("a control byte in a text");
      const char c = peek();
      next();
      if (c != '\\' || quote == '\'') {
        text.push_back(c);
      } else if (auto status = read_escape(text); !status) {
        return status;
      }
    }
    next();
    texts.push_back(std::move(text));
    return {};
  }

  Status read_escape(std::string& text) {
    constexpr std::string_view kNames = "btnfr\"\\";
    constexpr std::string_view kBytes = "\b\t\n\f\r\"\\";
    const char c = peek();
    if (const auto at = kNames.find(c); c != '\0' && at != std::string_view::npos) {
      next();
      text.push_back(kBytes[at]);
      return {};
    }
    if (c != 'u' && c != 'U') {
      return wrong("no such escape: \\" + std::string(c > ' ' ? 1 : 0, c) +
                   "; write \\\\ for a backslash, or put the text in single quotes");
    }
    next();
    std::uint32_t code = 0;
    for (int left = c == 'u' ? 4 : 8; left > 0; --left) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      const char lower = peek() >= 'A' && peek() <= 'F' ? static_cast<char>(peek() + 32) : peek();
      const auto digit = lower == '\0' ? std::string_view::npos : kDigits.find(lower);
      if (digit == std::string_view::npos) return wrong("\\u needs 4 hex digits, \\U needs 8");
      code = code << 4 | static_cast<std::uint32_t>(digit);
      next();
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return wrong("no such character");
    append_utf8(text, code);
    return {};
  }

  std::string_view rest_;
  int line_ = 1;
};

}  // namespace

Result<std::vector<TomlEntry>> read_toml(std::string_view text) {
  if (text.size() > kTomlBytesMax) {
    return fail(Errc::kConfig, "configuration",
                "the file is larger than " + std::to_string(kTomlBytesMax) + " bytes");
  }
  return TomlReader(text).read();
}

}  // namespace hpc
