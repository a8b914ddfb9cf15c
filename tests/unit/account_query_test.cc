#include "manager/slurm/account_query.h"

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>

#include "manager/session/default_account.h"
#include "tests/support/fake_ssh.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

using State = AccountAnswer::State;

const std::string kMarker(64, 'a');

struct AccountCase {
  const char* name;
  const char* said;  // between the markers
  State state;
  const char* account;
};
void PrintTo(const AccountCase& c, std::ostream* os) { *os << c.name; }

constexpr AccountCase kAccountCases[] = {
    {"one", "status 0\n=demo\n", State::kKnown, "demo"},
    {"with_a_separator", "status 0\n=demo|\n", State::kKnown, "demo"},
    {"of_several_clusters", "status 0\n=demo\n=demo\n", State::kKnown, "demo"},
    {"with_blanks", "status 0\n=demo  \n", State::kKnown, "demo"},
    {"punctuation", "status 0\n=Proj-1.a_b\n", State::kKnown, "Proj-1.a_b"},
    {"unknown_user", "status 0\n=\n", State::kNone, ""},
    {"nothing_printed", "status 0\n", State::kNone, ""},
    {"no_accounting", "status 1\n=\n", State::kUnknown, ""},
    {"no_sacctmgr", "status 127\n=\n", State::kUnknown, ""},
    {"failed_with_a_name", "status 1\n=demo\n", State::kUnknown, ""},
    {"two_names", "status 0\n=demo\n=other\n", State::kUnknown, ""},
    {"an_error_as_text", "status 0\n=Problem talking to the database\n", State::kUnknown, ""},
    {"an_option", "status 0\n=--wrap=id\n", State::kUnknown, ""},
    {"shell", "status 0\n=$(id)\n", State::kUnknown, ""},
    {"foreign_line", "status 0\n=demo\nstatus 0\n", State::kUnknown, ""},
    {"empty", "", State::kUnknown, ""},
};

struct AccountQueryTest : ::testing::TestWithParam<AccountCase> {};
INSTANTIATE_TEST_SUITE_P(All, AccountQueryTest, ::testing::ValuesIn(kAccountCases));

TEST_P(AccountQueryTest, OnlyASingleValidNameIsKnown) {
  const std::string report = kMarker + " begin\n" + GetParam().said + kMarker + " end\n";
  const AccountAnswer want{GetParam().state, GetParam().account};
  EXPECT_EQ(parse_account_query(report, kMarker), want);
  EXPECT_EQ(parse_account_query("Welcome\n\n" + report + "bye\n", kMarker), want);
  EXPECT_EQ(parse_account_query("Welcome " + report, kMarker).state, State::kUnknown);
}

TEST(AccountQuery, AnAnswerThatWasCutSaysNothing) {
  const std::string report = kMarker + " begin\nstatus 0\n=demo\n" + kMarker + " end\n";
  for (std::size_t cut = 0; cut < report.size(); ++cut) {
    EXPECT_EQ(parse_account_query(report.substr(0, cut), kMarker).state, State::kUnknown) << cut;
  }
  EXPECT_EQ(parse_account_query(report, std::string(64, 'b')).state, State::kUnknown);
}

TEST(AccountQuery, NamesAreBounded) {
  EXPECT_TRUE(is_account_name(std::string(kAccountBytesMax, 'a')));
  EXPECT_FALSE(is_account_name(std::string(kAccountBytesMax + 1, 'a')));
  for (const char* name : {"", "-a", ".a", "a b", "a/b", "a\n", "a'b", "a;b", "ä"}) {
    EXPECT_FALSE(is_account_name(name)) << name;
  }
}

TEST(AccountQuery, TheScriptNamesTheUserOnce) {
  const auto script = account_query_script("alice", kMarker);
  EXPECT_EQ(script.rfind("marker=" + kMarker + "\nuser=alice\n", 0), 0U) << script;
  EXPECT_EQ(script.find("alice"), script.rfind("alice"));
}

struct DefaultAccountTest : ::testing::Test {
  AccountAnswer ask(DefaultAccount& asked) {
    std::optional<AccountAnswer> got;
    const auto pending = asked.ask(exec, [&got](const AccountAnswer& answer) { got = answer; });
    EXPECT_FALSE(got.has_value()) << "never from inside the call";
    scheduler.run();
    EXPECT_TRUE(got.has_value());
    return got.value_or(AccountAnswer{});
  }
  void says(const std::string& report) { site.report = report; }

  ManualScheduler scheduler;
  FakeSite site;
  FakeSshConnection* current = nullptr;
  FakeSshConnection connection{scheduler, site, current};
  DefaultAccount account{scheduler, "alice"};
  DefaultAccount::Exec exec = [this](std::string input, ExecDone done) {
    return connection.exec("sh -s", std::move(input), kAccountTimeoutMs, std::move(done));
  };
};

TEST_F(DefaultAccountTest, AsksOnceAnHour) {
  says("status 0\n=demo\n");
  EXPECT_EQ(ask(account).account, "demo");
  says("status 0\n=new\n");
  scheduler.advance(kAccountKnownMs - 1);
  EXPECT_EQ(ask(account).account, "demo");
  EXPECT_EQ(site.execs, 1);
  scheduler.advance(1);
  EXPECT_EQ(ask(account).account, "new");
  EXPECT_EQ(site.execs, 2);
}

TEST_F(DefaultAccountTest, AFailureIsForgottenSoon) {
  site.exec_result = fail(Errc::kTimeout, "ssh.exec", "the command did not end");
  EXPECT_EQ(ask(account).state, State::kUnknown);
  site.exec_result = {};
  says("status 0\n=demo\n");
  scheduler.advance(kAccountUnknownMs - 1);
  EXPECT_EQ(ask(account).state, State::kUnknown);
  EXPECT_EQ(site.execs, 1);
  scheduler.advance(1);
  EXPECT_EQ(ask(account).account, "demo");
}

TEST_F(DefaultAccountTest, AFailureDoesNotOutliveWhatWasKnown) {
  says("status 0\n=demo\n");
  ask(account);
  scheduler.advance(kAccountKnownMs);
  says("status 1\n=\n");
  EXPECT_EQ(ask(account).state, State::kUnknown) << "an hour old is too old";
}

TEST_F(DefaultAccountTest, AStrangeUserIsNotAskedFor) {
  DefaultAccount strange(scheduler, "alice; id");
  EXPECT_EQ(ask(strange).state, State::kUnknown);
  EXPECT_EQ(site.execs, 0);
}

TEST_F(DefaultAccountTest, WhoStopsWaitingIsNotTold) {
  int told = 0;
  auto pending = account.ask(exec, [&told](const AccountAnswer&) { ++told; });
  pending.reset();
  scheduler.run();
  EXPECT_EQ(told, 0);
}

}  // namespace
}  // namespace hpc
