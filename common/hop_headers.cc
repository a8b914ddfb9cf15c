#include "common/hop_headers.h"

#include <algorithm>

#include "common/http_rules.h"

namespace hpc {

namespace {

constexpr std::string_view kAlwaysHere[] = {
    "Connection", "Proxy-Connection",  "Keep-Alive", "TE",
    "Trailer",    "Transfer-Encoding", "Upgrade",    "Content-Length",
};
// What a sender must not be able to make us drop: what says who asks, for whom, and from where.
constexpr std::string_view kNeverNominated[] = {"Host",   "Cookie",        "Set-Cookie",
                                                "Origin", "Authorization", "Forwarded"};
constexpr std::string_view kNeverNominatedStarts[] = {"X-Forwarded-", "X-HPC-", "Sec-"};

bool is_one_of(std::string_view name, const std::string_view* begin, const std::string_view* end) {
  return std::any_of(begin, end, [&](auto other) { return equals_ignoring_case(name, other); });
}

bool may_be_nominated(std::string_view name) {
  if (is_one_of(name, std::begin(kNeverNominated), std::end(kNeverNominated))) return false;
  return std::none_of(
      std::begin(kNeverNominatedStarts), std::end(kNeverNominatedStarts),
      [&](auto start) { return equals_ignoring_case(name.substr(0, start.size()), start); });
}

}  // namespace

HopFields::HopFields(const FieldList& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Field field = fields[i];
    if (!equals_ignoring_case(field.name, "Connection")) continue;
    auto list = field.value;
    do {
      const auto name = next_list_element(list);
      // "close" and the like are no fields, and the usual ones end here anyway: nothing to keep.
      const bool known = equals_ignoring_case(name, "close") ||
                         is_one_of(name, std::begin(kAlwaysHere), std::end(kAlwaysHere));
      if (!name.empty() && !known && may_be_nominated(name)) nominated_.push_back(name);
    } while (list.data() != nullptr);
  }
}

bool HopFields::ends_here(std::string_view name) const {
  return is_one_of(name, std::begin(kAlwaysHere), std::end(kAlwaysHere)) ||
         is_one_of(name, nominated_.data(), nominated_.data() + nominated_.size());
}

}  // namespace hpc
