#include "manager/ssh/known_hosts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

namespace hpc {
namespace {

// "login01" as `ssh-keygen -H` wrote it.
constexpr const char* kHashedLogin01 =
    "|1|XSRc49IaNXTmLN98amxbKVvffJc=|+YQm7NYzGjqMwNoDRX+97bn8ZAg=";

TEST(KnownHostsTest, SplitsALine) {
  const auto entry = parse_known_hosts_line("login01,10.0.0.1\tssh-ed25519  AAAA a comment\r");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->marker, "");
  EXPECT_EQ(entry->hosts, "login01,10.0.0.1");
  EXPECT_EQ(entry->type, "ssh-ed25519");
  EXPECT_EQ(entry->key, "AAAA");
}

TEST(KnownHostsTest, KeepsTheMarker) {
  const auto entry = parse_known_hosts_line(" @revoked * ssh-rsa AAAA");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->marker, "@revoked");
  EXPECT_EQ(entry->hosts, "*");
}

TEST(KnownHostsTest, PassesOverWhatIsNoEntry) {
  for (const char* line :
       {"", "   ", "# comment", "login01", "login01 ssh-rsa", "@revoked * rsa"}) {
    EXPECT_FALSE(parse_known_hosts_line(line)) << line;
  }
}

struct MatchCase {
  const char* name;
  const char* hosts;
  const char* host;
  bool matches;
};
void PrintTo(const MatchCase& c, std::ostream* out) { *out << c.name; }
struct KnownHostMatchTest : ::testing::TestWithParam<MatchCase> {};
constexpr MatchCase kMatchCases[] = {
    {"same", "login01", "login01", true},
    {"other", "login02", "login01", false},
    {"prefix_is_not_enough", "login0", "login01", false},
    {"second_of_a_list", "a,login01", "login01", true},
    {"case", "LOGIN01", "Login01", true},
    {"star", "login*", "login01", true},
    {"question_mark", "login0?", "login01", true},
    {"two_stars", "*.hpc.*", "l1.hpc.example", true},
    {"star_backtracks", "*ab", "aab", true},
    {"excluded", "login*,!login01", "login01", false},
    {"excluded_first", "!login01,login*", "login01", false},
    {"exclusion_of_another", "login*,!login02", "login01", true},
    {"only_an_exclusion", "!login02", "login01", false},
    {"port", "[login01]:2222", "[login01]:2222", true},
    {"other_port", "[login01]:2222", "[login01]:2223", false},
    {"port_is_not_the_plain_name", "[login01]:2222", "login01", false},
    {"bracketed_standard_port", "[login01]:22", "login01", true},
    {"hashed", kHashedLogin01, "login01", true},
    {"hashed_case", kHashedLogin01, "LOGIN01", true},
    {"hashed_other", kHashedLogin01, "login02", false},
    {"hash_of_another_kind", "|2|abc|def", "login01", false},
    {"hash_cut_short", "|1|abc", "login01", false},
    {"hash_without_content", "|1||", "login01", false},
    {"empty", "", "login01", false},
    {"commas_only", ",,!,", "login01", false},
};
TEST_P(KnownHostMatchTest, Matches) {
  EXPECT_EQ(known_host_matches(GetParam().hosts, GetParam().host), GetParam().matches);
}
INSTANTIATE_TEST_SUITE_P(Hosts, KnownHostMatchTest, ::testing::ValuesIn(kMatchCases),
                         [](const auto& test) { return test.param.name; });

TEST(KnownHostsTest, HostileStarsTakeNoTime) {
  const std::string stars = std::string(200, '*') + std::string(200, 'a') + "*b";
  EXPECT_FALSE(known_host_matches(stars, std::string(5000, 'a')));
}

TEST(KnownHostsTest, NamesAsOpenSshWritesThem) {
  EXPECT_EQ(known_host_name("Login01", 22), "login01");
  EXPECT_EQ(known_host_name("login01", 2222), "[login01]:2222");
  EXPECT_EQ(known_host_name("fe80::1", 2222), "[fe80::1]:2222");
}

TEST(KnownHostsTest, HashedNameMatchesItself) {
  const auto hashed = hash_known_host("[login01]:2222", std::string(20, 's'));
  EXPECT_TRUE(known_host_matches(hashed, "[login01]:2222"));
  EXPECT_FALSE(known_host_matches(hashed, "[login01]:2223"));
}

HostKeyFinding find(const std::string& user, const std::string& global = {}) {
  return find_host_key({{"user", user}, {"global", global}}, "login01", "ssh-ed25519", "KEY1");
}

TEST(KnownHostsTest, KnownInEitherFile) {
  EXPECT_EQ(find("login01 ssh-ed25519 KEY1\n").state, HostKeyState::kKnown);
  EXPECT_EQ(find("", "login01 ssh-ed25519 KEY1").state, HostKeyState::kKnown);
}

TEST(KnownHostsTest, UnknownWithoutAnEntryForTheHost) {
  EXPECT_EQ(find("other ssh-ed25519 KEY1\n").state, HostKeyState::kUnknown);
  EXPECT_EQ(find("").state, HostKeyState::kUnknown);
}

TEST(KnownHostsTest, ChangedNamesFileAndLine) {
  const auto found = find("\n", "# one\nlogin01 ssh-ed25519 KEY2\n");
  EXPECT_EQ(found.state, HostKeyState::kChanged);
  EXPECT_EQ(found.path, "global");
  EXPECT_EQ(found.line, 2);
}

TEST(KnownHostsTest, SecondKeyOfTheSameTypeIsKnown) {
  EXPECT_EQ(find("login01 ssh-ed25519 KEY2\nlogin01 ssh-ed25519 KEY1\n").state,
            HostKeyState::kKnown);
}

TEST(KnownHostsTest, AnotherTypeIsNeitherKnownNorChanged) {
  EXPECT_EQ(find("login01 ssh-rsa KEY1\n").state, HostKeyState::kOtherType);
}

TEST(KnownHostsTest, RevokedWinsWhereverItStands) {
  EXPECT_EQ(find("login01 ssh-ed25519 KEY1\n", "@revoked * ssh-ed25519 KEY1\n").state,
            HostKeyState::kRevoked);
  EXPECT_EQ(find("@revoked * ssh-ed25519 KEY1\nlogin01 ssh-ed25519 KEY1\n").state,
            HostKeyState::kRevoked);
}

TEST(KnownHostsTest, RevocationOfAnotherKeySaysNothing) {
  EXPECT_EQ(find("@revoked * ssh-ed25519 KEY2\n").state, HostKeyState::kUnknown);
}

TEST(KnownHostsTest, CertificateAuthorityIsNoHostKey) {
  EXPECT_EQ(find("@cert-authority * ssh-ed25519 KEY1\n").state, HostKeyState::kUnknown);
}

TEST(KnownHostsTest, KnownAlgorithmsComeFirst) {
  EXPECT_EQ(host_key_algorithms({{"f", "login01 ssh-rsa K\n"}}, "login01"),
            "rsa-sha2-512,rsa-sha2-256,ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,"
            "ecdsa-sha2-nistp521");
  EXPECT_EQ(host_key_algorithms({}, "login01"),
            "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"
            "rsa-sha2-512,rsa-sha2-256");
}

TEST(KnownHostsTest, CutFilesNeverCrash) {
  const std::string text = std::string("@revoked a,b ssh-rsa K\n") + kHashedLogin01 +
                           " ssh-ed25519 KEY1\n[x]:1,!y ssh-rsa K c\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) static_cast<void>(find(text.substr(0, cut)));
}

}  // namespace
}  // namespace hpc
