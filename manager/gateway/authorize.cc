#include "manager/gateway/authorize.h"

namespace hpc {

namespace {

bool known(const Caller& caller) {
  switch (caller.by) {
    case Caller::By::kHeader:
    case Caller::By::kBearer:
    case Caller::By::kCookie:
      return !caller.user.empty();
    case Caller::By::kOperator:
      return true;
    case Caller::By::kNobody:
      return false;
  }
  return false;
}

// Credentials that a browser adds to whatever any page makes it ask for.
bool sent_by_itself(Caller::By by) {
  return by == Caller::By::kHeader || by == Caller::By::kCookie;
}

}  // namespace

Allowed authorize(const Caller& caller, const Access& access) {
  if (access.resource == Resource::kPublic) return Allowed::kYes;
  if (!known(caller)) return Allowed::kLogIn;
  if (sent_by_itself(caller.by) && !access.passes_cross_site_rule) return Allowed::kCrossSite;
  const bool admin = caller.admin || caller.by == Caller::By::kOperator;
  const bool owner = !access.owner.empty() && caller.user == access.owner;
  switch (access.resource) {
    case Resource::kPublic:
    case Resource::kOwn:
      return Allowed::kYes;
    case Resource::kTraffic:
      return owner ? Allowed::kYes : Allowed::kHidden;
    case Resource::kSession:
      return owner || (admin && !access.owner.empty()) ? Allowed::kYes : Allowed::kHidden;
    case Resource::kAdmin:
      return admin ? Allowed::kYes : Allowed::kHidden;
  }
  return Allowed::kHidden;
}

}  // namespace hpc
