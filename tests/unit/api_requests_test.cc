#include "manager/gateway/api_requests.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

Result<NewSession> session(const std::string& more) {
  return parse_new_session(R"({"cluster":"main","ide":"vscode")" + more + "}");
}

TEST(ApiRequestsTest, ASessionNeedsItsClusterAndIde) {
  const auto wanted = session("");
  ASSERT_TRUE(wanted.has_value());
  EXPECT_EQ(wanted->cluster, "main");
  EXPECT_EQ(wanted->ide, "vscode");
  EXPECT_EQ(wanted->slot, std::nullopt);
  EXPECT_EQ(wanted->job, std::nullopt);
  EXPECT_EQ(wanted->user, "");
  EXPECT_EQ(wanted->spec, "");
}

TEST(ApiRequestsTest, EverythingElseMayBeGiven) {
  const auto wanted = session(
      R"(,"slot":2,"job":"4711","user":"bob","time":"1:30:00","partition":"gpu","memory":"4G",)"
      R"("account":"demo",)"
      R"("gpus":1,"cpus":8)");
  ASSERT_TRUE(wanted.has_value());
  EXPECT_EQ(wanted->slot, 2U);
  EXPECT_EQ(wanted->job, "4711");
  EXPECT_EQ(wanted->user, "bob");
  EXPECT_EQ(wanted->spec, R"({"attach":true,"account":"demo","cpus":8,)"
                          R"("gpus":1,"memory":"4G","partition":"gpu","time":"1:30:00"})");
}

TEST(ApiRequestsTest, NullIsTheSameAsNotGiven) {
  const auto wanted =
      session(R"(,"slot":null,"job":null,"memory":null,"cpus":null,"user":null,"account":null)");
  ASSERT_TRUE(wanted.has_value());
  EXPECT_EQ(wanted->slot, std::nullopt);
  EXPECT_EQ(wanted->job, std::nullopt);
  EXPECT_EQ(wanted->spec, "");
}

TEST(ApiRequestsTest, NumbersPassWhereTheTextWouldBeDigits) {
  const auto wanted = session(R"(,"job":4711,"time":90,"memory":4000)");
  ASSERT_TRUE(wanted.has_value());
  EXPECT_EQ(wanted->job, "4711");
  EXPECT_EQ(wanted->spec, R"({"attach":true,"memory":"4000","time":"90"})");
}

TEST(ApiRequestsTest, AttachIsSaidOrComesWithAJob) {
  for (const char* more : {R"(,"attach":true)", R"(,"job":"4711")",
                           R"(,"job":"4711","attach":true)", R"(,"job":"4711","attach":false)"}) {
    const auto wanted = session(more);
    ASSERT_TRUE(wanted.has_value()) << more;
    EXPECT_EQ(wanted->spec, R"({"attach":true})") << more;
  }
  for (const char* more : {"", R"(,"attach":false)", R"(,"attach":null)"}) {
    const auto wanted = session(more);
    ASSERT_TRUE(wanted.has_value()) << more;
    EXPECT_EQ(wanted->spec, "") << more;
  }
}

struct BadMember {
  const char* name;
  std::string more;
  std::string says;
};

void PrintTo(const BadMember& one, std::ostream* out) { *out << one.name; }

class BadSessionTest : public testing::TestWithParam<BadMember> {};

TEST_P(BadSessionTest, IsRefusedWithTheMembersName) {
  const auto wanted = session(GetParam().more);
  ASSERT_FALSE(wanted.has_value()) << GetParam().more;
  EXPECT_EQ(wanted.error().code, Errc::kBadRequest);
  EXPECT_NE(wanted.error().detail.find(GetParam().says), std::string::npos)
      << wanted.error().detail;
}

