#include "manager/session/launch_spec.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

TEST(LaunchSpecTest, TheDefaultIsNoText) {
  EXPECT_EQ(launch_spec_json({}), "");
  EXPECT_EQ(parse_launch_spec("").value(), LaunchSpec{});
  EXPECT_EQ(parse_launch_spec("{}").value(), LaunchSpec{});
}

TEST(LaunchSpecTest, EverythingComesBack) {
  const LaunchSpec all{true, {8, 1, "4G", "1:30:00", "gpu", "demo"}};
  const auto text = launch_spec_json(all);
  EXPECT_EQ(text, R"({"attach":true,"account":"demo","cpus":8,"gpus":1,"memory":"4G",)"
                  R"("partition":"gpu","time":"1:30:00"})");
  EXPECT_EQ(parse_launch_spec(text).value(), all);
}

TEST(LaunchSpecTest, EachMemberAlone) {
  for (const auto& [spec, text] : std::initializer_list<std::pair<LaunchSpec, std::string>>{
           {{true, {}}, R"({"attach":true})"},
           {{false, {kJobCpusMax, {}, "", "", "", ""}}, R"({"cpus":4096})"},
           {{false, {{}, kJobGpusMax, "", "", "", ""}}, R"({"gpus":64})"},
           {{false, {{}, {}, "1", "", "", ""}}, R"({"memory":"1"})"},
           {{false, {{}, {}, "", "0", "", ""}}, R"({"time":"0"})"},
           {{false, {{}, {}, "", "", "p", ""}}, R"({"partition":"p"})"},
           {{false, {{}, {}, "", "", "", "a"}}, R"({"account":"a"})"}}) {
    EXPECT_EQ(launch_spec_json(spec), text);
    EXPECT_EQ(parse_launch_spec(text).value(), spec) << text;
  }
}

TEST(LaunchSpecTest, WhatTheFirstVersionsWroteIsRead) {
  EXPECT_EQ(parse_launch_spec(R"({"cpus":8,"gpus":1,"memory":"4G","partition":"gpu"})").value(),
            (LaunchSpec{false, {8, 1, "4G", "", "gpu", ""}}));
  EXPECT_EQ(parse_launch_spec(R"({"attach":false})").value(), LaunchSpec{});
}

TEST(LaunchSpecTest, WhatIsNoneOfOursIsRefused) {
  for (const char* text : {"x",
                           "[]",
                           "null",
                           "3",
                           "{",
                           R"({"attach":1})",
                           R"({"attach":"true"})",
                           R"({"cpus":0})",
                           R"({"cpus":4097})",
                           R"({"cpus":"8"})",
                           R"({"gpus":65})",
                           R"({"gpus":1.5})",
                           R"({"memory":4000})",
                           R"({"memory":"much"})",
                           R"({"time":"1h"})",
                           R"({"time":null})",
                           R"({"partition":"--wrap=id"})",
                           R"({"partition":""})",
                           R"({"account":"a b"})",
                           R"({"wrap":"id"})",
                           R"({"Attach":true})",
                           R"({"cpus":1,"cpus":2})"}) {
    const auto spec = parse_launch_spec(text);
    ASSERT_FALSE(spec.has_value()) << text;
    EXPECT_EQ(spec.error().code, Errc::kBadRequest) << text;
  }
}

}  // namespace
}  // namespace hpc
