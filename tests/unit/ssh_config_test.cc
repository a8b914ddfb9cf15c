#include "manager/ssh/ssh_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

namespace hpc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

SshLocalUser alice() {
  SshLocalUser local;
  local.name = "alice";
  local.home = "/home/alice";
  local.uid = "1000";
  local.environment = [](const std::string& name) {
    return name == "SSH_AUTH_SOCK" ? "/run/agent" : name == "KEYS" ? "/keys" : "";
  };
  return local;
}

SshConfig parse(const std::string& text) {
  const auto config = parse_ssh_config("hostname login01\n" + text, alice());
  EXPECT_TRUE(config.has_value());
  return config ? *config : SshConfig{};
}

// As OpenSSH 9.2 prints it, shortened to what is read and a few lines that are not.
constexpr std::string_view kRealOutput =
    "host cluster\n"
    "user al\n"
    "hostname login01.example.org\n"
    "port 2222\n"
    "addressfamily any\n"
    "hashknownhosts yes\n"
    "identitiesonly yes\n"
    "kbdinteractiveauthentication yes\n"
    "passwordauthentication no\n"
    "pubkeyauthentication true\n"
    "stricthostkeychecking accept-new\n"
    "numberofpasswordprompts 2\n"
    "ciphers chacha20-poly1305@openssh.com,aes128-ctr\n"
    "identityfile ~/.ssh/cluster\n"
    "identityfile ~/.ssh/other\n"
    "certificatefile ~/.ssh/cluster-cert.pub\n"
    "globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2\n"
    "userknownhostsfile /home/alice/.ssh/known_hosts \"/home/alice/with blank\"\n"
    "preferredauthentications publickey,password\n"
    "hostkeyalias the-cluster\n"
    "proxyjump bob@gate:22,inner\n";

TEST(SshConfigTest, ReadsWhatOpenSshPrints) {
  const auto config = parse_ssh_config(kRealOutput, alice());
  ASSERT_TRUE(config);
  EXPECT_EQ(config->host, "cluster");
  EXPECT_EQ(config->hostname, "login01.example.org");
  EXPECT_EQ(config->user, "al");
  EXPECT_EQ(config->port, 2222);
  EXPECT_THAT(config->identity_files,
              ElementsAre("/home/alice/.ssh/cluster", "/home/alice/.ssh/other"));
  EXPECT_THAT(config->certificate_files, ElementsAre("/home/alice/.ssh/cluster-cert.pub"));
  EXPECT_THAT(config->user_known_hosts,
              ElementsAre("/home/alice/.ssh/known_hosts", "/home/alice/with blank"));
  EXPECT_THAT(config->global_known_hosts,
              ElementsAre("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"));
  EXPECT_THAT(config->jump_hosts, ElementsAre("bob@gate:22", "inner"));
  EXPECT_THAT(config->preferred_methods, ElementsAre("publickey", "password"));
  EXPECT_EQ(config->host_key_alias, "the-cluster");
  EXPECT_EQ(config->strict_host_key, StrictHostKey::kAcceptNew);
  EXPECT_TRUE(config->hash_known_hosts && config->identities_only);
  EXPECT_TRUE(config->public_key_allowed && config->keyboard_interactive_allowed);
  EXPECT_FALSE(config->password_allowed);
  EXPECT_EQ(config->prompts_max, 2);
}

TEST(SshConfigTest, MissingKeywordsHaveOpenSshsDefaults) {
  const auto config = parse("");
  EXPECT_EQ(config.user, "alice");
  EXPECT_EQ(config.port, 22);
  EXPECT_EQ(config.agent_socket, "/run/agent");
  EXPECT_EQ(config.strict_host_key, StrictHostKey::kAsk);
  EXPECT_EQ(config.prompts_max, 3);
  EXPECT_THAT(config.jump_hosts, IsEmpty());
  EXPECT_THAT(config.user_known_hosts,
              ElementsAre("/home/alice/.ssh/known_hosts", "/home/alice/.ssh/known_hosts2"));
}

TEST(SshConfigTest, DefaultsWithoutAProgramNameTheUsualKeys) {
  const auto config = default_ssh_config("login01", alice());
  EXPECT_EQ(config.hostname, "login01");
  EXPECT_THAT(config.identity_files,
              ElementsAre("/home/alice/.ssh/id_rsa", "/home/alice/.ssh/id_ecdsa",
                          "/home/alice/.ssh/id_ed25519"));
}

