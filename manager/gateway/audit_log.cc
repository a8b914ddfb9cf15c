#include "manager/gateway/audit_log.h"

#include <string>

namespace hpc {

namespace {

std::string_view reason_of(Allowed verdict) {
  switch (verdict) {
    case Allowed::kLogIn:
      return "not logged in";
    case Allowed::kCrossSite:
      return "asked by another site's page";
    case Allowed::kHidden:
      return "not his";
    case Allowed::kYes:
      break;
  }
  return "";
}

}  // namespace

std::string_view name_of(Caller::By by) {
  switch (by) {
    case Caller::By::kHeader:
      return "header";
    case Caller::By::kBearer:
      return "token";
    case Caller::By::kCookie:
      return "cookie";
    case Caller::By::kOperator:
      return "operator";
    case Caller::By::kNobody:
      break;
  }
  return "nobody";
}

void AuditLog::login(std::string_view user, std::string_view how, std::string_view address) {
  log_.info("audit: login", {{"user", user}, {"how", how}, {"address", address}});
}

void AuditLog::login_failed(std::string_view user, std::string_view how, std::string_view address,
                            std::string_view why) {
  ++failures_;
  log_.warning("audit: login failed",
               {{"user", user}, {"how", how}, {"address", address}, {"why", why}});
}

void AuditLog::logout(std::string_view user, std::string_view address) {
  log_.info("audit: logout", {{"user", user}, {"address", address}});
}

void AuditLog::not_identified(std::string_view how, std::string_view address,
                              std::string_view why) {
  ++failures_;
  log_.warning("audit: not identified", {{"how", how}, {"address", address}, {"why", why}});
}

void AuditLog::denied(const Caller& caller, Allowed verdict, std::string_view route,
                      std::string_view owner, std::string_view address) {
  log_.warning("audit: denied", {{"user", caller.user},
                                 {"by", name_of(caller.by)},
                                 {"route", route},
                                 {"owner", owner},
                                 {"address", address},
                                 {"why", reason_of(verdict)}});
}

void AuditLog::session(std::string_view what, const SessionKey& key, std::string_view id,
                       std::string_view who, std::string_view reason) {
  const std::string slot = std::to_string(key.slot);
  log_.info("audit: session " + std::string(what), {{"user", key.user},
                                                    {"cluster", key.cluster},
                                                    {"ide", key.ide},
                                                    {"slot", slot},
                                                    {"id", id},
                                                    {"who", who},
                                                    {"reason", reason}});
}

void AuditLog::token(std::string_view what, std::string_view user, std::string_view id,
                     std::string_view who) {
  log_.info("audit: token " + std::string(what), {{"user", user}, {"id", id}, {"who", who}});
}

std::string who_is(const Caller& caller) {
  return caller.by == Caller::By::kOperator ? "operator" : caller.user;
}

}  // namespace hpc
