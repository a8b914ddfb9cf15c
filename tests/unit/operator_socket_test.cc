#include "manager/gateway/operator_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "common/peer_owner.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/stream_contract.h"
#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

constexpr uid_t kSomebody = 20002;

struct OperatorSocketTest : TempDirFixture {
  using Listening = Result<std::unique_ptr<OperatorSocket>>;

  Listening listen(const std::string& where) {
    return OperatorSocket::listen(loop, where,
                                  [this](auto stream) { accepted.push_back(std::move(stream)); });
  }
  Listening listen() { return listen(path); }
  Error refusal(const std::string& where) {
    const auto result = listen(where);
    EXPECT_FALSE(result) << where;
    return result ? Error{Errc::kSystem, "", ""} : result.error();
  }
  /// A socket that connects to `where`; -1 when it may not.
  static int connect_to(const std::string& where) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    where.copy(address.sun_path, sizeof address.sun_path - 1);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    close(fd);
    return -1;
  }
  static int bind_to(const std::string& where, int type) {
    const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    where.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  /// What a killed program leaves.
  static void leave_stale(const std::string& where) { close(bind_to(where, SOCK_STREAM)); }

  Loop loop;
  std::vector<std::unique_ptr<UnixStream>> accepted;
  std::string path = dir + "/run/operators.sock";
};

TEST_F(OperatorSocketTest, HandsOutConnectionsThatCarryBytes) {
  const auto listening = listen();
  ASSERT_TRUE(listening) << describe(listening.error());
  std::unique_ptr<UnixStream> client;
  const auto pending = connect_unix(loop, path, geteuid(), 5000, [&client](auto result) {
    ASSERT_TRUE(result) << describe(result.error());
    client = std::move(*result);
  });
  ASSERT_TRUE(run_until(loop, [&] { return client && accepted.size() == 1; }));
  Recorder ours, theirs;
  accepted[0]->start(ours);
  client->start(theirs);
  client->write(as_bytes("GET / HTTP/1.1"));
  accepted[0]->write(as_bytes("HTTP/1.1 200 OK"));
  EXPECT_TRUE(run_until(loop, [&] { return ours.received == "GET / HTTP/1.1"; }));
  EXPECT_TRUE(run_until(loop, [&] { return theirs.received == "HTTP/1.1 200 OK"; }));
}

TEST_F(OperatorSocketTest, ItAndItsDirectoryAreOursAlone) {
  const mode_t before = umask(0);
  const auto listening = listen();
  umask(before);
  ASSERT_TRUE(listening);
  EXPECT_EQ(mode(dir + "/run"), 0700);
  EXPECT_EQ(mode(path), 0600);
  EXPECT_EQ(mode(path + ".lock"), 0600);
}

// The file's mode is what stands between bind() and any later chmod.
TEST_F(OperatorSocketTest, AUmaskThatTakesOurOwnRightsIsSaid) {
  const mode_t before = umask(0277);
  std::filesystem::create_directory(dir + "/own");
  chmod((dir + "/own").c_str(), 0700);
  const auto error = refusal(dir + "/own/s");
  umask(before);
  EXPECT_NE(error.detail.find("umask"), std::string::npos) << error.detail;
  EXPECT_FALSE(std::filesystem::exists(dir + "/own/s")) << "nothing is left";
}

