// Logging in to a real sshd: keys, passphrases, certificates, agent, host keys, jump hosts.
#include <gmock/gmock.h>

#include "tests/support/ssh_fixture.h"

namespace hpc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using SshLoginTest = SshFixture;

TEST_F(SshLoginTest, KeyFileLogsIn) {
  TestSshd sshd;
  auto connection = connect(target_of(sshd));
  ASSERT_TRUE(connection) << describe(connection.error()) << sshd.log();
  const auto output = exec(**connection, "id -un");
  ASSERT_TRUE(output) << describe(output.error());
  EXPECT_EQ(output->out, current_user() + "\n");
  EXPECT_EQ(output->exit_status, 0);
}

}  // namespace
}  // namespace hpc
