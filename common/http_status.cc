#include "common/http_status.h"

#include <algorithm>
#include <iterator>

namespace hpc {

namespace {
struct Phrase {
  int status;
  std::string_view text;
};
constexpr Phrase kPhrases[] = {
    {200, "OK"},
    {202, "Accepted"},
    {204, "No Content"},
    {303, "See Other"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};
}  // namespace

std::string_view reason_phrase(int status) {
  const auto* const found =
      std::find_if(std::begin(kPhrases), std::end(kPhrases),
                   [&](const Phrase& phrase) { return phrase.status == status; });
  return found == std::end(kPhrases) ? "Unknown" : found->text;
}

int http_status(Errc code) {
  switch (code) {
    case Errc::kBadRequest:
      return 400;
    case Errc::kUnauthorized:
      return 401;
    case Errc::kForbidden:
      return 403;
    case Errc::kNotFound:
      return 404;
    case Errc::kTooLarge:
      return 413;
    case Errc::kConflict:
      return 409;
    case Errc::kTooMany:
      return 429;
    case Errc::kRefused:
    case Errc::kUnavailable:
      return 503;
    case Errc::kTimeout:
      return 504;
    case Errc::kNetwork:
    case Errc::kSsh:
    case Errc::kSlurm:
      return 502;
    case Errc::kUsage:
    case Errc::kConfig:
    case Errc::kSystem:
      return 500;
  }
  return 500;
}

}  // namespace hpc
