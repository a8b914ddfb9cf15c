#pragma once
#include <cjson/cJSON.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace hpc {

// cJSON with owners, with text that is always UTF-8, and with a stricter parser.

struct JsonDelete {
  void operator()(cJSON* value) const noexcept { cJSON_Delete(value); }
};
/// Owns a tree. What is added to a tree is the tree's.
using JsonPtr = std::unique_ptr<cJSON, JsonDelete>;

/// `text` as a JSON text may hold it: well-formed UTF-8; each byte that is not, and each character
/// that could fool a terminal (printable_utf8_size()), becomes U+FFFD. Line ends stay.
std::string json_safe(std::string_view text);

/// Adds a member; null for an empty text, or for nothing.
void add_text(cJSON* object, const char* name, std::string_view text);
void add_text_or_null(cJSON* object, const char* name, std::string_view text);
void add_number(cJSON* object, const char* name, std::uint64_t value);
void add_number_or_null(cJSON* object, const char* name, std::optional<std::uint64_t> value);
void add_bool(cJSON* object, const char* name, bool value);
/// RFC 3339 in UTC, from milliseconds since 1970; null for nothing, and for what RFC 3339 cannot
/// say (before 1970, after 9999).
void add_time(cJSON* object, const char* name, std::optional<std::int64_t> unix_ms);
/// `value` becomes the object's, or the array's.
void add_value(cJSON* object, const char* name, JsonPtr value);
void append_value(cJSON* array, JsonPtr value);

/// One line, without white space and without an end of line.
std::string json_line(const cJSON* value);

// No message of ours is deeper than 4.
constexpr int kJsonDepthMax = 16;

/// The one value that `text` holds. kBadRequest, with what is wrong: no JSON, something behind the
/// value, a NUL in a text (cJSON would take the text to end there), two members of one name, more
/// than kJsonDepthMax levels, bytes that are neither printable UTF-8 nor white space.
/// Numbers may be written as cJSON takes them: "01" passes.
Result<JsonPtr> parse_json(std::string_view text);

/// The member of that name, exactly; nullptr when there is none or `object` is no object.
const cJSON* json_member(const cJSON* object, const char* name);
/// The member's text; nothing when there is none, or it is no text.
std::optional<std::string> json_text(const cJSON* object, const char* name);
/// The member's value when it is a whole number of 0..2^53; else nothing.
std::optional<std::uint64_t> json_number(const cJSON* object, const char* name);

}  // namespace hpc
