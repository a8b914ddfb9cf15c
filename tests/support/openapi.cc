#include "tests/support/openapi.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <fstream>
#include <iterator>

namespace hpc {

bool has_json_type(const cJSON* value, std::string_view type) {
  if (type == "object") return cJSON_IsObject(value) != 0;
  if (type == "array") return cJSON_IsArray(value) != 0;
  if (type == "string") return cJSON_IsString(value) != 0;
  if (type == "boolean") return cJSON_IsBool(value) != 0;
  if (type == "null") return cJSON_IsNull(value) != 0;
  if (cJSON_IsNumber(value) == 0) return false;
  return type == "number" ||
         (type == "integer" && std::floor(value->valuedouble) == value->valuedouble);
}

OpenApi::OpenApi() {
  std::ifstream file(HPC_SOURCE_DIR "/docs/openapi.json", std::ios::binary);
  auto value = parse_json(std::string(std::istreambuf_iterator<char>(file), {}));
  assert(value.has_value());
  root_ = std::move(*value);
}

const cJSON* OpenApi::resolved(const cJSON* value) const {
  const auto reference = json_text(value, "$ref");
  if (!reference) return value;
  if (!reference->starts_with("#/")) return nullptr;
  const cJSON* found = root_.get();
  std::string_view rest = std::string_view(*reference).substr(2);
  while (!rest.empty() && found != nullptr) {
    const auto slash = std::min(rest.find('/'), rest.size());
    found = json_member(found, std::string(rest.substr(0, slash)).c_str());
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
  return found;
}

std::string OpenApi::fault_of(std::string_view method, std::string_view path, int status,
                              const std::string& content_type, const std::string& body) const {
  std::string verb(method);
  std::transform(verb.begin(), verb.end(), verb.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const cJSON* item = json_member(json_member(root(), "paths"), std::string(path).c_str());
  const cJSON* operation = json_member(item, verb.c_str());
  if (operation == nullptr) return "the file has no such call";
  const cJSON* answers = json_member(operation, "responses");
  const cJSON* answer = resolved(json_member(answers, std::to_string(status).c_str()));
  if (answer == nullptr) return "the file does not know the status " + std::to_string(status);
  const cJSON* content = json_member(answer, "content");
  if (content == nullptr) return body.empty() ? "" : "there is a body, and the file knows of none";
  const cJSON* form = json_member(content, content_type.c_str());
  if (form == nullptr) return "the file does not know the Content-Type '" + content_type + "'";
  if (content_type.starts_with("text/")) return "";
  const auto value = parse_json(body);
  if (!value) return "the body is no JSON: " + value.error().detail;
  return mismatch(json_member(form, "schema"), value->get(), "body");
}

std::string OpenApi::mismatch(const cJSON* schema, const cJSON* value,
                              const std::string& where) const {
  schema = resolved(schema);
  if (schema == nullptr) return where + ": its schema leads nowhere";
  const cJSON* type = json_member(schema, "type");
  bool fits = type == nullptr || (cJSON_IsString(type) && has_json_type(value, type->valuestring));
  for (const cJSON* one = cJSON_IsArray(type) ? type->child : nullptr; one != nullptr;
       one = one->next) {
    fits = fits || has_json_type(value, one->valuestring);
  }
  if (!fits) return where + ": is not of its type";
  if (const cJSON* words = json_member(schema, "enum"); words != nullptr) {
    bool found = false;
    for (const cJSON* one = words->child; one != nullptr; one = one->next) {
      found = found || cJSON_Compare(one, value, 1) != 0;
    }
    if (!found) return where + ": is none of its words";
  }
  const cJSON* items = json_member(schema, "items");
  int index = 0;
  for (const cJSON* one = cJSON_IsArray(value) && items != nullptr ? value->child : nullptr;
       one != nullptr; one = one->next) {
    auto fault = mismatch(items, one, where + "[" + std::to_string(index++) + "]");
    if (!fault.empty()) return fault;
  }
  return cJSON_IsObject(value) ? object_mismatch(schema, value, where) : "";
}

std::string OpenApi::object_mismatch(const cJSON* schema, const cJSON* value,
                                     const std::string& where) const {
  const cJSON* required = json_member(schema, "required");
  for (const cJSON* one = required == nullptr ? nullptr : required->child; one != nullptr;
       one = one->next) {
    if (json_member(value, one->valuestring) == nullptr) {
      return where + ": has no " + one->valuestring;
    }
  }
  const cJSON* others = json_member(schema, "additionalProperties");
  for (const cJSON* one = value->child; one != nullptr; one = one->next) {
    const std::string place = where + "." + one->string;
    const cJSON* own = json_member(json_member(schema, "properties"), one->string);
    if (own == nullptr && cJSON_IsFalse(others)) return place + ": the file does not know it";
    if (own == nullptr) own = others;
    if (own == nullptr) continue;
    auto fault = mismatch(own, one, place);
    if (!fault.empty()) return fault;
  }
  return "";
}

}  // namespace hpc
