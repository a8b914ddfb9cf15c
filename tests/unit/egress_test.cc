#include "node-proxy/run/egress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <ostream>

#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

bool has(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// What follows `word`.
std::string after(const Words& words, const std::string& word) {
  const auto found = std::find(words.begin(), words.end(), word);
  return found == words.end() || found + 1 == words.end() ? "" : *(found + 1);
}

TEST(EgressCommandsTest, NothingIsTriedWhereNothingIs) {
  EXPECT_TRUE(egress_commands("", "", 77).empty());
}

TEST(EgressCommandsTest, Slirp4netnsComesFirst) {
  const auto commands = egress_commands("/bin/slirp4netns", "/bin/pasta", 77);
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_EQ(commands[0].front(), "/bin/slirp4netns");
  EXPECT_EQ(commands[1].front(), "/bin/slirp4netns");
  EXPECT_EQ(commands[2].front(), "/bin/pasta");
}

TEST(EgressCommandsTest, Slirp4netnsNeverLeadsToTheNodesLoopback) {
  for (const auto& words : egress_commands("/bin/slirp4netns", "", 77)) {
    EXPECT_TRUE(has(words, "--disable-host-loopback"));
    EXPECT_TRUE(has(words, "--configure"));
    EXPECT_TRUE(has(words, "--ready-fd=3"));
    EXPECT_TRUE(has(words, "--exit-fd=4"));
    EXPECT_EQ(after(words, "77"), "tap0");
    for (const auto& word : words) EXPECT_FALSE(word.starts_with("--api-socket")) << word;
  }
}

TEST(EgressCommandsTest, NewerFlagsAreLeftOutTheSecondTime) {
  const auto commands = egress_commands("/bin/slirp4netns", "", 77);
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_TRUE(has(commands[0], "--enable-seccomp") && has(commands[0], "--disable-dns"));
  EXPECT_FALSE(has(commands[1], "--enable-seccomp") || has(commands[1], "--disable-dns"));
}

TEST(EgressCommandsTest, PastaLeadsNoPortAnywhere) {
  const auto commands = egress_commands("", "/bin/pasta", 77);
  ASSERT_EQ(commands.size(), 1U);
  for (const char* flag : {"-t", "-u", "-T", "-U"}) EXPECT_EQ(after(commands[0], flag), "none");
  EXPECT_TRUE(has(commands[0], "--no-map-gw"));
  EXPECT_TRUE(has(commands[0], "--foreground"));
  EXPECT_EQ(commands[0].back(), "77");
}

struct ResolverCase {
  const char* name;
  const char* text;
  const char* address;  // that the warning names; empty: no warning
};
void PrintTo(const ResolverCase& c, std::ostream* os) { *os << c.name; }

const ResolverCase kResolvers[] = {
    {"Other", "nameserver 10.255.255.53\n", ""},
    {"Systemd", "# made by systemd\nnameserver 127.0.0.53\noptions edns0\n", "127.0.0.53"},
    {"V6", "nameserver ::1\n", "::1"},
    {"OneOther", "nameserver 127.0.0.1\nnameserver 192.0.2.1\n", ""},
    {"TwoOwn", "nameserver 127.0.0.53\nnameserver ::1\n", "127.0.0.53"},
    {"Empty", "", "127.0.0.1"},
    {"SearchOnly", "search example.org\n", "127.0.0.1"},
    {"Commented", "#nameserver 192.0.2.1\nnameserver 127.0.0.2", "127.0.0.2"},
    {"Tab", "nameserver\t192.0.2.1\t\n", ""},
    {"NoNewline", "nameserver 192.0.2.1", ""},
    {"WordAlone", "nameserver\nnameserver   \n", "127.0.0.1"},
    {"LongerWord", "nameservers 192.0.2.1\n", "127.0.0.1"},
};

class ResolverTest : public testing::TestWithParam<ResolverCase> {};
INSTANTIATE_TEST_SUITE_P(All, ResolverTest, testing::ValuesIn(kResolvers),
                         [](const auto& test) { return test.param.name; });

TEST_P(ResolverTest, OnThisNodeAloneIsWarnedOf) {
  const auto warning = resolver_warning(GetParam().text);
  const std::string address = GetParam().address;
  ASSERT_EQ(warning.has_value(), !address.empty());
  if (!warning) return;
  EXPECT_EQ(*warning, "names of other machines are not found inside: /etc/resolv.conf names only " +
                          address + ", on this node's own loopback");
}

/// Programs of the test's own in a folder that is all of PATH.
class EgressTest : public LoopFixture {
 protected:
  void SetUp() override {
    top_ = fs::path(testing::TempDir()) / ("egress_test." + std::to_string(getpid()));
    fs::create_directories(top_);
    path_ = top_.string();
  }
  void TearDown() override { fs::remove_all(top_); }

  void program(const char* name, const std::string& lines) {
    std::ofstream(top_ / name) << "#!/bin/sh\n" << lines << "\n";
    chmod((top_ / name).c_str(), 0755);
  }
  Result<Egress> start() {
    return Egress::start(getpid(), [this](const char*) { return std::optional(path_); });
  }
  std::string refusal() {
    const auto egress = start();
    return egress ? "works" : egress.error().detail;
  }
  std::string text(const char* name) {
    std::ifstream file(top_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path top_;
  std::string path_;
};

// Says that it works, and then stays until it is told that nobody needs it any more.
constexpr const char* kGood = "echo $$ > ${0%/*}/pid; echo 1 >&3; exec 3>&-; read x <&4";

pid_t pid_in(const std::string& text) { return static_cast<pid_t>(std::stol(text)); }

TEST_F(EgressTest, NoneIsSaidWithTheNamesOfBoth) {
  const auto egress = start();
  ASSERT_FALSE(egress);
  EXPECT_EQ(egress.error().code, Errc::kNotFound);
  EXPECT_EQ(egress.error().detail,
            "other machines cannot be reached from inside: this node has neither slirp4netns nor "
            "pasta (package passt)");
}

TEST_F(EgressTest, EmptyAndRelativeFoldersAreNotLookedInto) {
  program("slirp4netns", kGood);
  path_ = "::egress";
  EXPECT_EQ(start().error().code, Errc::kNotFound);
  path_ = "::" + top_.string();
  EXPECT_TRUE(start());
}

TEST_F(EgressTest, EndsWithItsObject) {
  program("slirp4netns", kGood);
  pid_t pid = 0;
  {
    const auto egress = start();
    ASSERT_TRUE(egress) << egress.error().detail;
    EXPECT_EQ(egress->program(), "slirp4netns");
    pid = pid_in(text("pid"));
    EXPECT_EQ(kill(pid, 0), 0);
  }
  EXPECT_NE(kill(pid, 0), 0);
}

TEST_F(EgressTest, StandsApartFromTheTerminalAndItsOwner) {
  program("slirp4netns", "ps -o sid= -p $$ > ${0%/*}/sid; " + std::string(kGood));
  const auto egress = start();
  ASSERT_TRUE(egress);
  EXPECT_EQ(pid_in(text("sid")), pid_in(text("pid")));
  EXPECT_NE(getsid(0), pid_in(text("sid")));
}

TEST_F(EgressTest, GetsNoDescriptorOfOurs) {
  const int leaked = open("/dev/null", O_RDONLY);  // without close-on-exec, and high
  const int high = fcntl(leaked, F_DUPFD, 20);
  program("slirp4netns", "ls /proc/self/fd > ${0%/*}/fds; " + std::string(kGood));
  ASSERT_TRUE(start());
  EXPECT_EQ(text("fds").find(std::to_string(high)), std::string::npos) << text("fds");
  close(leaked);
  close(high);
}

TEST_F(EgressTest, OlderProgramWorksWithoutTheNewerFlags) {
  program("slirp4netns",
          "case \"$*\" in *seccomp*) echo unknown >&2; exit 1;; esac; " + std::string(kGood));
  EXPECT_EQ(refusal(), "works");
}

TEST_F(EgressTest, PastaWhereTheOtherDoesNotWork) {
  program("slirp4netns", "exit 1");
  program("pasta", kGood);
  const auto egress = start();
  ASSERT_TRUE(egress);
  EXPECT_EQ(egress->program(), "pasta");
}

TEST_F(EgressTest, WhatTheySaidLastIsTheReason) {
  program("slirp4netns",
          "echo sent; echo 'open(\"/dev/net/tun\"): Permission denied' >&2; echo 'child failed'; "
          "exit 1");
  program("pasta", "exit 1");
  EXPECT_EQ(refusal(),
            "other machines cannot be reached from inside: pasta: it does not start; slirp4netns: "
            "open(\"/dev/net/tun\"): Permission denied child failed");
}

TEST_F(EgressTest, WhatIsNoProgramIsSaid) {
  std::ofstream(top_ / "pasta") << "rubbish";
  chmod((top_ / "pasta").c_str(), 0755);
  EXPECT_EQ(refusal(), "other machines cannot be reached from inside: pasta: it does not start");
}

TEST_F(EgressTest, MuchOutputIsReadBeforeItIsReady) {
  program("slirp4netns", "head -c 200000 /dev/zero | tr '\\0' x; " + std::string(kGood));
  EXPECT_EQ(refusal(), "works");
}

TEST_F(EgressTest, ItsOwnEndIsTold) {
  program("slirp4netns", "echo $$ > ${0%/*}/pid; echo 1 >&3; read x <&4");
  auto egress = start();
  ASSERT_TRUE(egress);
  std::string why;
  egress->watch(loop, [&](const std::string& said) { why = said; });
  settle(loop);
  EXPECT_EQ(why, "");
  kill(pid_in(text("pid")), SIGKILL);
  ASSERT_TRUE(wait_for([&] { return !why.empty(); }));
  EXPECT_EQ(why, "other machines cannot be reached from inside: slirp4netns has ended");
}

TEST_F(EgressTest, OutputAfterTheStartIsReadToo) {
  program("slirp4netns",
          "echo 1 >&3; head -c 200000 /dev/zero | tr '\\0' x; echo; echo so; echo bye");
  auto egress = start();
  ASSERT_TRUE(egress);
  std::string why;
  egress->watch(loop, [&](const std::string& said) { why = said; });
  ASSERT_TRUE(wait_for([&] { return !why.empty(); }));
  EXPECT_EQ(why, "other machines cannot be reached from inside: slirp4netns has ended: so bye");
}

TEST_F(EgressTest, MovesWithoutEnding) {
  program("slirp4netns", kGood);
  auto first = start();
  ASSERT_TRUE(first);
  const Egress second = std::move(*first);
  first = fail(Errc::kNotFound, "", "");
  EXPECT_EQ(kill(pid_in(text("pid")), 0), 0);
}

}  // namespace
}  // namespace hpc