TEST_F(OperatorSocketTest, IsGoneAtTheEnd) {
  {
    const auto listening = listen();
    ASSERT_TRUE(listening);
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(OperatorSocketTest, WhatSomebodyElsePutThereStays) {
  {
    const auto listening = listen();
    ASSERT_TRUE(listening);
    std::filesystem::remove(path);
    put(path, "not ours");
  }
  EXPECT_EQ(text(path), "not ours");
}

TEST_F(OperatorSocketTest, ASocketOfADeadProgramIsReplaced) {
  std::filesystem::create_directory(dir + "/run");
  chmod((dir + "/run").c_str(), 0700);
  leave_stale(path);
  ASSERT_EQ(connect_to(path), -1);
  const auto listening = listen();
  ASSERT_TRUE(listening) << describe(listening.error());
  const int fd = connect_to(path);
  EXPECT_GE(fd, 0);
  EXPECT_TRUE(run_until(loop, [&] { return accepted.size() == 1; }));
  close(fd);
}

TEST_F(OperatorSocketTest, ASocketInUseIsLeftAlone) {
  const auto first = listen();
  ASSERT_TRUE(first);
  const auto error = refusal(path);
  EXPECT_EQ(error.code, Errc::kConflict);
  EXPECT_NE(error.detail.find("another hpc-manager serve uses it"), std::string::npos);
  EXPECT_NE(describe(error).find(path), std::string::npos);
  const int fd = connect_to(path);
  EXPECT_GE(fd, 0) << "the first goes on";
  close(fd);
}

// Another program that knows nothing of our lock.
TEST_F(OperatorSocketTest, AForeignListenerIsLeftAlone) {
  const auto first = listen();
  ASSERT_TRUE(first);
  std::filesystem::remove(path + ".lock");
  EXPECT_EQ(refusal(path).code, Errc::kConflict);
  EXPECT_TRUE(std::filesystem::exists(path));
}

// Somebody tidied up under a running manager: its lock still says that it is there.
TEST_F(OperatorSocketTest, AManagerWhoseSocketIsGoneIsNoticed) {
  const auto first = listen();
  ASSERT_TRUE(first);
  std::filesystem::remove(path);
  EXPECT_EQ(refusal(path).code, Errc::kConflict);
}

// What cannot be asked is not taken for dead: a datagram socket that is in use.
TEST_F(OperatorSocketTest, ASocketOfAnotherKindStays) {
  std::filesystem::create_directory(dir + "/run");
  chmod((dir + "/run").c_str(), 0700);
  const int fd = bind_to(path, SOCK_DGRAM);
  EXPECT_FALSE(listen());
  close(fd);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(OperatorSocketTest, AfterTheEndTheNextMayListen) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(listen()) << i;
}

TEST_F(OperatorSocketTest, OtherThingsAtThePathAreRefusedAndStay) {
  const std::string own = dir + "/own";
  std::filesystem::create_directory(own);
  chmod(own.c_str(), 0700);
  put(own + "/file", "keep");
  std::filesystem::create_directory(own + "/folder");
  std::filesystem::create_symlink(own + "/elsewhere", own + "/dangling");
  leave_stale(own + "/stale");
  std::filesystem::create_symlink(own + "/stale", own + "/link");
  for (const auto* name : {"/file", "/folder", "/dangling", "/link"}) {
    EXPECT_EQ(refusal(own + name).code, Errc::kConfig) << name;
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::symlink_status(own + name))) << name;
  }
  EXPECT_EQ(text(own + "/file"), "keep");
  EXPECT_FALSE(std::filesystem::exists(own + "/elsewhere"));
}

TEST_F(OperatorSocketTest, DirectoriesThatOthersMayWriteToAreRefused) {
  const std::string own = dir + "/own";
  std::filesystem::create_directory(own);
  for (const mode_t bits : {0720U, 0702U, 01777U}) {
    chmod(own.c_str(), bits);
    const auto error = refusal(own + "/s");
    EXPECT_EQ(error.code, Errc::kConfig) << std::oct << bits;
    EXPECT_NE(error.detail.find("chmod go-w " + own), std::string::npos) << error.detail;
  }
  chmod(own.c_str(), 0755);
  EXPECT_TRUE(listen(own + "/s")) << "to read is no harm";
}

TEST_F(OperatorSocketTest, ADirectoryBehindASymbolicLinkIsRefused) {
  std::filesystem::create_directory(dir + "/own");
  std::filesystem::create_directory_symlink(dir + "/own", dir + "/link");
  EXPECT_EQ(refusal(dir + "/link/s").code, Errc::kConfig);
  put(dir + "/file", "");
  EXPECT_EQ(refusal(dir + "/file/s").code, Errc::kConfig);
}

TEST_F(OperatorSocketTest, OnlyTheLastDirectoryIsMade) {
  const auto error = refusal(dir + "/none/none/s");
  EXPECT_EQ(error.code, Errc::kSystem);
  EXPECT_NE(error.detail.find("cannot be made"), std::string::npos);
}

