#include "common/edge_fields.h"

#include <algorithm>

#include "common/http_head.h"

namespace hpc {

namespace {

constexpr std::string_view kWholeHost[] = {
    "Alt-Svc",   "Strict-Transport-Security", "Clear-Site-Data", "Public-Key-Pins", "NEL",
    "Report-To", "Reporting-Endpoints"};

// Like equals_ignoring_case, with '_' for '-'. `prefix` is in lower case.
bool starts_loosely(std::string_view name, std::string_view prefix) {
  if (name.size() < prefix.size()) return false;
  return std::equal(prefix.begin(), prefix.end(), name.begin(), [](char want, char c) {
    if (c == '_') c = '-';
    return want == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  });
}

}  // namespace

bool says_who_asks(std::string_view name) {
  return starts_loosely(name, "x-forwarded-") || starts_loosely(name, "x-hpc-") ||
         equals_ignoring_case(name, "Forwarded");
}

bool affects_whole_host(std::string_view name) {
  return std::any_of(std::begin(kWholeHost), std::end(kWholeHost),
                     [name](auto one) { return equals_ignoring_case(name, one); });
}

}  // namespace hpc
