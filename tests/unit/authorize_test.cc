#include "manager/gateway/authorize.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace hpc {
namespace {

using By = Caller::By;

Caller caller(By by, std::string user, bool admin = false) {
  return {by, std::move(user), admin, by == By::kNobody ? "" : "id"};
}

// Everybody who can ask, as seen by the owner of a session of alice.
struct Row {
  const char* who;
  Caller caller;
  // kPublic, kOwn, kTraffic, kSession, kAdmin of alice's, with the cross-site rule passed
  std::array<Allowed, 5> may;
};

constexpr Allowed kYes = Allowed::kYes, kHide = Allowed::kHidden, kLog = Allowed::kLogIn,
                  kSite = Allowed::kCrossSite;

std::vector<Row> rows() {
  return {
      {"nobody", caller(By::kNobody, ""), {kYes, kLog, kLog, kLog, kLog}},
      {"nobody who claims a name",
       caller(By::kNobody, "alice", true),
       {kYes, kLog, kLog, kLog, kLog}},
      {"a login of no one", caller(By::kCookie, "", true), {kYes, kLog, kLog, kLog, kLog}},
      {"alice", caller(By::kCookie, "alice"), {kYes, kYes, kYes, kYes, kHide}},
      {"alice's token", caller(By::kBearer, "alice"), {kYes, kYes, kYes, kYes, kHide}},
      {"alice by header", caller(By::kHeader, "alice"), {kYes, kYes, kYes, kYes, kHide}},
      {"bob", caller(By::kCookie, "bob"), {kYes, kYes, kHide, kHide, kHide}},
      {"Alice", caller(By::kCookie, "Alice"), {kYes, kYes, kHide, kHide, kHide}},
      {"admin", caller(By::kBearer, "root", true), {kYes, kYes, kHide, kYes, kYes}},
      {"operator", caller(By::kOperator, ""), {kYes, kYes, kHide, kYes, kYes}},
  };
}

constexpr std::array<Resource, 5> kResources = {
    Resource::kPublic, Resource::kOwn, Resource::kTraffic, Resource::kSession, Resource::kAdmin};

TEST(Authorize, EveryCallerAndEveryResource) {
  for (const auto& row : rows()) {
    for (std::size_t i = 0; i < kResources.size(); ++i) {
      EXPECT_EQ(authorize(row.caller, {kResources[i], "alice", true}), row.may[i])
          << row.who << ", resource " << i;
    }
  }
}

TEST(Authorize, WhatABrowserAddsByItselfMustPassTheCrossSiteRule) {
  for (const auto& row : rows()) {
    const bool by_itself = row.caller.by == By::kCookie || row.caller.by == By::kHeader;
    for (std::size_t i = 1; i < kResources.size(); ++i) {
      const auto allowed = authorize(row.caller, {kResources[i], "alice", false});
      if (by_itself && row.may[1] == kYes) {
        EXPECT_EQ(allowed, kSite) << row.who << ", resource " << i;
      } else {
        EXPECT_EQ(allowed, row.may[i]) << row.who << ", resource " << i;
      }
    }
  }
}

TEST(Authorize, WhatDoesNotExistIsHiddenFromAllAlike) {
  for (const auto& row : rows()) {
    for (const auto resource : {Resource::kTraffic, Resource::kSession}) {
      const auto allowed = authorize(row.caller, {resource, "", true});
      EXPECT_EQ(allowed, row.may[1] == kYes ? kHide : kLog) << row.who;
    }
  }
}

TEST(Authorize, WhatIsNotKnownIsNotAllowed) {
  const Caller alice = caller(By::kCookie, "alice", true);
  EXPECT_EQ(authorize(alice, {static_cast<Resource>(77), "alice", true}), kHide);
  EXPECT_EQ(authorize(caller(static_cast<By>(77), "alice", true), {Resource::kOwn, "", true}),
            kLog);
  EXPECT_EQ(authorize(alice, {}), kSite) << "a default-made question asks for the most";
}

}  // namespace
}  // namespace hpc
