#include "common/field_id.h"

#include <array>
#include <cstring>

namespace hpc {

namespace {

// In the order of FieldId.
constexpr std::array<std::string_view, kFieldIds> kNames = {
    "",
    "Accept",
    "Alt-Svc",
    "Authorization",
    "Cache-Control",
    "Clear-Site-Data",
    "Connection",
    "Content-Length",
    "Content-Location",
    "Content-Type",
    "Cookie",
    "Expect",
    "Expires",
    "Forwarded",
    "Host",
    "X-HPC-Proxy-Base-Rewrite",
    "X-HPC-Manager-Token",
    "X-HPC-Proxy-Token",
    "Keep-Alive",
    "Location",
    "NEL",
    "Origin",
    "Pragma",
    "Proxy-Connection",
    "Public-Key-Pins",
    "Referer",
    "Refresh",
    "Report-To",
    "Reporting-Endpoints",
    "Sec-Fetch-Dest",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Site",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Service-Worker-Allowed",
    "Set-Cookie",
    "Strict-Transport-Security",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
};

constexpr unsigned char lower(char c) {
  return static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

constexpr std::size_t kPlaces = 256;
constexpr std::size_t kNameBytesMin = 2;

// The length and three letters tell all of them apart. The factors were found by trying; when a new
// name needs others, this does not compile.
constexpr std::size_t place_of(std::string_view name) {
  const std::size_t last = name.size() - 1;
  return (name.size() + 38U * lower(name[0]) + 26U * lower(name[last]) +
          42U * lower(name[last - 1])) %
         kPlaces;
}

constexpr auto kPlaceOfName = [] {
  std::array<FieldId, kPlaces> places{};
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    places[place_of(kNames[i])] = static_cast<FieldId>(i);
  }
  return places;
}();

constexpr bool kEachHasItsPlace = [] {
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    if (kPlaceOfName[place_of(kNames[i])] != static_cast<FieldId>(i)) return false;
  }
  return true;
}();
static_assert(kEachHasItsPlace, "two names have one place: other factors are needed");

bool same_letters(const char* a, const char* b, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  // Mostly both are written alike: then eight letters are one comparison.
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  std::size_t at = 0;
  for (; a.size() - at >= kWord; at += kWord) {
    std::uint64_t of_a = 0;
    std::uint64_t of_b = 0;
    std::memcpy(&of_a, a.data() + at, kWord);
    std::memcpy(&of_b, b.data() + at, kWord);
    if (of_a != of_b && !same_letters(a.data() + at, b.data() + at, kWord)) return false;
  }
  return same_letters(a.data() + at, b.data() + at, a.size() - at);
}

FieldId field_id(std::string_view name) {
  if (name.size() < kNameBytesMin) return FieldId::kOther;
  const FieldId id = kPlaceOfName[place_of(name)];
  return equals_ignoring_case(field_name(id), name) ? id : FieldId::kOther;
}

std::string_view field_name(FieldId id) { return kNames[static_cast<std::size_t>(id)]; }

}  // namespace hpc
