#include "manager/session/user_identity.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <ostream>
#include <string>

#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

struct PatternCase {
  const char* name;
  const char* pattern;
  const char* user;
  const char* path;  // nullptr: refused
};
void PrintTo(const PatternCase& c, std::ostream* os) { *os << c.name; }

constexpr PatternCase kPatternCases[] = {
    {"user", "/keys/%u", "alice", "/keys/alice"},
    {"inside_a_folder", "/keys/%u/id", "alice", "/keys/alice/id"},
    {"twice", "/keys/%u/%u", "bob", "/keys/bob/bob"},
    {"percent", "/keys/100%%/%u", "bob", "/keys/100%/bob"},
    {"percent_before_a_u", "/keys/%%u", "bob", "/keys/%u"},
    {"one_key_for_all", "/keys/id", "bob", "/keys/id"},
    {"dots_in_the_name", "/keys/%u", "a..b", "/keys/a..b"},
    {"unknown_token", "/keys/%h", "bob", nullptr},
    {"percent_at_the_end", "/keys/%u%", "bob", nullptr},
    {"three_percents", "/keys/%%%", "bob", nullptr},
    {"parent_folder", "/keys/%u", "..", nullptr},
    {"slash", "/keys/%u", "../alice", nullptr},
    {"absolute", "%u", "/etc/passwd", nullptr},
    {"nobody", "/keys/%u", "", nullptr},
    {"upper_case", "/keys/%u", "Alice", nullptr},
    {"percent_in_the_name", "/keys/%u", "%u", nullptr},
};

struct UserKeyPathTest : ::testing::TestWithParam<PatternCase> {};
INSTANTIATE_TEST_SUITE_P(All, UserKeyPathTest, ::testing::ValuesIn(kPatternCases));

TEST_P(UserKeyPathTest, LeadsToTheUsersOwnKeyOrNowhere) {
  const auto path = identity_path(GetParam().pattern, GetParam().user);
  ASSERT_EQ(path.has_value(), GetParam().path != nullptr);
  EXPECT_EQ(path.value_or(""), GetParam().path != nullptr ? GetParam().path : "");
}

struct UserIdentitiesTest : TempDirFixture {
  UserIdentitiesTest() {
    options.clusters = {{"main", {}}, {"mine", {}}};
    options.clusters[0].target.host = "login01";
    options.clusters[0].target.port = 2222;
    options.clusters[1].target.host = "own";
    options.clusters[1].target.user = "alice";
    options.identity = keys() + "/%u";
    mkdir(keys().c_str(), 0700);
  }
  std::string keys() const { return dir + "/keys"; }
  std::string put_key(const std::string& name, mode_t mode = 0600) {
    const std::string path = keys() + "/" + name;
    std::ofstream(path) << "key";
    chmod(path.c_str(), mode);
    return path;
  }
  Result<SshTarget> target_of(const std::string& user, const std::string& cluster = "main") {
    return UserIdentities(options).target_of(user, cluster);
  }
  /// The error's code and text; kSystem and "" where there is none.
  std::pair<Errc, std::string> refusal(const std::string& user,
                                       const std::string& cluster = "main") {
    const auto target = target_of(user, cluster);
    return target ? std::pair(Errc::kSystem, std::string())
                  : std::pair(target.error().code, target.error().detail);
  }
  void expect_config_error(const std::string& user, const std::string& text) {
    const auto [code, detail] = refusal(user);
    EXPECT_EQ(code, Errc::kConfig);
    EXPECT_NE(detail.find(text), std::string::npos) << detail;
  }

  UserIdentities::Options options;
};

TEST_F(UserIdentitiesTest, EachUserHasHisNameAndHisKeyAndNothingElse) {
  options.known_hosts = "/etc/hosts_known";
  options.ssh_config = "/etc/our_ssh_config";
  put_key("alice");
  put_key("bob", 0400);
  for (const std::string user : {"alice", "bob"}) {
    const auto target = target_of(user);
    ASSERT_TRUE(target) << target.error().detail;
    EXPECT_EQ(target->host, "login01");
    EXPECT_EQ(target->port, 2222);
    EXPECT_EQ(target->user, user);
    EXPECT_EQ(target->identities, std::vector<std::string>{keys() + "/" + user});
    EXPECT_TRUE(target->only_identities);
    EXPECT_FALSE(target->only_prompts);
    EXPECT_EQ(target->known_hosts, "/etc/hosts_known");
    EXPECT_EQ(target->ssh_config, "/etc/our_ssh_config");
  }
}

TEST_F(UserIdentitiesTest, AMissingKeyIsNeverReplacedByAnother) {
  put_key("alice");
  expect_config_error("bob", "there is no SSH key for bob: " + keys() + "/bob does not exist");
}

TEST_F(UserIdentitiesTest, TheUserIsAlwaysTheSessions) {
  put_key("alice");
  put_key("bob");
  for (const bool with_pattern : {true, false}) {
    if (!with_pattern) options.identity.reset();
    for (const std::string user : {"alice", "bob"}) {
      EXPECT_EQ(target_of(user)->user, user);
      EXPECT_EQ(UserIdentities(options).sign_in_target(user, "main")->user, user);
    }
  }
}

