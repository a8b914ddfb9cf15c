#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include "node-proxy/node_proxy.h"

namespace hpc {
namespace {

rapidjson::Document status_of(const JobRecord& record) {
  NodeProxyState state;
  state.record = record;
  rapidjson::Document document;
  document.Parse(status_json(state, {}, 0).c_str());
  EXPECT_TRUE(document.IsObject());
  return document;
}

TEST(StatusJsonTest, TellsWhereARunHasItsPorts) {
  JobRecord record;
  record.private_ports = JobRecord::Private{"loopback", {"127.64.12.8", "127.64.12.9"}};
  const auto status = status_of(record);
  EXPECT_STREQ(status["private"]["mode"].GetString(), "loopback");
  ASSERT_EQ(status["private"]["addresses"].Size(), 2U);
  EXPECT_STREQ(status["private"]["addresses"][1].GetString(), "127.64.12.9");
}

TEST(StatusJsonTest, SaysNothingOfItWithoutARun) {
  EXPECT_FALSE(status_of({}).HasMember("private"));
}

TEST(StatusJsonTest, TheTokenIsNotInIt) {
  JobRecord record;
  record.token = std::string(64, '7');
  NodeProxyState state;
  state.record = record;
  EXPECT_EQ(status_json(state, {}, 0).find("777"), std::string::npos);
}

}  // namespace
}  // namespace hpc
