#include <gtest/gtest.h>

#include <cstdlib>
#include <ostream>

#include "manager/options.h"

namespace hpc {
namespace {

// Sets a variable for one test and puts the old state back.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

ConnectOptions parse(const std::vector<std::string>& arguments) {
  const auto parsed = parse_command_line(arguments);
  EXPECT_TRUE(parsed.has_value()) << (parsed ? "" : parsed.error().detail);
  if (!parsed) return {};
  const auto* options = std::get_if<ConnectOptions>(&*parsed);
  EXPECT_NE(options, nullptr);
  return options != nullptr ? *options : ConnectOptions{};
}

std::string refusal(const std::vector<std::string>& arguments) {
  const auto parsed = parse_command_line(arguments);
  EXPECT_FALSE(parsed.has_value());
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code, Errc::kUsage);
  return parsed.error().detail;
}

TEST(ManagerOptionsTest, DefaultsAreThoseOfTheContract) {
  const auto options = parse({"connect", "login01"});
  EXPECT_EQ(options.target.host, "login01");
  EXPECT_FALSE(options.target.user);
  EXPECT_FALSE(options.target.port);
  EXPECT_EQ(options.port, 9000);
  EXPECT_EQ(options.access, AccessMode::kUid);
  EXPECT_FALSE(options.open);
  EXPECT_TRUE(options.root_fallback);
  EXPECT_FALSE(options.wait);
}

TEST(ManagerOptionsTest, EveryFlagIsTaken) {
  const auto options = parse({"connect",
                              "--port",
                              "0",
                              "--job",
                              "4711",
                              "--identity",
                              "a",
                              "--identity",
                              "b",
                              "--known-hosts",
                              "kh",
                              "--ssh-config",
                              "cfg",
                              "--access",
                              "url",
                              "--root-fallback",
                              "off",
                              "--wait",
                              "--log-format",
                              "json",
                              "--verbose",
                              "alice@login01:2222"});
  EXPECT_EQ(options.target.user, "alice");
  EXPECT_EQ(options.target.host, "login01");
  EXPECT_EQ(options.target.port, 2222);
  EXPECT_EQ(options.target.identities, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(options.target.known_hosts, "kh");
  EXPECT_EQ(options.target.ssh_config, "cfg");
  EXPECT_EQ(options.port, 0);
  EXPECT_EQ(options.job, "4711");
  EXPECT_EQ(options.access, AccessMode::kUrl);
  EXPECT_FALSE(options.root_fallback);
  EXPECT_TRUE(options.wait);
  EXPECT_EQ(options.log_format, LogFormat::kJson);
  EXPECT_TRUE(options.verbose);
}

TEST(ManagerOptionsTest, IdentityDoesNotSwallowTheHost) {
  const auto options = parse({"connect", "--identity", "key", "login01"});
  EXPECT_EQ(options.target.host, "login01");
}

TEST(ManagerOptionsTest, FlagWinsOverEnvironmentWinsOverOldName) {
  const Environment old_name("HPC_PROXY_LOCAL_PORT", "9001");
  EXPECT_EQ(parse({"connect", "h"}).port, 9001);
  const Environment new_name("HPC_MANAGER_PORT", "9002");
  EXPECT_EQ(parse({"connect", "h"}).port, 9002);
  EXPECT_EQ(parse({"connect", "--port", "9003", "h"}).port, 9003);
}

TEST(ManagerOptionsTest, EnvironmentIsCheckedLikeTheFlag) {
  const Environment access("HPC_MANAGER_ACCESS", "everybody");
  EXPECT_NE(refusal({"connect", "h"}), "");
}

TEST(ManagerOptionsTest, RootFallbackCanBeSwitchedOffByTheEnvironment) {
  const Environment off("HPC_MANAGER_ROOT_FALLBACK", "off");
  EXPECT_FALSE(parse({"connect", "h"}).root_fallback);
  EXPECT_TRUE(parse({"connect", "--root-fallback", "on", "h"}).root_fallback);
}

TEST(ManagerOptionsTest, HelpAndVersionArePrinted) {
  const auto help = parse_command_line({"connect", "--help"});
  ASSERT_TRUE(help.has_value());
  const auto& text = std::get<PrintText>(*help).text;
  for (const char* flag :
       {"--port", "--job", "--identity", "--known-hosts", "--ssh-config", "--access", "--open",
        "--wait", "--root-fallback", "--log-format", "--verbose", "HPC_MANAGER_PORT",
        "Examples:", "http://127.0.0.1:9000/"}) {
    EXPECT_NE(text.find(flag), std::string::npos) << flag << "\n" << text;
  }
  const auto version = parse_command_line({"--version"});
  ASSERT_TRUE(version.has_value());
  EXPECT_EQ(std::get<PrintText>(*version).text.rfind("hpc-manager ", 0), 0U);
}

TEST(ManagerOptionsTest, RefusalsNameTheFlag) {
  EXPECT_NE(refusal({}), "");
  EXPECT_NE(refusal({"connect"}), "");
  EXPECT_NE(refusal({"conect", "h"}), "");
  EXPECT_NE(refusal({"connect", "h", "--port", "65536"}).find("--port"), std::string::npos);
  EXPECT_NE(refusal({"connect", "h", "--port", "-1"}).find("--port"), std::string::npos);
  EXPECT_NE(refusal({"connect", "h", "--port", "90 00"}).find("--port"), std::string::npos);
  EXPECT_NE(refusal({"connect", "h", "--access", "all"}).find("--access"), std::string::npos);
  EXPECT_NE(refusal({"connect", "h", "--root-fallback", "1"}).find("--root-fallback"),
            std::string::npos);
  EXPECT_NE(refusal({"connect", "h", "--nonsense"}).find("--nonsense"), std::string::npos);
  EXPECT_NE(refusal({"connect", "h", "--open", "--access", "url"}).find("--open"),
            std::string::npos);
  EXPECT_NE(refusal({"connect", "h", "--job", "-rf"}), "");
}

struct DestinationCase {
  const char* name;
  const char* text;
  const char* user;  // "" none
  const char* host;  // "" refused
  int port;          // 0 none
};
void PrintTo(const DestinationCase& c, std::ostream* os) { *os << c.name; }

constexpr DestinationCase kDestinations[] = {
    {"host", "login01", "", "login01", 0},
    {"user", "alice@login01", "alice", "login01", 0},
    {"port", "login01:2222", "", "login01", 2222},
    {"everything", "alice@login01.example.org:22", "alice", "login01.example.org", 22},
    {"at_in_user", "alice@site@login01", "alice@site", "login01", 0},
    {"v6_in_brackets", "alice@[fd00::1]:22", "alice", "fd00::1", 22},
    {"v6_bare", "fd00::1", "", "fd00::1", 0},
    {"empty", "", "", "", 0},
    {"no_host", "alice@", "", "", 0},
    {"no_user", "@login01", "", "", 0},
    {"option_as_host", "-oProxyCommand=x", "", "", 0},
    {"option_as_user", "-l@login01", "", "", 0},
    {"option_behind_user", "alice@-oProxyCommand=x", "", "", 0},
    {"no_port", "login01:", "", "", 0},
    {"port_zero", "login01:0", "", "", 0},
    {"port_high", "login01:65536", "", "", 0},
    {"port_text", "login01:ssh", "", "", 0},
    {"space", "login 01", "", "", 0},
    {"line_end", "login01\n", "", "", 0},
    {"open_bracket", "[fd00::1", "", "", 0},
    {"junk_after_bracket", "[fd00::1]x", "", "", 0},
};

class DestinationTest : public ::testing::TestWithParam<DestinationCase> {};

TEST_P(DestinationTest, Parses) {
  const auto& want = GetParam();
  SshTarget target;
  const auto status = parse_ssh_destination(want.text, target);
  ASSERT_EQ(status.has_value(), *want.host != '\0');
  if (!status) return;
  EXPECT_EQ(target.user.value_or(""), want.user);
  EXPECT_EQ(target.host, want.host);
  EXPECT_EQ(target.port.value_or(0), want.port);
}

INSTANTIATE_TEST_SUITE_P(All, DestinationTest, ::testing::ValuesIn(kDestinations),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace hpc
