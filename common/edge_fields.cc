#include "common/edge_fields.h"

#include <algorithm>

namespace hpc {

namespace {

constexpr FieldSet kWholeHost = {FieldId::kAltSvc,
                                 FieldId::kStrictTransportSecurity,
                                 FieldId::kClearSiteData,
                                 FieldId::kPublicKeyPins,
                                 FieldId::kNel,
                                 FieldId::kReportTo,
                                 FieldId::kReportingEndpoints};

// Like equals_ignoring_case, with '_' for '-'. `prefix` is in lower case.
bool starts_loosely(std::string_view name, std::string_view prefix) {
  if (name.size() < prefix.size()) return false;
  return std::equal(prefix.begin(), prefix.end(), name.begin(), [](char want, char c) {
    if (c == '_') c = '-';
    return want == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  });
}

}  // namespace

bool says_who_asks(const Field& field) {
  if (field.id == FieldId::kForwarded) return true;
  // Mostly a look at the first letter is enough.
  if (field.name.empty() || (field.name.front() | 0x20) != 'x') return false;
  return starts_loosely(field.name, "x-forwarded-") || starts_loosely(field.name, "x-hpc-");
}

bool affects_whole_host(FieldId id) { return kWholeHost.has(id); }

}  // namespace hpc