TEST_F(OperatorSocketTest, ALockBehindASymbolicLinkIsNotFollowed) {
  std::filesystem::create_directory(dir + "/own");
  chmod((dir + "/own").c_str(), 0700);
  std::filesystem::create_symlink(dir + "/victim", dir + "/own/s.lock");
  EXPECT_EQ(refusal(dir + "/own/s").code, Errc::kSystem);
  EXPECT_FALSE(std::filesystem::exists(dir + "/victim"));
}

TEST_F(OperatorSocketTest, PathsAtTheLimitAndPastIt) {
  std::filesystem::create_directory(dir + "/own");
  chmod((dir + "/own").c_str(), 0700);
  const std::string start = dir + "/own/";
  const std::string longest = start + std::string(kUnixPathBytesMax - start.size(), 'a');
  EXPECT_TRUE(listen(longest));
  const auto error = refusal(longest + "a");
  EXPECT_EQ(error.code, Errc::kConfig);
  EXPECT_NE(error.detail.find("at most 107"), std::string::npos) << error.detail;
  for (const auto* bad : {"", "relative.sock", "/"}) {
    EXPECT_EQ(refusal(bad).code, Errc::kConfig) << bad;
  }
  EXPECT_EQ(refusal(dir + "/own/").code, Errc::kConfig);
}

TEST_F(OperatorSocketTest, AnotherUsersFilesAreRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
  std::filesystem::create_directory(dir + "/theirs");
  chmod((dir + "/theirs").c_str(), 0700);
  ASSERT_EQ(chown((dir + "/theirs").c_str(), kSomebody, kSomebody), 0);
  const auto error = refusal(dir + "/theirs/s");
  EXPECT_EQ(error.code, Errc::kConfig);
  EXPECT_NE(error.detail.find("belongs to another user"), std::string::npos);
  std::filesystem::create_directory(dir + "/own");
  chmod((dir + "/own").c_str(), 0700);
  leave_stale(dir + "/own/s");
  ASSERT_EQ(chown((dir + "/own/s").c_str(), kSomebody, kSomebody), 0);
  EXPECT_EQ(refusal(dir + "/own/s").code, Errc::kConfig);
}

// Should the modes ever fail us (an operator who widened them), the kernel still says who asks.
TEST_F(OperatorSocketTest, AnotherUsersProcessIsClosedWithoutAWord) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  const auto listening = listen();
  ASSERT_TRUE(listening);
  chmod(dir.c_str(), 0755);
  chmod((dir + "/run").c_str(), 0755);
  int stranger = -1;
  // Of this thread alone: glibc's setresuid() would change all of them.
  const auto connect_as_somebody = [&] {
    if (syscall(SYS_setresuid, kSomebody, kSomebody, kSomebody) == 0) stranger = connect_to(path);
  };
  std::thread(connect_as_somebody).join();
  EXPECT_EQ(stranger, -1) << "the mode of the socket alone keeps them out";
  chmod(path.c_str(), 0666);
  std::thread(connect_as_somebody).join();
  ASSERT_GE(stranger, 0);
  char byte = 0;
  ssize_t got = -1;
  EXPECT_TRUE(run_until(loop, [&] {
    got = recv(stranger, &byte, 1, MSG_DONTWAIT);
    return got == 0;
  }));
  EXPECT_TRUE(accepted.empty());
  close(stranger);
}

TEST(MayOperateTest, TheManagersOwnUserAndRoot) {
  EXPECT_TRUE(may_operate(1000, 1000));
  EXPECT_TRUE(may_operate(0, 1000));
  EXPECT_TRUE(may_operate(0, 0));
  EXPECT_FALSE(may_operate(1001, 1000));
  EXPECT_FALSE(may_operate(1000, 0));
  EXPECT_FALSE(may_operate(kOverflowUid, 1000));
  EXPECT_FALSE(may_operate(kOverflowUid, kOverflowUid)) << "that may be anybody";
}

}  // namespace
}  // namespace hpc
