#include "manager/gateway/request_members.h"

#include <algorithm>
#include <cmath>

namespace hpc {

RequestMembers::RequestMembers(std::string_view body) {
  auto value = parse_json(body);
  if (!value) {
    failure_ = "the request's body cannot be read: " + value.error().detail;
  } else if (!cJSON_IsObject(value->get())) {
    failure_ = "the request's body is not a JSON object, such as {\"cluster\":\"main\"}";
  } else {
    object_ = std::move(*value);
  }
}

const cJSON* RequestMembers::member(const char* name) {
  asked_.emplace_back(name);
  const cJSON* found = json_member(object_.get(), name);
  return cJSON_IsNull(found) ? nullptr : found;
}

void RequestMembers::refuse(const char* name, std::string_view takes) {
  if (!failure_) failure_ = "\"" + std::string(name) + "\": it takes " + std::string(takes);
}

void RequestMembers::missing(const char* name, std::string_view takes) {
  if (failure_) return;
  failure_ = "\"" + std::string(name) + "\" is missing: it takes " + std::string(takes);
}

std::optional<std::string> RequestMembers::text(const char* name, const Rule& rule,
                                                std::string_view takes, bool required) {
  const cJSON* found = member(name);
  if (found == nullptr) {
    if (required) missing(name, takes);
    return std::nullopt;
  }
  if (cJSON_IsString(found) && rule(found->valuestring)) return found->valuestring;
  refuse(name, takes);
  return std::nullopt;
}

std::optional<std::uint64_t> RequestMembers::number(const char* name, std::uint64_t min,
                                                    std::uint64_t max, bool required) {
  const auto takes = "a whole number of " + std::to_string(min) + " to " + std::to_string(max);
  if (member(name) == nullptr) {
    if (required) missing(name, takes);
    return std::nullopt;
  }
  const auto value = json_number(object_.get(), name);
  if (value && *value >= min && *value <= max) return value;
  refuse(name, takes);
  return std::nullopt;
}

std::optional<std::string> RequestMembers::text_or_number(const char* name, const Rule& rule,
                                                          std::string_view takes) {
  const auto value = json_number(object_.get(), name);
  if (!value) return text(name, rule, takes);
  asked_.emplace_back(name);
  auto digits = std::to_string(*value);
  if (rule(digits)) return digits;
  refuse(name, takes);
  return std::nullopt;
}

std::optional<bool> RequestMembers::boolean(const char* name) {
  const cJSON* found = member(name);
  if (found == nullptr) return std::nullopt;
  if (cJSON_IsBool(found)) return cJSON_IsTrue(found) != 0;
  refuse(name, "true or false");
  return std::nullopt;
}

Status RequestMembers::finish() {
  const cJSON* child = object_ == nullptr ? nullptr : object_->child;
  for (; child != nullptr && !failure_; child = child->next) {
    if (std::find(asked_.begin(), asked_.end(), child->string) != asked_.end()) continue;
    failure_ = "\"" + json_safe(child->string) + "\" is no member of this request; it has";
    for (const auto name : asked_) *failure_ += " \"" + std::string(name) + "\"";
  }
  if (failure_) return fail(Errc::kBadRequest, "request", *failure_);
  return {};
}

}  // namespace hpc
