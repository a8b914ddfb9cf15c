// Passwords and one-time codes, against a server of libssh's.
#include <gmock/gmock.h>

#include "tests/support/password_server.h"
#include "tests/support/ssh_fixture.h"

namespace hpc {
namespace {

using ::testing::HasSubstr;

struct SshPasswordTest : SshFixture {
  SshTarget target_of(const PasswordServer& server) {
    write_file(folder.path("known_hosts"), server.known_hosts_line());
    SshTarget target;
    target.host = "127.0.0.1";
    target.user = "alice";
    target.port = static_cast<std::uint16_t>(server.port());
    target.known_hosts = folder.path("known_hosts");
    write_file(folder.path("config"),
               "Host *\n  IdentityAgent none\n  IdentityFile none\n" + lines);
    target.ssh_config = folder.path("config");
    return target;
  }
  TemporaryFolder folder;
  std::string lines;
};

TEST_F(SshPasswordTest, PasswordIsAskedUntilItIsRight) {
  const PasswordServer server({.password = "s3cret", .code = "", .anybody = false});
  prompter.answers = {"wrong", "s3cret"};
  const auto connection = connect(target_of(server));
  EXPECT_TRUE(connection) << describe(connection.error());
  EXPECT_EQ(prompter.prompts, "alice@127.0.0.1's password: \nalice@127.0.0.1's password: \n");
}

TEST_F(SshPasswordTest, ThreeWrongPasswordsAreUnauthorized) {
  const PasswordServer server({.password = "s3cret", .code = "", .anybody = false});
  prompter.answers = {"a", "b", "c", "s3cret"};
  const auto connection = connect(target_of(server));
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, Errc::kUnauthorized);
  EXPECT_THAT(connection.error().detail, HasSubstr("it takes password"));
  EXPECT_EQ(prompter.answers.size(), 1U);
}

TEST_F(SshPasswordTest, OneTimeCodeIsAskedWithTheServersWords) {
  const PasswordServer server({.password = "", .code = "123456", .anybody = false});
  prompter.answers = {"123456"};
  const auto connection = connect(target_of(server));
  EXPECT_TRUE(connection) << describe(connection.error());
  EXPECT_THAT(prompter.prompts, HasSubstr("Look at your token"));
  EXPECT_THAT(prompter.prompts, HasSubstr("(alice@127.0.0.1) Code: "));
}

TEST_F(SshPasswordTest, QuestionsComeBeforePasswordsUnlessConfigured) {
  const PasswordServer server({.password = "s3cret", .code = "123456", .anybody = false});
  lines = "  PreferredAuthentications password\n";
  prompter.answers = {"s3cret"};
  const auto connection = connect(target_of(server));
  EXPECT_TRUE(connection) << describe(connection.error());
  EXPECT_THAT(prompter.prompts, HasSubstr("password: "));
}

TEST_F(SshPasswordTest, NobodyToAskIsUnauthorizedAndSaysSo) {
  const PasswordServer server({.password = "s3cret", .code = "", .anybody = false});
  const auto connection = connect(target_of(server));
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, Errc::kUnauthorized);
  EXPECT_THAT(connection.error().detail, HasSubstr("nobody to ask"));
}

TEST_F(SshPasswordTest, BatchModeNeverAsks) {
  const PasswordServer server({.password = "s3cret", .code = "123456", .anybody = false});
  lines = "  BatchMode yes\n";
  prompter.answers = {"s3cret"};
  const auto connection = connect(target_of(server));
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, Errc::kUnauthorized);
  EXPECT_EQ(prompter.prompts, "");
}

/// As a login page does it: the person's answers alone.
struct OnlyPromptsTest : SshPasswordTest {
  SshTarget sign_in_at(const PasswordServer& server) {
    auto target = target_of(server);
    target.only_prompts = true;
    return target;
  }
};

TEST_F(OnlyPromptsTest, TheRightPasswordLogsIn) {
  const PasswordServer server({.password = "s3cret", .code = "", .anybody = false});
  prompter.answers = {"s3cret"};
  const auto connection = connect(sign_in_at(server));
  EXPECT_TRUE(connection) << describe(connection.error());
}

TEST_F(OnlyPromptsTest, OneWrongAnswerEndsIt) {
  const PasswordServer server({.password = "s3cret", .code = "123456", .anybody = false});
  prompter.answers = {"wrong", "123456", "s3cret"};
  const auto connection = connect(sign_in_at(server));
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, Errc::kUnauthorized);
  EXPECT_THAT(connection.error().detail, HasSubstr("did not accept the answer"));
  EXPECT_EQ(prompter.answers.size(), 2U) << "neither the code nor the password was tried again";
}

TEST_F(OnlyPromptsTest, AServerThatLetsAnybodyInProvesNothing) {
  const PasswordServer server({.password = "s3cret", .code = "", .anybody = true});
  EXPECT_TRUE(connect(target_of(server)));
  const auto connection = connect(sign_in_at(server));
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, Errc::kForbidden);
  EXPECT_THAT(connection.error().detail, HasSubstr("proves nothing"));
}

TEST_F(OnlyPromptsTest, BatchModeOfTheOperatorsDoesNotMatter) {
  const PasswordServer server({.password = "s3cret", .code = "", .anybody = false});
  lines = "  BatchMode yes\n";
  prompter.answers = {"s3cret"};
  EXPECT_TRUE(connect(sign_in_at(server)));
}

TEST_F(OnlyPromptsTest, NoAnswerIsNoWrongAnswer) {
  const PasswordServer server({.password = "s3cret", .code = "", .anybody = false});
  const auto connection = connect(sign_in_at(server));
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, Errc::kForbidden);
}

}  // namespace
}  // namespace hpc
