#include "common/hop_headers.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

FieldList connection(std::string_view value) {
  FieldList fields;
  fields.add("Connection", value);
  return fields;
}

TEST(HopFieldsTest, UsualOnesEndHereInAnyCase) {
  const FieldList none;
  const HopFields hop(none);
  for (const auto* name : {"Connection", "proxy-connection", "KEEP-ALIVE", "TE", "Trailer",
                           "Transfer-Encoding", "Upgrade", "Content-Length"}) {
    EXPECT_TRUE(hop.ends_here(name)) << name;
  }
}

TEST(HopFieldsTest, OthersGoOn) {
  const FieldList none;
  const HopFields hop(none);
  for (const auto* name : {"Host", "Cookie", "Accept", "Content-Type", "Sec-WebSocket-Key", "T",
                           "Upgrade-Insecure-Requests"}) {
    EXPECT_FALSE(hop.ends_here(name)) << name;
  }
}

TEST(HopFieldsTest, WhatConnectionNamesEndsHere) {
  auto fields = connection("close,X-One ,, x-two\t");
  fields.add("CONNECTION", "X-Three");
  const HopFields hop(fields);
  EXPECT_TRUE(hop.ends_here("x-one"));
  EXPECT_TRUE(hop.ends_here("X-Two"));
  EXPECT_TRUE(hop.ends_here("X-Three"));
  EXPECT_FALSE(hop.ends_here("X-Four"));
  EXPECT_FALSE(hop.ends_here("close"));
  EXPECT_FALSE(hop.ends_here(""));
}

TEST(HopFieldsTest, OnlyConnectionNames) {
  FieldList fields;
  fields.add("Proxy-Connection", "X-One");
  EXPECT_FALSE(HopFields(fields).ends_here("X-One"));
}

TEST(HopFieldsTest, WhatSafetyRestsOnIsNotNominated) {
  const auto fields = connection(
      "host, Cookie, Set-Cookie, authorization, Forwarded, X-Forwarded-User, x-forwarded-prefix, "
      "X-HPC-Proxy-Token, Origin, Sec-Fetch-Site, Sec-WebSocket-Key");
  const HopFields hop(fields);
  for (const auto* name : {"Host", "Cookie", "Set-Cookie", "Authorization", "Forwarded",
                           "X-Forwarded-User", "X-Forwarded-Prefix", "X-HPC-Proxy-Token", "Origin",
                           "Sec-Fetch-Site", "Sec-WebSocket-Key"}) {
    EXPECT_FALSE(hop.ends_here(name)) << name;
  }
}

TEST(HopFieldsTest, NominationOfFramingChangesNothing) {
  const auto fields = connection("Content-Length, Transfer-Encoding");
  EXPECT_TRUE(HopFields(fields).ends_here("Content-Length"));
}

}  // namespace
}  // namespace hpc
