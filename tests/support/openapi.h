#pragma once
#include <string>
#include <string_view>

#include "manager/session/json.h"

namespace hpc {

/// docs/openapi.json, as a judge of answers. Knows as much of JSON Schema as that file uses: $ref,
/// type, enum, required, properties, additionalProperties, items.
class OpenApi {
 public:
  /// Reads the file of this source tree.
  OpenApi();

  const cJSON* root() const { return root_.get(); }
  /// What a "$ref" leads to; `value` itself when it is none, nullptr when it leads nowhere.
  const cJSON* resolved(const cJSON* value) const;

  /// What is wrong with an answer to `method` of `path` ("/api/v1/sessions/{id}"): a status that
  /// the file does not know, another Content-Type, a body that does not fit its schema; "" if
  /// nothing is.
  std::string fault_of(std::string_view method, std::string_view path, int status,
                       const std::string& content_type, const std::string& body) const;
  /// The same for one value and its schema.
  std::string mismatch(const cJSON* schema, const cJSON* value, const std::string& where) const;

 private:
  std::string object_mismatch(const cJSON* schema, const cJSON* value,
                              const std::string& where) const;
  JsonPtr root_;
};

/// "object", "array", "string", "integer", "number", "boolean", "null".
bool has_json_type(const cJSON* value, std::string_view type);

}  // namespace hpc
