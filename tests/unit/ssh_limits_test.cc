#include "manager/ssh/ssh_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manager/ssh/agent_identities.h"
#include "manager/ssh/ssh_connector.h"
#include "manager/ssh/ssh_key_file.h"
#include "manager/ssh/ssh_link.h"

namespace hpc {
namespace {

using ::testing::HasSubstr;

TEST(SshOpenErrorTest, EveryCodeOfTheServerHasItsReaction) {
  EXPECT_EQ(ssh_open_error("n1:1", 1, "").code, Errc::kForbidden);
  EXPECT_EQ(ssh_open_error("n1:1", 2, "").code, Errc::kRefused);
  EXPECT_EQ(ssh_open_error("n1:1", 3, "").code, Errc::kForbidden);
  EXPECT_EQ(ssh_open_error("n1:1", 4, "").code, Errc::kUnavailable);
  EXPECT_EQ(ssh_open_error("n1:1", 0, "").code, Errc::kUnavailable);
  EXPECT_EQ(ssh_open_error("n1:1", 77, "").code, Errc::kUnavailable);
}

TEST(SshOpenErrorTest, ServersWordsAreKept) {
  EXPECT_THAT(ssh_open_error("n1:5500", 2, " Connection refused").detail,
              HasSubstr("n1:5500 (Connection refused)"));
}

std::string ssh_string(const std::string& text) {
  return std::string("\0\0\0", 3) + static_cast<char>(text.size()) + text;
}

TEST(SshCertificateTest, BelongsToTheKeyWhoseFieldsItHolds) {
  const std::string key = ssh_string("ssh-ed25519") + ssh_string("the public key");
  const std::string other = ssh_string("ssh-ed25519") + ssh_string("another key...");
  const std::string certificate = ssh_string("ssh-ed25519-cert-v01@openssh.com") +
                                  ssh_string("nonce") + ssh_string("the public key") + "serial";
  EXPECT_TRUE(certificate_is_for(certificate, key));
  EXPECT_FALSE(certificate_is_for(certificate, other));
  EXPECT_FALSE(certificate_is_for(certificate, ssh_string("ssh-ed25519")));
  for (std::size_t cut = 0; cut < certificate.size() - 6; ++cut) {
    EXPECT_FALSE(certificate_is_for(certificate.substr(0, cut), key)) << cut;
  }
}

std::string number(std::size_t value) {
  return std::string("\0\0\0", 3) + static_cast<char>(value);
}
std::string answer(std::initializer_list<std::string> blobs) {
  std::string text = '\x0c' + number(blobs.size());
  for (const auto& blob : blobs) text += ssh_string(blob) + ssh_string("comment of " + blob);
  return text;
}

TEST(AgentIdentitiesTest, PreferredKeysComeFirst) {
  EXPECT_EQ(sort_agent_identities(answer({"a", "b", "c"}), {"c"}, false), answer({"c", "a", "b"}));
}

TEST(AgentIdentitiesTest, OnlyThePreferredStay) {
  EXPECT_EQ(sort_agent_identities(answer({"a", "b", "c"}), {"c", "a"}, true), answer({"a", "c"}));
  EXPECT_EQ(sort_agent_identities(answer({"a"}), {}, true), answer({}));
}

TEST(AgentIdentitiesTest, CutOrOtherAnswersStayAsTheyAre) {
  const std::string whole = answer({"a", "b"});
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_EQ(sort_agent_identities(whole.substr(0, cut), {"b"}, false), whole.substr(0, cut));
  }
  EXPECT_EQ(sort_agent_identities("\x05", {"b"}, true), "\x05");
}

TEST(SshDefaultsTest, TimesAreThoseThatPeopleAreTold) {
  const SshConnectorOptions options;
  EXPECT_EQ(options.connect_timeout_ms, 10'000U);
  EXPECT_EQ(options.key_exchange_timeout_ms, 15'000U);
  EXPECT_EQ(options.auth_timeout_ms, 20'000U);
  EXPECT_EQ(options.keepalive_ms, 15'000U);
  EXPECT_EQ(SshLinkOptions{}.keepalives_missed_max, 3);
}

}  // namespace
}  // namespace hpc