INSTANTIATE_TEST_SUITE_P(
    Members, BadSessionTest,
    testing::Values(BadMember{"slot_zero", R"(,"slot":0)", "\"slot\": it takes a whole number"},
                    BadMember{"slot_past_the_last", R"(,"slot":1000)", "1 to 999"},
                    BadMember{"slot_text", R"(,"slot":"2")", "\"slot\""},
                    BadMember{"slot_half", R"(,"slot":1.5)", "\"slot\""},
                    BadMember{"slot_minus", R"(,"slot":-1)", "\"slot\""},
                    BadMember{"cpus_none", R"(,"cpus":0)", "\"cpus\""},
                    BadMember{"cpus_many", R"(,"cpus":4097)", "\"cpus\""},
                    BadMember{"gpus_many", R"(,"gpus":65)", "\"gpus\""},
                    BadMember{"memory_word", R"(,"memory":"much")", "\"memory\""},
                    BadMember{"memory_minus", R"(,"memory":-5)", "\"memory\""},
                    BadMember{"time_word", R"(,"time":"long")", "\"time\""},
                    BadMember{"partition_option", R"(,"partition":"--wrap=x")", "\"partition\""},
                    BadMember{"partition_list", R"(,"partition":"a,b")", "\"partition\""},
                    BadMember{"partition_empty", R"(,"partition":"")", "\"partition\""},
                    BadMember{"account_option", R"(,"account":"-A")", "\"account\""},
                    BadMember{"account_list", R"(,"account":"a,b")", "\"account\""},
                    BadMember{"account_empty", R"(,"account":"")", "\"account\""},
                    BadMember{"account_shell", R"(,"account":"`id`")", "\"account\""},
                    BadMember{"account_number", R"(,"account":7)", "\"account\""},
                    BadMember{"memory_empty", R"(,"memory":"")", "\"memory\""},
                    BadMember{"time_empty", R"(,"time":"")", "\"time\""},
                    BadMember{"job_option", R"(,"job":"-1")", "\"job\""},
                    BadMember{"job_shell", R"(,"job":"1;id")", "\"job\""},
                    BadMember{"job_list", R"(,"job":[1])", "\"job\""},
                    BadMember{"attach_number", R"(,"attach":1)", "\"attach\": it takes true"},
                    BadMember{"attach_text", R"(,"attach":"true")", "\"attach\""},
                    BadMember{"user_upper", R"(,"user":"Bob")", "\"user\""},
                    BadMember{"unknown", R"(,"cpu":4)", "\"cpu\" is no member"},
                    BadMember{"unknown_null", R"(,"cpu":null)", "\"cpu\" is no member"},
                    BadMember{"upper_case", R"(,"CPUS":4)", "\"CPUS\" is no member"},
                    BadMember{"twice", R"(,"ide":"x")", "two members 'ide'"}),
    [](const auto& i) { return std::string(i.param.name); });

TEST(ApiRequestsTest, MoreTimeIsSomeMinutesOfAYear) {
  EXPECT_EQ(parse_extend_request(R"({"minutes":1})").value_or(0), 1U);
  EXPECT_EQ(parse_extend_request(R"({"minutes":525600})").value_or(0), 525'600U);
  for (const char* body : {R"({})", R"({"minutes":null})", R"({"minutes":0})", R"({"minutes":-1})",
                           R"({"minutes":525601})", R"({"minutes":"5"})", R"({"minutes":1.5})",
                           R"({"minute":5})", R"({"minutes":5,"hours":1})", "5", ""}) {
    const auto minutes = parse_extend_request(body);
    ASSERT_FALSE(minutes.has_value()) << body;
    EXPECT_EQ(minutes.error().code, Errc::kBadRequest) << body;
  }
  EXPECT_NE(parse_extend_request("{}").error().detail.find("\"minutes\" is missing: it takes"),
            std::string::npos);
}

TEST(ApiRequestsTest, TheBodyMustBeAnObject) {
  for (const char* body : {"", "[]", "null", "3", "{", "{}x"}) {
    const auto wanted = parse_new_session(body);
    ASSERT_FALSE(wanted.has_value()) << body;
    EXPECT_NE(wanted.error().detail.find("the request's body"), std::string::npos) << body;
  }
  const auto without = parse_new_session("{}");
  ASSERT_FALSE(without.has_value());
  EXPECT_EQ(without.error().detail.rfind("\"cluster\" is missing", 0), 0U);
}

TEST(ApiRequestsTest, NamesAreThoseOfSessionPaths) {
  for (const char* name : {"..", "a/b", "A", "-a", "", "a b"}) {
    const std::string bad = name;
    EXPECT_FALSE(parse_new_session(R"({"cluster":")" + bad + R"(","ide":"x"})").has_value()) << bad;
    EXPECT_FALSE(parse_new_session(R"({"ide":")" + bad + R"(","cluster":"x"})").has_value()) << bad;
  }
}

TEST(ApiRequestsTest, AToken) {
  const auto all = parse_token_request(R"({"label":"CI","expires_in":2592000,"user":"bob"})");
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(all->label, "CI");
  EXPECT_EQ(all->expires_in_s, 2'592'000U);
  EXPECT_EQ(all->user, "bob");
  const auto none = parse_token_request("{}");
  ASSERT_TRUE(none.has_value());
  EXPECT_EQ(none->label, "");
  EXPECT_EQ(none->expires_in_s, std::nullopt);
  for (const char* body : {R"({"expires_in":0})", R"({"expires_in":315360001})",
                           R"({"expires_in":"30d"})", R"({"label":1})", R"({"token":"x"})"}) {
    EXPECT_FALSE(parse_token_request(body).has_value()) << body;
  }
  EXPECT_TRUE(parse_token_request(R"({"expires_in":315360000})").has_value());
}

}  // namespace
}  // namespace hpc