struct PathCase {
  const char* name;
  const char* text;
  const char* path;
};
void PrintTo(const PathCase& c, std::ostream* out) { *out << c.name; }
struct SshConfigPathTest : ::testing::TestWithParam<PathCase> {};
constexpr PathCase kPathCases[] = {
    {"tilde", "~/.ssh/k", "/home/alice/.ssh/k"},
    {"home_token", "%d/k", "/home/alice/k"},
    {"host_and_user", "/k/%h/%r/%u/%p/%i", "/k/login01/alice/alice/22/1000"},
    {"percent", "/k/100%%", "/k/100%"},
    {"unknown_token_stays", "/k/%Z", "/k/%Z"},
    {"percent_at_the_end", "/k/%", "/k/%"},
    {"variable", "${KEYS}/k", "/keys/k"},
    {"unclosed_variable", "${KEYS/k", "${KEYS/k"},
    {"tilde_inside_stays", "/k/~/x", "/k/~/x"},
};
TEST_P(SshConfigPathTest, Expands) {
  EXPECT_THAT(parse(std::string("identityfile ") + GetParam().text + "\n").identity_files,
              ElementsAre(GetParam().path));
}
INSTANTIATE_TEST_SUITE_P(Paths, SshConfigPathTest, ::testing::ValuesIn(kPathCases),
                         [](const auto& test) { return test.param.name; });

TEST(SshConfigTest, AgentMayBeNoneAPathOrAVariable) {
  EXPECT_EQ(parse("identityagent none\n").agent_socket, "");
  EXPECT_EQ(parse("identityagent SSH_AUTH_SOCK\n").agent_socket, "/run/agent");
  EXPECT_EQ(parse("identityagent ~/agent\n").agent_socket, "/home/alice/agent");
  EXPECT_EQ(parse("identityagent $KEYS\n").agent_socket, "/keys");
}

TEST(SshConfigTest, NoneMeansNone) {
  const auto config =
      parse("proxyjump none\nproxycommand none\nidentityfile none\nuserknownhostsfile none\n");
  EXPECT_THAT(config.jump_hosts, IsEmpty());
  EXPECT_EQ(config.proxy_command, "");
  EXPECT_THAT(config.identity_files, IsEmpty());
  EXPECT_THAT(config.user_known_hosts, IsEmpty());
}

TEST(SshConfigTest, CheckingSwitchedOffStillAsks) {
  EXPECT_EQ(parse("stricthostkeychecking false\n").strict_host_key, StrictHostKey::kAsk);
  EXPECT_EQ(parse("stricthostkeychecking true\n").strict_host_key, StrictHostKey::kYes);
}

TEST(SshConfigTest, PromptsStayWithinBounds) {
  EXPECT_EQ(parse("numberofpasswordprompts 0\n").prompts_max, 1);
  EXPECT_EQ(parse("numberofpasswordprompts 99999\n").prompts_max, 10);
  EXPECT_EQ(parse("numberofpasswordprompts x\n").prompts_max, 3);
}

TEST(SshConfigTest, OutputWithoutAHostNameOrWithABadPortIsRefused) {
  EXPECT_FALSE(parse_ssh_config("", alice()));
  EXPECT_FALSE(parse_ssh_config("\n \nhostname\n", alice()));
  for (const char* port : {"0", "65536", "x", "22x", "-1", ""}) {
    EXPECT_FALSE(parse_ssh_config(std::string("hostname h\nport ") + port + "\n", alice())) << port;
  }
}

TEST(SshConfigTest, CutOutputNeverCrashes) {
  for (std::size_t cut = 0; cut <= kRealOutput.size(); ++cut) {
    static_cast<void>(parse_ssh_config(kRealOutput.substr(0, cut), alice()));
  }
}

struct JumpCase {
  const char* name;
  const char* text;
  const char* host;  // empty: refused
  const char* user;
  int port;  // 0: none
};
void PrintTo(const JumpCase& c, std::ostream* out) { *out << c.name; }
struct SshJumpTest : ::testing::TestWithParam<JumpCase> {};
constexpr JumpCase kJumpCases[] = {
    {"host", "gate", "gate", "", 0},
    {"user_host_port", "bob@gate:2222", "gate", "bob", 2222},
    {"user_with_at", "bob@corp@gate", "gate", "bob@corp", 0},
    {"ipv6", "[fe80::1]:2222", "fe80::1", "", 2222},
    {"bare_ipv6", "fe80::1", "fe80::1", "", 0},
    {"url", "ssh://bob@gate:22/", "gate", "bob", 22},
    {"empty", "", "", "", 0},
    {"no_user", "@gate", "", "", 0},
    {"no_host", "bob@", "", "", 0},
    {"option", "-oProxyCommand=x", "", "", 0},
    {"bad_port", "gate:0", "", "", 0},
    {"port_of_letters", "gate:ssh", "", "", 0},
    {"junk_after_bracket", "[fe80::1]x22", "", "", 0},
};
TEST_P(SshJumpTest, Parses) {
  const auto& want = GetParam();
  const auto jump = parse_ssh_jump(want.text);
  ASSERT_EQ(jump.has_value(), *want.host != '\0');
  if (!jump) {
    EXPECT_THAT(jump.error().detail, HasSubstr("ProxyJump '"));
    return;
  }
  EXPECT_EQ(jump->host, want.host);
  EXPECT_EQ(jump->user.value_or(""), want.user);
  EXPECT_EQ(jump->port.value_or(0), want.port);
}
INSTANTIATE_TEST_SUITE_P(Jumps, SshJumpTest, ::testing::ValuesIn(kJumpCases),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace hpc
