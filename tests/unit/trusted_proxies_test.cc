#include "manager/gateway/trusted_proxies.h"

#include <gtest/gtest.h>

#include <ostream>

namespace hpc {
namespace {

TrustedProxies proxies(const std::vector<std::string>& networks) {
  auto parsed = TrustedProxies::parse(networks);
  EXPECT_TRUE(parsed.has_value()) << describe(parsed.error());
  return parsed.value_or(TrustedProxies());
}

TEST(TrustedProxies, NobodyIsTrustedByDefault) {
  for (const char* peer : {"127.0.0.1", "::1", "", "10.0.0.1"}) {
    EXPECT_FALSE(TrustedProxies().contains(peer)) << peer;
    EXPECT_FALSE(proxies({}).contains(peer)) << peer;
  }
}

struct NetworkCase {
  const char* network;
  const char* peer;
  bool within;
};
constexpr NetworkCase kNetworkCases[] = {
    {"10.0.0.0/8", "10.0.0.0", true},
    {"10.0.0.0/8", "10.255.255.255", true},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.0.0.0/8", "9.255.255.255", false},
    {"10.0.0.0/8", "::ffff:10.1.2.3", true},
    {"10.0.0.0/8", "::ffff:11.1.2.3", false},
    {"10.0.0.0/8", "a00::1", false},
    {"192.168.4.0/22", "192.168.7.255", true},
    {"192.168.4.0/22", "192.168.8.0", false},
    {"192.168.4.0/22", "192.168.3.255", false},
    {"127.0.0.1", "127.0.0.1", true},
    {"127.0.0.1", "127.0.0.2", false},
    {"127.0.0.1/32", "127.0.0.1", true},
    {"0.0.0.0/0", "8.8.8.8", true},
    {"0.0.0.0/0", "::1", false},
    {"::1/128", "::1", true},
    {"::1", "::2", false},
    {"::1", "127.0.0.1", false},
    {"::ffff:10.0.0.0/104", "10.9.9.9", true},
    {"fd00::/8", "fdff::1", true},
    {"fd00::/8", "fc00::1", false},
    {"fd00::/9", "fd80::1", false},
    {"::/0", "10.0.0.1", true},
    {"::/0", "", false},
    {"::/0", "unix", false},
    {"127.0.0.1", "127.0.0.1:80", false},
    {"127.0.0.1", "127.1", false},
};

TEST(TrustedProxies, ANetworkIsItsFirstBits) {
  for (const auto& row : kNetworkCases) {
    EXPECT_EQ(proxies({"203.0.113.9", row.network}).contains(row.peer), row.within)
        << row.peer << " in " << row.network;
  }
}

TEST(TrustedProxies, WhatIsNoNetworkIsNamed) {
  for (const std::string text :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8 ",
        " 10.0.0.0/8", "10.0.0.0/8/8", "10.0.0/8", "10.1.2.3/8", "::1/129", "fd00::1/8",
        "proxy.example.org", "[::1]", "10.0.0.0/+8", "10.0.0.0/a"}) {
    const auto parsed = TrustedProxies::parse({"127.0.0.1", text});
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, Errc::kUsage);
    EXPECT_NE(parsed.error().detail.find("\"" + text + "\""), std::string::npos)
        << parsed.error().detail;
  }
}

struct ClientCase {
  const char* name;
  const char* peer;
  std::vector<const char*> forwarded_for;
  const char* client;
};

TEST(TrustedProxies, TheClientIsTheLastOneThatNoProxyOfOursIs) {
  const auto ours = proxies({"10.0.0.0/8", "::1"});
  const ClientCase cases[] = {
      {"no proxy", "203.0.113.5", {}, "203.0.113.5"},
      {"a claim of a stranger", "203.0.113.5", {"6.6.6.6"}, "203.0.113.5"},
      {"through one", "10.0.0.1", {"203.0.113.5"}, "203.0.113.5"},
      {"the proxy itself", "10.0.0.1", {}, "10.0.0.1"},
      {"what the client claimed before", "10.0.0.1", {"6.6.6.6, 203.0.113.5"}, "203.0.113.5"},
      {"through two", "10.0.0.1", {"6.6.6.6, 203.0.113.5, 10.0.0.2"}, "203.0.113.5"},
      {"in two fields", "::1", {"203.0.113.5", "10.0.0.2"}, "203.0.113.5"},
      {"all of them ours", "::1", {"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
      {"no address", "::1", {"203.0.113.5, unknown"}, "::1"},
      {"an empty element", "::1", {"203.0.113.5,"}, "::1"},
      {"with a port", "::1", {"203.0.113.5:4711"}, "203.0.113.5"},
      {"IPv6 with a port", "::1", {"[2001:db8::1]:4711"}, "2001:db8::1"},
      {"IPv6", "::1", {"2001:db8::1"}, "2001:db8::1"},
      {"half a bracket", "::1", {"[2001:db8::1"}, "2001:db8::1"},
      {"a bracket alone", "::1", {"["}, "::1"},
  };
  for (const auto& row : cases) {
    FieldList fields;
    for (const char* value : row.forwarded_for) fields.add("x-forwarded-for", value);
    EXPECT_EQ(ours.client_address(fields, row.peer), row.client) << row.name;
  }
}

}  // namespace
}  // namespace hpc
