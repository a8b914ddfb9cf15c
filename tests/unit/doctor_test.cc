#include <gtest/gtest.h>

#include "manager/doctor_command.h"
#include "manager/doctor_local.h"
#include "manager/doctor_report.h"
#include "manager/session/json.h"
#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

class DoctorReportTest : public ::testing::Test {
 protected:
  std::string said_;
  DoctorReport report_{[this](const std::string& text) { said_ += text; }};
};

TEST_F(DoctorReportTest, ALineAStepWithFurtherLinesBelowTheFirst) {
  report_.ok("login", "accepted");
  report_.note("records", "1 of 2 may be tried\n4711: job 4711 is not running");
  EXPECT_EQ(said_,
            "ok       login           accepted\n"
            "note     records         1 of 2 may be tried\n"
            "                         4711: job 4711 is not running\n");
  EXPECT_TRUE(report_.healthy());
  EXPECT_EQ(report_.code(), 0);
}

TEST_F(DoctorReportTest, TheFirstProblemDecidesTheExitCode) {
  report_.ok("name", "known");
  report_.problem("login", Errc::kUnauthorized, "refused");
  report_.problem("state", Errc::kConfig, "on NFS");
  EXPECT_FALSE(report_.healthy());
  EXPECT_EQ(report_.code(), 4);
}

TEST_F(DoctorReportTest, TextOfTheFarEndCannotMoveTheCursor) {
  report_.problem("slurm", Errc::kSlurm, "\x1b[2Jgone");
  EXPECT_EQ(said_.find('\x1b'), std::string::npos);
  EXPECT_EQ(report_.json("main", "alice").find('\x1b'), std::string::npos);
}

TEST_F(DoctorReportTest, JsonHoldsEveryStep) {
  DoctorReport report{DoctorReport::Say()};
  report.ok("login", "accepted");
  report.problem("slurm", Errc::kSlurm, "no");
  EXPECT_EQ(report.json("main", ""), R"({"cluster":"main","user":null,"ok":false,"steps":[)"
                                     R"({"step":"login","state":"ok","text":"accepted"},)"
                                     R"({"step":"slurm","state":"problem","text":"no"}]})"
                                     "\n");
}

class DoctorLocalTest : public TempDirFixture {
 protected:
  DoctorLocalTest() {
    settings_.options.listen.port = 0;
    settings_.options.state = dir + "/state.db";
    settings_.options.socket = dir + "/socket";
  }
  // What is said about a step; "" when it was not looked at.
  std::string text_of(const std::string& step, Health health) {
    DoctorReport report{DoctorReport::Say()};
    examine_this_machine(settings_, report);
    for (const auto& finding : report.findings()) {
      if (finding.step == step && finding.health == health) return finding.text;
    }
    return "";
  }

  ServeSettings settings_;
};

TEST_F(DoctorLocalTest, EveryProblemOfTheConfigurationIsAFinding) {
  EXPECT_EQ(text_of("configuration", Health::kOk), "of flags, environment and defaults");
  settings_.options.config = "/etc/m.toml";
  EXPECT_EQ(text_of("configuration", Health::kOk), "of /etc/m.toml, flags and environment");
  settings_.problems = {"--listen: no", "--cluster: no"};
  DoctorReport report{DoctorReport::Say()};
  examine_this_machine(settings_, report);
  EXPECT_EQ(report.findings()[0].text, "--listen: no");
  EXPECT_EQ(report.findings()[1].text, "--cluster: no");
  EXPECT_EQ(report.code(), 6);
}

TEST_F(DoctorLocalTest, TheStateIsLookedAtButNotMade) {
  settings_.options.state = dir + "/a/b/state.db";
  EXPECT_EQ(text_of("state", Health::kOk), dir + "/a/b/state.db is on a local disk");
  EXPECT_EQ(mode(dir + "/a"), -1);
}

TEST_F(DoctorLocalTest, AFileInTheWayIsAProblem) {
  put(dir + "/plain", "");
  settings_.options.state = dir + "/plain/state.db";
  EXPECT_NE(text_of("state", Health::kProblem), "");
}

TEST_F(DoctorLocalTest, AFreePortOfAnyNumberIsNotTried) {
  EXPECT_EQ(text_of("port", Health::kOk), "");
}

TEST_F(DoctorLocalTest, AnAddressOfAnotherMachineIsTold) {
  settings_.options.listen = {"192.0.2.1", 8000};
  EXPECT_NE(text_of("port", Health::kProblem).find("does not have that address"),
            std::string::npos);
}

TEST(DoctorCommandLineTest, ClusterUserJsonAndOptionsOfServe) {
  const auto parsed = parse_doctor_command_line(
      {"main", "--user", "alice", "--json", "--cluster", "main=login01"}, {{"HOME", "/tmp"}});
  ASSERT_TRUE(parsed.has_value());
  const auto& options = std::get<DoctorOptions>(*parsed);
  EXPECT_EQ(options.cluster, "main");
  EXPECT_EQ(options.user, "alice");
  EXPECT_TRUE(options.json);
  ASSERT_EQ(options.settings.options.clusters.size(), 1U);
  EXPECT_TRUE(options.settings.problems.empty());
}

TEST(DoctorCommandLineTest, ProblemsOfTheConfigurationAreNoUsageError) {
  const auto parsed = parse_doctor_command_line({"main", "--listen", "x"}, {{"HOME", "/tmp"}});
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(std::get<DoctorOptions>(*parsed).settings.problems.size(), 2U);
}

TEST(DoctorCommandLineTest, WrongUse) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {}, {"main", "other"}, {"main", "--user", "../x"}, {"main", "--nonsense"}}) {
    const auto refused = parse_doctor_command_line(arguments, {});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Errc::kUsage);
  }
}

}  // namespace
}  // namespace hpc
