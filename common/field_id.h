#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace hpc {

/// Compares ASCII without case, as field names and tokens are compared (RFC 9110, 5.1).
bool equals_ignoring_case(std::string_view a, std::string_view b);

/// The fields that a program of ours asks for by name. A head that is read says once, for each of
/// its fields, which of these it is; whoever looks for one compares numbers from then on.
enum class FieldId : std::uint8_t {
  kOther,  // none of these
  kAccept,
  kAltSvc,
  kAuthorization,
  kCacheControl,
  kClearSiteData,
  kConnection,
  kContentLength,
  kContentLocation,
  kContentType,
  kCookie,
  kExpect,
  kExpires,
  kForwarded,
  kHost,
  kHpcBaseRewrite,
  kHpcManagerToken,
  kHpcProxyToken,
  kKeepAlive,
  kLocation,
  kNel,
  kOrigin,
  kPragma,
  kProxyConnection,
  kPublicKeyPins,
  kReferer,
  kRefresh,
  kReportTo,
  kReportingEndpoints,
  kSecFetchDest,
  kSecFetchMode,
  kSecFetchSite,
  kSecWebSocketKey,
  kSecWebSocketVersion,
  kServiceWorkerAllowed,
  kSetCookie,
  kStrictTransportSecurity,
  kTe,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedPrefix,
  kXForwardedProto,
};
constexpr std::size_t kFieldIds = 45;

/// Which of them has that name, in any case.
FieldId field_id(std::string_view name);
/// Its name as we write it; "" for kOther.
std::string_view field_name(FieldId id);

/// A set of them, as bits.
class FieldSet {
 public:
  constexpr FieldSet() = default;
  constexpr FieldSet(std::initializer_list<FieldId> ids) {
    for (const FieldId id : ids) add(id);
  }
  constexpr void add(FieldId id) { bits_ |= std::uint64_t{1} << static_cast<unsigned>(id); }
  constexpr bool has(FieldId id) const { return (bits_ >> static_cast<unsigned>(id) & 1) != 0; }

 private:
  std::uint64_t bits_ = 0;
};
static_assert(kFieldIds <= 64, "FieldSet has 64 bits");

}  // namespace hpc