TEST_F(UserIdentitiesTest, AClusterWithAFixedUserIsForHimAlone) {
  put_key("alice");
  put_key("bob");
  EXPECT_EQ(target_of("alice", "mine")->user, "alice");
  EXPECT_EQ(refusal("bob", "mine").first, Errc::kForbidden);
  EXPECT_EQ(UserIdentities(options).sign_in_target("bob", "mine").error().code, Errc::kForbidden);
  options.identity.reset();
  EXPECT_EQ(refusal("bob", "mine").first, Errc::kForbidden);
}

TEST_F(UserIdentitiesTest, WithoutAPatternSshIsAsTheOperatorHasSetItUp) {
  options.identity.reset();
  const auto target = target_of("bob");
  ASSERT_TRUE(target);
  EXPECT_TRUE(target->identities.empty());
  EXPECT_FALSE(target->only_identities);
}

TEST_F(UserIdentitiesTest, WithLoginPagesTheManagersOwnKeysAreNeverUsed) {
  options.sign_in = true;
  options.identity.reset();
  expect_config_error("bob", "log in again");
  options.identity = keys() + "/%u";
  expect_config_error("bob", "log in again");
  put_key("bob");
  EXPECT_TRUE(target_of("bob")->only_identities);
}

TEST_F(UserIdentitiesTest, AtALoginPageOnlyAnswersCount) {
  put_key("alice");
  const auto target = UserIdentities(options).sign_in_target("alice", "main");
  ASSERT_TRUE(target);
  EXPECT_TRUE(target->only_prompts);
  EXPECT_TRUE(target->identities.empty());
}

TEST_F(UserIdentitiesTest, UnknownClustersAndStrangeNamesAreRefused) {
  EXPECT_EQ(refusal("alice", "moon").first, Errc::kNotFound);
  for (const char* user : {"", "..", "a/b", "-oProxyCommand=id", "Alice", "a b"}) {
    EXPECT_EQ(refusal(user).first, Errc::kBadRequest) << user;
    EXPECT_EQ(UserIdentities(options).sign_in_target(user, "main").error().code, Errc::kBadRequest);
  }
}

TEST_F(UserIdentitiesTest, AKeyThatOthersMayReadIsNotUsed) {
  for (const mode_t mode : {0640, 0604, 0660, 0666, 0700, 04600}) {
    const auto path = put_key("bob", mode);
    expect_config_error("bob", "run: chmod 600 " + path);
    unlink(path.c_str());
  }
}

TEST_F(UserIdentitiesTest, OnlyFilesAreKeys) {
  mkdir((keys() + "/bob").c_str(), 0600);
  expect_config_error("bob", "is not a file");
  mkfifo((keys() + "/carol").c_str(), 0600);
  expect_config_error("carol", "is not a file");
}

TEST_F(UserIdentitiesTest, AFolderThatOthersCanWriteToIsNoPlaceForKeys) {
  put_key("bob");
  chmod(keys().c_str(), 0770);
  expect_config_error("bob", "chmod 700 " + keys());
  chmod(keys().c_str(), 0700);
  chmod(dir.c_str(), 0777);
  expect_config_error("bob", "other users can put keys into");
  chmod(dir.c_str(), 0700);
  EXPECT_TRUE(target_of("bob"));
}

TEST_F(UserIdentitiesTest, WhatLiesBesideTheKeyIsLookedAtToo) {
  put_key("bob");
  put_key("bob.pub", 0644);
  put_key("bob-cert.pub", 0644);
  EXPECT_TRUE(target_of("bob"));
  put_key("bob.pub", 0666);
  expect_config_error("bob", "bob.pub can be written by other users");
  put_key("bob.pub", 0600);
  put_key("bob-cert.pub", 0620);
  expect_config_error("bob", "bob-cert.pub can be written by other users");
}

TEST_F(UserIdentitiesTest, ALinkOfOursIsFollowed) {
  const auto real = put_key("key_of_bob");
  ASSERT_EQ(symlink(real.c_str(), (keys() + "/bob").c_str()), 0);
  EXPECT_TRUE(target_of("bob"));
  chmod(real.c_str(), 0644);
  expect_config_error("bob", "chmod 600");
  unlink(real.c_str());
  expect_config_error("bob", "does not exist");
}

TEST_F(UserIdentitiesTest, WhatBelongsToOthersIsNotUsed) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  constexpr uid_t kOther = 65534;
  const auto key = put_key("bob");
  ASSERT_EQ(chown(key.c_str(), kOther, 0), 0);
  expect_config_error("bob", "belongs to uid 65534");
  const auto link = keys() + "/carol";
  ASSERT_EQ(symlink(put_key("key_of_carol").c_str(), link.c_str()), 0);
  ASSERT_EQ(lchown(link.c_str(), kOther, 0), 0);
  expect_config_error("carol", "is a link that another user has made");
  put_key("dave");
  ASSERT_EQ(chown(put_key("dave.pub", 0644).c_str(), kOther, 0), 0);
  expect_config_error("dave", "dave.pub can be written by other users");
  put_key("erin");
  ASSERT_EQ(chown(keys().c_str(), kOther, 0), 0);
  expect_config_error("erin", "other users can put keys into");
}

}  // namespace
}  // namespace hpc
