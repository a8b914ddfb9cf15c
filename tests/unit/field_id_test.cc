#include "common/field_id.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>

namespace hpc {
namespace {

TEST(EqualsIgnoringCaseTest, LettersOnly) {
  EXPECT_TRUE(equals_ignoring_case("Content-Length", "cONTENT-lENGTH"));
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
  // 32 apart like a letter and its upper case, but no letters.
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
  EXPECT_FALSE(equals_ignoring_case("[", "{"));
  EXPECT_FALSE(equals_ignoring_case("\xc4", "\xe4"));
}

TEST(EqualsIgnoringCaseTest, EveryByteOfEveryLengthCounts) {
  for (std::size_t size = 1; size <= 25; ++size) {
    const std::string text(size, 'a');
    EXPECT_TRUE(equals_ignoring_case(text, std::string(size, 'A'))) << size;
    for (std::size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] = 'B';
      EXPECT_FALSE(equals_ignoring_case(text, other)) << size << " " << at;
      other[at] = '!';  // 'A' with another bit than that of its case
      EXPECT_FALSE(equals_ignoring_case(text, other)) << size << " " << at;
    }
  }
}

// By hand, so that a name in another place of the table than its number is seen.
struct Known {
  FieldId id;
  std::string_view name;
};
constexpr Known kKnown[] = {
    {FieldId::kAccept, "Accept"},
    {FieldId::kAltSvc, "Alt-Svc"},
    {FieldId::kAuthorization, "Authorization"},
    {FieldId::kCacheControl, "Cache-Control"},
    {FieldId::kClearSiteData, "Clear-Site-Data"},
    {FieldId::kConnection, "Connection"},
    {FieldId::kContentLength, "Content-Length"},
    {FieldId::kContentLocation, "Content-Location"},
    {FieldId::kContentType, "Content-Type"},
    {FieldId::kCookie, "Cookie"},
    {FieldId::kExpect, "Expect"},
    {FieldId::kExpires, "Expires"},
    {FieldId::kForwarded, "Forwarded"},
    {FieldId::kHost, "Host"},
    {FieldId::kHpcBaseRewrite, "X-HPC-Proxy-Base-Rewrite"},
    {FieldId::kHpcManagerToken, "X-HPC-Manager-Token"},
    {FieldId::kHpcProxyToken, "X-HPC-Proxy-Token"},
    {FieldId::kKeepAlive, "Keep-Alive"},
    {FieldId::kLocation, "Location"},
    {FieldId::kNel, "NEL"},
    {FieldId::kOrigin, "Origin"},
    {FieldId::kPragma, "Pragma"},
    {FieldId::kProxyConnection, "Proxy-Connection"},
    {FieldId::kPublicKeyPins, "Public-Key-Pins"},
    {FieldId::kReferer, "Referer"},
    {FieldId::kRefresh, "Refresh"},
    {FieldId::kReportTo, "Report-To"},
    {FieldId::kReportingEndpoints, "Reporting-Endpoints"},
    {FieldId::kSecFetchDest, "Sec-Fetch-Dest"},
    {FieldId::kSecFetchMode, "Sec-Fetch-Mode"},
    {FieldId::kSecFetchSite, "Sec-Fetch-Site"},
    {FieldId::kSecWebSocketKey, "Sec-WebSocket-Key"},
    {FieldId::kSecWebSocketVersion, "Sec-WebSocket-Version"},
    {FieldId::kServiceWorkerAllowed, "Service-Worker-Allowed"},
    {FieldId::kSetCookie, "Set-Cookie"},
    {FieldId::kStrictTransportSecurity, "Strict-Transport-Security"},
    {FieldId::kTe, "TE"},
    {FieldId::kTrailer, "Trailer"},
    {FieldId::kTransferEncoding, "Transfer-Encoding"},
    {FieldId::kUpgrade, "Upgrade"},
    {FieldId::kXForwardedFor, "X-Forwarded-For"},
    {FieldId::kXForwardedHost, "X-Forwarded-Host"},
    {FieldId::kXForwardedPrefix, "X-Forwarded-Prefix"},
    {FieldId::kXForwardedProto, "X-Forwarded-Proto"},
};
static_assert(std::size(kKnown) + 1 == kFieldIds, "all of them but kOther");

std::string in_case(std::string_view name, int (*change)(int)) {
  std::string text(name);
  std::transform(text.begin(), text.end(), text.begin(),
                 [change](unsigned char c) { return static_cast<char>(change(c)); });
  return text;
}

TEST(FieldIdTest, KnowsItsNamesInAnyCase) {
  for (const auto& [id, name] : kKnown) {
    EXPECT_EQ(field_name(id), name);
    EXPECT_EQ(field_id(name), id) << name;
    EXPECT_EQ(field_id(in_case(name, std::tolower)), id) << name;
    EXPECT_EQ(field_id(in_case(name, std::toupper)), id) << name;
  }
}

TEST(FieldIdTest, WhatIsNearlyANameIsAnother) {
  for (const auto& [id, name] : kKnown) {
    const std::string text(name);
    EXPECT_EQ(field_id(text + "s"), FieldId::kOther) << name;
    EXPECT_EQ(field_id(text.substr(1)), FieldId::kOther) << name;
    EXPECT_EQ(field_id(text.substr(0, text.size() - 1)), FieldId::kOther) << name;
    for (std::size_t at = 0; at < text.size(); ++at) {
      std::string other = text;
      other[at] = other[at] == '-' ? '_' : static_cast<char>(other[at] ^ 0x40);
      EXPECT_EQ(field_id(other), FieldId::kOther) << other;
    }
  }
  for (const char* name : {"", "T", "X", "Accept-Encoding", "User-Agent", "ETag"}) {
    EXPECT_EQ(field_id(name), FieldId::kOther) << name;
  }
}

TEST(FieldSetTest, HasWhatWasPutIn) {
  FieldSet set = {FieldId::kHost, FieldId::kXForwardedProto};
  EXPECT_TRUE(set.has(FieldId::kHost) && set.has(FieldId::kXForwardedProto));
  EXPECT_FALSE(set.has(FieldId::kOther) || set.has(FieldId::kAccept));
  set.add(FieldId::kOther);
  EXPECT_TRUE(set.has(FieldId::kOther));
  EXPECT_FALSE(FieldSet().has(FieldId::kHost));
}

}  // namespace
}  // namespace hpc
