#include "common/hop_headers.h"

#include <algorithm>

#include "common/http_rules.h"

namespace hpc {

namespace {

constexpr FieldSet kAlwaysHere = {
    FieldId::kConnection, FieldId::kProxyConnection,  FieldId::kKeepAlive, FieldId::kTe,
    FieldId::kTrailer,    FieldId::kTransferEncoding, FieldId::kUpgrade,   FieldId::kContentLength,
};
// What a sender must not be able to make us drop: what says who asks, for whom, and from where.
constexpr FieldSet kNeverNominated = {FieldId::kHost,          FieldId::kCookie,
                                      FieldId::kSetCookie,     FieldId::kOrigin,
                                      FieldId::kAuthorization, FieldId::kForwarded};
constexpr std::string_view kNeverNominatedStarts[] = {"X-Forwarded-", "X-HPC-", "Sec-"};

bool may_be_nominated(std::string_view name) {
  return std::none_of(
      std::begin(kNeverNominatedStarts), std::end(kNeverNominatedStarts),
      [&](auto start) { return equals_ignoring_case(name.substr(0, start.size()), start); });
}

}  // namespace

HopFields::HopFields(const FieldList& fields) {
  if (!fields.has(FieldId::kConnection)) return;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Field field = fields[i];
    if (field.id != FieldId::kConnection) continue;
    auto list = field.value;
    do {
      const auto name = next_list_element(list);
      const FieldId id = field_id(name);
      // "close" and the like are no fields, and the usual ones end here anyway: nothing to keep.
      const bool known = equals_ignoring_case(name, "close") || kAlwaysHere.has(id);
      if (name.empty() || known || kNeverNominated.has(id)) continue;
      if (may_be_nominated(name)) nominated_.push_back(name);
    } while (list.data() != nullptr);
  }
}

bool HopFields::ends_here(const Field& field) const {
  return kAlwaysHere.has(field.id) ||
         std::any_of(nominated_.begin(), nominated_.end(), [&](std::string_view nominated) {
           return equals_ignoring_case(field.name, nominated);
         });
}

}  // namespace hpc
