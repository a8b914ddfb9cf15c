#include "manager/session/json.h"

#include <cassert>
#include <cmath>
#include <set>

#include "common/rfc3339.h"
#include "common/utf8.h"

namespace hpc {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";     // U+FFFD
constexpr std::int64_t kLastRfc3339Ms = 253'402'300'799'999;  // the end of the year 9999
constexpr double kNumberMax = 9'007'199'254'740'992.0;        // 2^53: whole in a double

tl::unexpected<Error> bad(std::string detail) {
  return fail(Errc::kBadRequest, "JSON", std::move(detail));
}

// What cJSON would let pass or would take for something else.
class Scan {
 public:
  explicit Scan(std::string_view text) : text_(text) {}

  Status run() {
    while (!text_.empty()) {
      const std::size_t size = character_size();
      if (size == 0) return bad("it has bytes that are not printable UTF-8");
      if (in_text_ && text_.substr(0, 6) == "\\u0000") return bad("a text has a NUL");
      if (!step()) return bad("it is deeper than " + std::to_string(kJsonDepthMax) + " levels");
      const bool escape = in_text_ && text_.front() == '\\' && text_.size() > 1;
      text_.remove_prefix(escape ? 2 : size);
    }
    return {};
  }

 private:
  std::size_t character_size() const {
    const char c = text_.front();
    return c == '\t' || c == '\n' || c == '\r' ? 1 : printable_utf8_size(text_);
  }
  bool step() {
    const char c = text_.front();
    if (c == '"') in_text_ = !in_text_;
    if (in_text_) return true;
    if (c == '{' || c == '[') ++depth_;
    if (c == '}' || c == ']') --depth_;
    return depth_ <= kJsonDepthMax;
  }

  std::string_view text_;
  bool in_text_ = false;
  int depth_ = 0;
};

Status check_names(const cJSON* value) {
  std::set<std::string_view> names;
  for (const cJSON* child = value->child; child != nullptr; child = child->next) {
    if (cJSON_IsObject(value) && !names.insert(child->string).second) {
      return bad("it has two members '" + json_safe(child->string) + "'");
    }
    if (auto status = check_names(child); !status) return status;
  }
  return {};
}

}  // namespace

std::string json_safe(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const bool line_end = text.front() == '\n';
    const std::size_t size = line_end ? 1 : printable_utf8_size(text);
    safe += size == 0 ? kReplacement : text.substr(0, size);
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return safe;
}

void add_value(cJSON* object, const char* name, JsonPtr value) {
  [[maybe_unused]] const bool added = cJSON_AddItemToObject(object, name, value.release()) != 0;
  assert(added);  // fails without memory only, or when `object` is none
}

void append_value(cJSON* array, JsonPtr value) {
  [[maybe_unused]] const bool added = cJSON_AddItemToArray(array, value.release()) != 0;
  assert(added);
}

void add_text(cJSON* object, const char* name, std::string_view text) {
  add_value(object, name, JsonPtr(cJSON_CreateString(json_safe(text).c_str())));
}

void add_text_or_null(cJSON* object, const char* name, std::string_view text) {
  if (!text.empty()) return add_text(object, name, text);
  add_value(object, name, JsonPtr(cJSON_CreateNull()));
}

void add_number(cJSON* object, const char* name, std::uint64_t value) {
  add_value(object, name, JsonPtr(cJSON_CreateNumber(static_cast<double>(value))));
}

void add_number_or_null(cJSON* object, const char* name, std::optional<std::uint64_t> value) {
  if (value) return add_number(object, name, *value);
  add_value(object, name, JsonPtr(cJSON_CreateNull()));
}

void add_bool(cJSON* object, const char* name, bool value) {
  add_value(object, name, JsonPtr(cJSON_CreateBool(value ? 1 : 0)));
}

void add_time(cJSON* object, const char* name, std::optional<std::int64_t> unix_ms) {
  const bool known = unix_ms && *unix_ms >= 0 && *unix_ms <= kLastRfc3339Ms;
  add_text_or_null(object, name, known ? format_rfc3339(*unix_ms) : std::string());
}

std::string json_line(const cJSON* value) {
  const std::unique_ptr<char, decltype(&cJSON_free)> text(cJSON_PrintUnformatted(value),
                                                          cJSON_free);
  assert(text != nullptr);
  return text.get();
}

Result<JsonPtr> parse_json(std::string_view text) {
  if (auto status = Scan(text).run(); !status) return tl::unexpected(status.error());
  const char* end = nullptr;
  JsonPtr value(cJSON_ParseWithLengthOpts(text.data(), text.size(), &end, 0));
  if (value == nullptr) return bad("it is not JSON");
  const auto rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (rest.find_first_not_of(" \t\r\n") != std::string_view::npos) {
    return bad("there is something behind its end");
  }
  if (auto status = check_names(value.get()); !status) return tl::unexpected(status.error());
  return value;
}

const cJSON* json_member(const cJSON* object, const char* name) {
  return cJSON_GetObjectItemCaseSensitive(object, name);
}

std::optional<std::string> json_text(const cJSON* object, const char* name) {
  const cJSON* member = json_member(object, name);
  if (!cJSON_IsString(member)) return std::nullopt;
  return member->valuestring;
}

std::optional<std::uint64_t> json_number(const cJSON* object, const char* name) {
  const cJSON* member = json_member(object, name);
  if (!cJSON_IsNumber(member)) return std::nullopt;
  const double value = member->valuedouble;
  if (!(value >= 0 && value <= kNumberMax) || std::floor(value) != value) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

}  // namespace hpc
