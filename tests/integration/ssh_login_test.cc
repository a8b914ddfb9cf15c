// Logging in to a real sshd: keys, passphrases, certificates, agent, host keys, jump hosts.
#include <gmock/gmock.h>
#include <signal.h>

#include "tests/support/ssh_fixture.h"

namespace hpc {
namespace {

using ::testing::HasSubstr;

/// The connect's error, or none.
struct SshLoginTest : SshFixture {
  std::optional<Error> refusal(const SshTarget& target) {
    auto connection = connect(target);
    if (connection) return std::nullopt;
    return connection.error();
  }
  void expect_login(const SshTarget& target) {
    const auto error = refusal(target);
    EXPECT_FALSE(error) << describe(*error) << "\n" << prompter.prompts;
  }
  void expect_refusal(const SshTarget& target, Errc code, const std::string& text) {
    const auto error = refusal(target);
    ASSERT_TRUE(error) << "the login worked";
    EXPECT_EQ(static_cast<int>(error->code), static_cast<int>(code)) << describe(*error);
    EXPECT_THAT(error->detail, HasSubstr(text));
  }
};

TEST_F(SshLoginTest, KeyFileLogsIn) {
  TestSshd sshd;
  auto connection = connect(target_of(sshd));
  ASSERT_TRUE(connection) << describe(connection.error()) << sshd.log();
  const auto output = exec(**connection, "id -un");
  ASSERT_TRUE(output) << describe(output.error());
  EXPECT_EQ(output->out, current_user() + "\n");
}

TEST_F(SshLoginTest, FastCipherIsChosen) {
  TestSshd sshd("LogLevel DEBUG1");
  expect_login(target_of(sshd));
  EXPECT_THAT(sshd.log(), HasSubstr("cipher: aes128-gcm@openssh.com"));
}

TEST_F(SshLoginTest, RsaAndEcdsaKeysLogIn) {
  TestSshd sshd;
  for (const char* type : {"rsa", "ecdsa"}) {
    const std::string key = sshd.file(type);
    make_key(key, "", type);
    write_file(sshd.file("authorized_keys"), read_file(key + ".pub"));
    auto target = target_of(sshd);
    target.identities = {key};
    expect_login(target);
  }
}

TEST_F(SshLoginTest, EncryptedKeyIsAskedForUntilThePassphraseIsRight) {
  TestSshd sshd;
  make_key(sshd.file("secret"), "open sesame");
  write_file(sshd.file("authorized_keys"), read_file(sshd.file("secret.pub")));
  auto target = target_of(sshd);
  target.identities = {sshd.file("secret")};
  prompter.answers = {"wrong", "open sesame"};
  expect_login(target);
  EXPECT_THAT(prompter.prompts, HasSubstr("passphrase for key '" + sshd.file("secret")));
}

TEST_F(SshLoginTest, EncryptedKeyWithoutATerminalSaysSshAdd) {
  TestSshd sshd;
  make_key(sshd.file("secret"), "open sesame");
  write_file(sshd.file("authorized_keys"), read_file(sshd.file("secret.pub")));
  auto target = target_of(sshd);
  target.identities = {sshd.file("secret")};
  expect_refusal(target, Errc::kUnauthorized, "ssh-add");
}

TEST_F(SshLoginTest, NoPassphraseIsAskedForAKeyThatTheServerDoesNotKnow) {
  TestSshd sshd;
  make_key(sshd.file("secret"), "open sesame");
  auto target = target_of(sshd);
  target.identities = {sshd.file("secret")};
  prompter.answers = {"open sesame"};
  expect_refusal(target, Errc::kUnauthorized, "it takes publickey");
  EXPECT_EQ(prompter.prompts, "");
}

TEST_F(SshLoginTest, WrongKeyIsUnauthorizedAndNamesWhatWasTried) {
  TestSshd sshd;
  make_key(sshd.file("other"));
  auto target = target_of(sshd);
  target.identities = {sshd.file("other")};
  expect_refusal(target, Errc::kUnauthorized, sshd.file("other"));
}

TEST_F(SshLoginTest, MissingIdentityIsAConfigurationError) {
  TestSshd sshd;
  auto target = target_of(sshd);
  target.identities = {sshd.file("nowhere")};
  expect_refusal(target, Errc::kConfig, "nowhere");
}

TEST_F(SshLoginTest, KeyThatOthersMayReadIsRefusedWithTheCommandThatMendsIt) {
  TestSshd sshd;
  auto target = target_of(sshd);
  run_command("chmod 644 " + sshd.client_key());
  expect_refusal(target, Errc::kConfig, "chmod 600 " + sshd.client_key());
}

TEST_F(SshLoginTest, IdentityFileOfTheConfigurationIsUsed) {
  TestSshd sshd;
  auto target = target_of(sshd);
  target.identities = {};
  target.ssh_config = sshd.ssh_config("  IdentityFile " + sshd.client_key());
  expect_login(target);
}

TEST_F(SshLoginTest, AliasOfTheConfigurationIsResolved) {
  TestSshd sshd;
  SshTarget target;
  target.host = "cluster";
  target.ssh_config = sshd.ssh_config(
      "Host cluster\n  HostName 127.0.0.1\n  Port " + std::to_string(sshd.port()) +
      "\n  IdentityFile " + sshd.client_key() + "\n  UserKnownHostsFile " + sshd.known_hosts());
  expect_login(target);
}

TEST_F(SshLoginTest, WithoutAnSshProgramTheDefaultsAreUsedAndItIsSaidOnce) {
  TestSshd sshd;
  int notices = 0;
  connector = make_ssh_connector(
      loop, {.ssh_program = "/nonexistent/ssh", .notice = [&](const std::string&) { ++notices; }});
  const auto target = target_of(sshd);
  expect_login(target);
  expect_login(target);
  EXPECT_EQ(notices, 1);
}

TEST_F(SshLoginTest, CertificateBesideTheKeyLogsIn) {
  TestSshd sshd("TrustedUserCAKeys /proc/self/cwd/unused");
  make_key(sshd.file("ca"));
  make_key(sshd.file("certified"));
  run_command("ssh-keygen -q -s " + sshd.file("ca") + " -I test -n " + current_user() + " " +
              sshd.file("certified.pub"));
  write_file(sshd.file("authorized_keys"), "cert-authority " + read_file(sshd.file("ca.pub")));
  auto target = target_of(sshd);
  target.identities = {sshd.file("certified")};
  expect_login(target);
  EXPECT_THAT(sshd.log(), HasSubstr("ED25519-CERT"));
}

TEST_F(SshLoginTest, CertificateFileOfTheConfigurationIsUsedForItsKeyOnly) {
  TestSshd sshd;
  make_key(sshd.file("ca"));
  make_key(sshd.file("certified"));
  make_key(sshd.file("other"));
  run_command("ssh-keygen -q -s " + sshd.file("ca") + " -I test -n " + current_user() + " " +
              sshd.file("certified.pub") + " && mv " + sshd.file("certified-cert.pub") + " " +
              sshd.file("elsewhere.pub"));
  write_file(sshd.file("authorized_keys"), "cert-authority " + read_file(sshd.file("ca.pub")));
  auto target = target_of(sshd);
  target.identities = {sshd.file("other"), sshd.file("certified")};
  target.ssh_config =
      sshd.ssh_config("  IdentityFile none\n  CertificateFile " + sshd.file("elsewhere.pub"));
  expect_login(target);
}

TEST_F(SshLoginTest, AgentKeyLogsIn) {
  TestSshd sshd;
  const TestAgent agent(sshd.file("agent"), sshd.client_key());
  run_command("rm " + sshd.client_key() + " " + sshd.client_key() + ".pub");
  auto target = target_of(sshd);
  target.identities = {};
  target.ssh_config = sshd.file("agent_config");
  write_file(*target.ssh_config,
             "Host *\n  IdentityFile none\n  IdentityAgent " + agent.socket() + "\n");
  expect_login(target);
}

TEST_F(SshLoginTest, AgentWithoutTheRightKeyIsFollowedByTheFiles) {
  TestSshd sshd;
  make_key(sshd.file("other"));
  const TestAgent agent(sshd.file("agent"), sshd.file("other"));
  auto target = target_of(sshd);
  target.identities = {};
  target.ssh_config = sshd.file("agent_config");
  write_file(*target.ssh_config, "Host *\n  IdentityFile " + sshd.client_key() +
                                     "\n  IdentityAgent " + agent.socket() + "\n");
  expect_login(target);
}

TEST_F(SshLoginTest, IdentitiesOnlyKeepsToTheFilesKeysInTheAgent) {
  TestSshd sshd("MaxAuthTries 2");
  const TestAgent agent(sshd.file("agent"), sshd.client_key());
  auto target = target_of(sshd);
  target.identities = {};
  const auto configure = [&](const std::string& identity, const char* only) {
    target.ssh_config = sshd.file("agent_config");
    write_file(*target.ssh_config, "Host *\n  IdentityFile " + identity + "\n  IdentitiesOnly " +
                                       only + "\n  IdentityAgent " + agent.socket() + "\n");
  };
  run_command("mv " + sshd.client_key() + ".pub " + sshd.file("public.pub"));
  configure(sshd.file("public"), "yes");
  expect_login(target);
  configure(sshd.file("none"), "yes");
  expect_refusal(target, Errc::kUnauthorized, "accepted none of");
  configure(sshd.file("none"), "no");
  expect_login(target);
}

TEST_F(SshLoginTest, AgentKeyOfTheConfiguredFileComesBeforeTheOthers) {
  TestSshd sshd("MaxAuthTries 2");
  for (const char* name : {"a", "b", "c"}) make_key(sshd.file(name));
  const TestAgent agent(sshd.file("agent"), sshd.file("a") + " " + sshd.file("b") + " " +
                                                sshd.file("c") + " " + sshd.client_key());
  auto target = target_of(sshd);
  target.identities = {};
  target.ssh_config = sshd.file("agent_config");
  run_command("mv " + sshd.client_key() + ".pub " + sshd.file("public.pub"));
  write_file(*target.ssh_config, "Host *\n  IdentityFile " + sshd.file("public") +
                                     "\n  IdentityAgent " + agent.socket() + "\n");
  expect_login(target);
}

TEST_F(SshLoginTest, NamedEncryptedKeyInTheAgentNeedsNoPassphrase) {
  TestSshd sshd;
  const TestAgent agent(sshd.file("agent"), sshd.client_key());
  run_command("ssh-keygen -q -p -P '' -N secret -f " + sshd.client_key());
  auto target = target_of(sshd);
  target.ssh_config = sshd.file("agent_config");
  write_file(*target.ssh_config, "Host *\n  IdentityAgent " + agent.socket() + "\n");
  expect_login(target);
  EXPECT_EQ(prompter.prompts, "");
}

TEST_F(SshLoginTest, OnlyTheNamedKeyIsOfferedWhereThatIsAskedFor) {
  TestSshd sshd("LogLevel DEBUG3");
  const TestAgent agent(sshd.file("agent"), sshd.client_key());
  make_key(sshd.file("mine"));
  auto target = target_of(sshd);
  target.identities = {sshd.file("mine")};
  target.ssh_config = sshd.file("agent_config");
  write_file(*target.ssh_config, "Host *\n  IdentityFile " + sshd.client_key() +
                                     "\n  IdentityAgent " + agent.socket() + "\n");
  expect_login(target);  // with the agent's key, which is why --identity alone is not enough
  target.only_identities = true;
  expect_refusal(target, Errc::kUnauthorized, sshd.file("mine"));
  target.identities = {sshd.client_key()};
  expect_login(target);
}

TEST_F(SshLoginTest, NoKeyCountsWhereOnlyAnswersDo) {
  TestSshd sshd;
  const TestAgent agent(sshd.file("agent"), sshd.client_key());
  auto target = target_of(sshd);
  target.only_prompts = true;
  target.ssh_config = sshd.file("agent_config");
  write_file(*target.ssh_config, "Host *\n  IdentityFile " + sshd.client_key() +
                                     "\n  IdentityAgent " + agent.socket() + "\n");
  expect_refusal(target, Errc::kForbidden, "it takes publickey");
  EXPECT_THAT(sshd.log(), ::testing::Not(HasSubstr("Accepted")));
}

TEST_F(SshLoginTest, TwoKeysAreGivenWhereTheServerWantsTwo) {
  TestSshd sshd("AuthenticationMethods publickey,publickey");
  make_key(sshd.file("second"));
  write_file(sshd.file("authorized_keys"),
             read_file(sshd.client_key() + ".pub") + read_file(sshd.file("second.pub")));
  auto target = target_of(sshd);
  target.identities = {sshd.client_key(), sshd.file("second")};
  expect_login(target);
}

TEST_F(SshLoginTest, SilentAgentIsCutAtTheDeadline) {
  TestSshd sshd;
  const TestAgent agent(sshd.file("agent"), sshd.client_key());
  kill(agent.pid(), SIGSTOP);
  connector = make_ssh_connector(loop, {.auth_timeout_ms = 300});
  auto target = target_of(sshd);
  target.identities = {};
  target.ssh_config = sshd.file("agent_config");
  write_file(*target.ssh_config,
             "Host *\n  IdentityFile none\n  IdentityAgent " + agent.socket() + "\n");
  expect_refusal(target, Errc::kTimeout, "logging in took longer");
}

TEST_F(SshLoginTest, UnknownHostKeyIsForbiddenWithFingerprintAndCommand) {
  TestSshd sshd;
  write_file(sshd.known_hosts(), "");
  const auto target = target_of(sshd);
  const auto error = refusal(target);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::kForbidden);
  const std::string print = run_command("ssh-keygen -lf " + sshd.file("hostkey.pub"));
  const auto begin = print.find("SHA256:");
  EXPECT_THAT(error->detail, HasSubstr(print.substr(begin, print.find(' ', begin) - begin)));
  EXPECT_THAT(error->detail, HasSubstr("ssh-keyscan -p " + std::to_string(sshd.port()) +
                                       " 127.0.0.1 >> " + sshd.known_hosts()));
  EXPECT_EQ(read_file(sshd.known_hosts()), "");
}

TEST_F(SshLoginTest, ConfirmedHostKeyIsStoredAndKnownFromThenOn) {
  TestSshd sshd;
  write_file(sshd.known_hosts(), "# kept\nother ssh-ed25519 AAAA", 0640);
  prompter.confirmation = true;
  const auto target = target_of(sshd);
  expect_login(target);
  EXPECT_THAT(prompter.prompts, HasSubstr("ED25519 key fingerprint is SHA256:"));
  EXPECT_THAT(read_file(sshd.known_hosts()),
              ::testing::StartsWith("# kept\nother ssh-ed25519 AAAA\n[127.0.0.1]:"));
  prompter.confirmation = std::nullopt;
  expect_login(target);
  EXPECT_THAT(run_command("stat -c %a " + sshd.known_hosts()), HasSubstr("640"));
}

TEST_F(SshLoginTest, StoredHashedNameIsUnderstoodByOpenSshAndByUs) {
  TestSshd sshd;
  write_file(sshd.known_hosts(), "");
  prompter.confirmation = true;
  auto target = target_of(sshd);
  target.ssh_config = sshd.ssh_config("  IdentityFile none\n  HashKnownHosts yes");
  expect_login(target);
  EXPECT_THAT(read_file(sshd.known_hosts()), ::testing::StartsWith("|1|"));
  prompter.confirmation = std::nullopt;
  expect_login(target);
  EXPECT_THAT(run_command("ssh-keygen -F '[127.0.0.1]:" + std::to_string(sshd.port()) + "' -f " +
                          sshd.known_hosts()),
              HasSubstr("found: line 1"));
}

TEST_F(SshLoginTest, RefusedHostKeyIsNotStored) {
  TestSshd sshd;
  write_file(sshd.known_hosts(), "");
  prompter.confirmation = false;
  expect_refusal(target_of(sshd), Errc::kForbidden, "you did not confirm");
  EXPECT_EQ(read_file(sshd.known_hosts()), "");
}

TEST_F(SshLoginTest, StrictCheckingNeverAsks) {
  TestSshd sshd;
  write_file(sshd.known_hosts(), "");
  prompter.confirmation = true;
  auto target = target_of(sshd);
  target.ssh_config = sshd.ssh_config("  IdentityFile none\n  StrictHostKeyChecking yes");
  expect_refusal(target, Errc::kForbidden, "StrictHostKeyChecking");
  EXPECT_EQ(prompter.prompts, "");
}

TEST_F(SshLoginTest, ChangedHostKeyIsForbiddenLoudlyWhateverAnybodySays) {
  TestSshd sshd;
  make_key(sshd.file("old"));
  write_file(sshd.known_hosts(), "# first line\n[127.0.0.1]:" + std::to_string(sshd.port()) + " " +
                                     read_file(sshd.file("old.pub")));
  prompter.confirmation = true;
  auto target = target_of(sshd);
  target.ssh_config = sshd.ssh_config("  IdentityFile none\n  StrictHostKeyChecking no");
  expect_refusal(target, Errc::kForbidden, "HAS CHANGED");
  expect_refusal(target, Errc::kForbidden, sshd.known_hosts() + " line 2");
  EXPECT_EQ(prompter.prompts, "");
}

TEST_F(SshLoginTest, KnownKeyTypeIsAskedOfAServerThatHasSeveral) {
  TestSshd sshd("HostKey " + std::string("/nonexistent"));
  make_key(sshd.file("rsa_host"), "", "rsa");
  TestSshd both("HostKey " + sshd.file("rsa_host"));
  write_file(both.known_hosts(), "[127.0.0.1]:" + std::to_string(both.port()) + " " +
                                     read_file(sshd.file("rsa_host.pub")));
  expect_login(target_of(both));
}

TEST_F(SshLoginTest, HostKeyAliasIsLookedUp) {
  TestSshd sshd;
  write_file(sshd.known_hosts(), "the-cluster " + read_file(sshd.file("hostkey.pub")));
  auto target = target_of(sshd);
  target.ssh_config = sshd.ssh_config("  IdentityFile none\n  HostKeyAlias the-cluster");
  expect_login(target);
}

TEST_F(SshLoginTest, JumpHostCarriesTheConnection) {
  TestSshd jump;
  TestSshd inner;
  write_file(jump.file("authorized_keys"), read_file(inner.client_key() + ".pub"));
  write_file(inner.known_hosts(), inner.known_hosts_line() + jump.known_hosts_line());
  auto target = target_of(inner);
  target.ssh_config =
      inner.ssh_config("  IdentityFile " + inner.client_key() +
                       "\nMatch host 127.0.0.1 exec \"test %p = " + std::to_string(inner.port()) +
                       "\"\n  ProxyJump 127.0.0.1:" + std::to_string(jump.port()));
  auto connection = connect(target);
  ASSERT_TRUE(connection) << describe(connection.error());
  const auto output = exec(**connection, "head -c 5000000 /dev/zero; echo $SSH_CONNECTION >&2");
  ASSERT_TRUE(output) << describe(output.error());
  EXPECT_EQ(output->out.size(), 5'000'000U);
  EXPECT_THAT(output->err, HasSubstr(" " + std::to_string(inner.port())));
  EXPECT_THAT(jump.log(), HasSubstr("Accepted publickey"));
  bool closed = false;
  (*connection)->on_closed([&closed](const Error&) { closed = true; });
  kill(jump.sessions().front(), SIGKILL);
  EXPECT_TRUE(wait([&] { return closed; })) << "the end of the jump host is the end";
}

TEST_F(SshLoginTest, JumpHostThatCannotReachTheTargetIsNamed) {
  TestSshd jump;
  SshTarget target;
  target.host = "127.0.0.1";
  target.port = static_cast<std::uint16_t>(1);
  target.known_hosts = jump.known_hosts();
  target.ssh_config = jump.ssh_config("  IdentityFile " + jump.client_key() +
                                      "\nMatch host 127.0.0.1 exec \"test %p = 1\"\n" +
                                      "  ProxyJump 127.0.0.1:" + std::to_string(jump.port()));
  expect_refusal(target, Errc::kNetwork, "over the jump host 127.0.0.1");
}

TEST_F(SshLoginTest, ProxyCommandIsRefusedClearly) {
  TestSshd sshd;
  auto target = target_of(sshd);
  target.ssh_config = sshd.ssh_config("  ProxyCommand nc %h %p");
  expect_refusal(target, Errc::kConfig, "use ProxyJump");
}

TEST_F(SshLoginTest, BrokenConfigurationIsSaidInTheWordsOfSsh) {
  TestSshd sshd;
  auto target = target_of(sshd);
  target.ssh_config = sshd.ssh_config("  NoSuchKeyword 1");
  expect_refusal(target, Errc::kConfig, "nosuchkeyword");
}

TEST_F(SshLoginTest, NobodyListeningIsANetworkError) {
  SshTarget target;
  {
    TestSshd gone;
    target = target_of(gone);
    target.ssh_config.reset();
  }
  expect_refusal(target, Errc::kNetwork, "no SSH server listens there");
}

TEST_F(SshLoginTest, UnknownNameIsANetworkError) {
  SshTarget target;
  target.host = "no-such-host.invalid";
  target.ssh_config = "/dev/null";
  expect_refusal(target, Errc::kNetwork, "check the spelling");
}

TEST_F(SshLoginTest, ServerThatNeverSpeaksTimesOut) {
  TestSshd sshd;
  connector = make_ssh_connector(loop, {.key_exchange_timeout_ms = 300});
  const auto target = target_of(sshd);
  kill(sshd.pid(), SIGSTOP);
  expect_refusal(target, Errc::kTimeout, "the key exchange took longer");
}

TEST_F(SshLoginTest, CancelledConnectIsSilentAndTheConnectorEndsQuickly) {
  TestSshd sshd;
  kill(sshd.pid(), SIGSTOP);
  auto pending = connector->connect(target_of(sshd), prompter, [](auto) { FAIL(); });
  for (int i = 0; i < 50; ++i) loop.turn();
  pending.reset();
  connector.reset();
  settle(loop);
}

TEST_F(SshLoginTest, TooManyRefusedKeysAreUnauthorized) {
  TestSshd sshd("MaxAuthTries 2");
  auto target = target_of(sshd);
  target.identities.clear();
  for (const char* name : {"a", "b", "c", "d"}) {
    make_key(sshd.file(name));
    target.identities.push_back(sshd.file(name));
  }
  expect_refusal(target, Errc::kUnauthorized, "IdentitiesOnly");
}

TEST_F(SshLoginTest, ManyConnectsToOneHostAllSucceed) {
  TestSshd sshd;
  const auto target = target_of(sshd);
  std::vector<std::unique_ptr<Pending>> pending;
  std::vector<std::unique_ptr<SshConnection>> connections;
  pending.reserve(12);
  for (int i = 0; i < 12; ++i) {
    pending.push_back(connector->connect(target, prompter, [&](auto made) {
      if (made) connections.push_back(std::move(*made));
    }));
  }
  EXPECT_TRUE(wait([&] { return connections.size() == 12; })) << connections.size();
}

}  // namespace
}  // namespace hpc
