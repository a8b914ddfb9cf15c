#include "node-proxy/run/network_space.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <ostream>

namespace hpc {
namespace {

namespace fs = std::filesystem;
using Step = NetworkSpaceStep;

constexpr NetworkSpaceSettings kPermissive = {96365, 96365, 1, 0};

struct RefusalCase {
  const char* name;
  Step step;
  int error;
  NetworkSpaceSettings settings;
  const char* words;
};
void PrintTo(const RefusalCase& c, std::ostream* os) { *os << c.name; }

constexpr const char* kPolicy =
    "a security policy (seccomp, SELinux, a container or a changed root) forbids it";
constexpr const char* kUsersUsedUp =
    "as many as user.max_user_namespaces (7) allows are in use, or the limit of a container around "
    "this is reached";
constexpr const char* kNetsUsedUp =
    "as many as user.max_net_namespaces allows are in use, or the limit of a container around this "
    "is reached";

const RefusalCase kRefusals[] = {
    {"MaxUsersZero", Step::kUserNamespace, ENOSPC, {0, 9, 1, 0}, "user.max_user_namespaces is 0"},
    {"MaxUsersZeroOldKernel",
     Step::kUserNamespace,
     EINVAL,
     {0, 9, {}, {}},
     "user.max_user_namespaces is 0"},
    {"MaxNetsDoNotForbidUsers", Step::kUserNamespace, EPERM, {9, 0, 1, 0}, kPolicy},
    {"MaxNetsZero", Step::kNetworkNamespace, ENOSPC, {9, 0, 1, 0}, "user.max_net_namespaces is 0"},
    {"MaxUsersDoNotForbidNets", Step::kNetworkNamespace, EPERM, {0, 9, 1, 0}, kPolicy},
    {"UsersUsedUp", Step::kUserNamespace, ENOSPC, {7, 9, 1, 0}, kUsersUsedUp},
    {"UsersUsedUpOldKernel", Step::kUserNamespace, EUSERS, {7, 9, {}, {}}, kUsersUsedUp},
    {"NetsUsedUpAndNoSetting", Step::kNetworkNamespace, ENOSPC, {}, kNetsUsedUp},
    {"Debian", Step::kUserNamespace, EPERM, {9, 9, 0, {}}, "kernel.unprivileged_userns_clone is 0"},
    {"DebianAllows", Step::kUserNamespace, EPERM, {9, 9, 1, {}}, kPolicy},
    {"DebianLaterStep", Step::kIdMap, EPERM, {9, 9, 0, {}}, kPolicy},
    {"UbuntuMap",
     Step::kIdMap,
     EPERM,
     {9, 9, 1, 1},
     "kernel.apparmor_restrict_unprivileged_userns is 1"},
    {"UbuntuLoopback",
     Step::kLoopbackUp,
     EPERM,
     {9, 9, 1, 1},
     "kernel.apparmor_restrict_unprivileged_userns is 1"},
    {"UbuntuUnshare",
     Step::kUserNamespace,
     EACCES,
     {9, 9, 1, 2},
     "kernel.apparmor_restrict_unprivileged_userns is 2"},
    {"UbuntuNetUnshare",
     Step::kNetworkNamespace,
     EPERM,
     {9, 9, 1, 1},
     "kernel.apparmor_restrict_unprivileged_userns is 1"},
    {"UbuntuAllows", Step::kIdMap, EPERM, kPermissive, kPolicy},
    {"UbuntuOtherCause", Step::kIdMap, EROFS, {9, 9, 1, 1}, "/proc is not there, or read-only"},
    {"NoProc", Step::kIdMap, ENOENT, {}, "/proc is not there, or read-only"},
    {"NoUsersInTheKernel", Step::kUserNamespace, EINVAL, {}, "it was built without them"},
    {"NoNetsInTheKernel",
     Step::kNetworkNamespace,
     EINVAL,
     {9, {}, 1, 0},
     "it was built without them"},
    {"NoSuchCall", Step::kUserNamespace, ENOSYS, {}, "it was built without them"},
    {"NoMemory", Step::kNetworkNamespace, ENOMEM, kPermissive,
     "this node has no memory left for it"},
    {"Seccomp", Step::kUserNamespace, EPERM, kPermissive, kPolicy},
    {"SeccompNet", Step::kNetworkNamespace, EPERM, kPermissive, kPolicy},
    {"SeccompNoSettings", Step::kUserNamespace, EPERM, {}, kPolicy},
    {"LoopbackPolicy", Step::kLoopbackUp, EPERM, kPermissive, kPolicy},
};

class RefusalTest : public testing::TestWithParam<RefusalCase> {};
INSTANTIATE_TEST_SUITE_P(All, RefusalTest, testing::ValuesIn(kRefusals),
                         [](const auto& test) { return test.param.name; });

TEST_P(RefusalTest, NamesWhatForbidsIt) {
  const auto& c = GetParam();
  EXPECT_EQ(explain_refusal(c.step, c.error, c.settings), c.words);
}

class SettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    top_ = fs::path(testing::TempDir()) / ("network_space_test." + std::to_string(getpid()));
    fs::create_directories(top_ / "user");
    fs::create_directories(top_ / "kernel");
  }
  void TearDown() override { fs::remove_all(top_); }
  void put(const char* path, const char* text) { std::ofstream(top_ / path) << text; }
  fs::path top_;
};

TEST_F(SettingsTest, AreReadWhereTheKernelHasThem) {
  put("user/max_user_namespaces", "96365\n");
  put("kernel/apparmor_restrict_unprivileged_userns", "1\n");
  const auto settings = read_network_space_settings(top_.string());
  EXPECT_EQ(settings.max_user_namespaces, 96365);
  EXPECT_EQ(settings.max_net_namespaces, std::nullopt);
  EXPECT_EQ(settings.unprivileged_userns, std::nullopt);
  EXPECT_EQ(settings.apparmor_restriction, 1);
}

TEST_F(SettingsTest, OthersAreReadToo) {
  put("user/max_net_namespaces", "0\n");
  put("kernel/unprivileged_userns_clone", "0\n");
  const auto settings = read_network_space_settings(top_.string());
  EXPECT_EQ(settings.max_net_namespaces, 0);
  EXPECT_EQ(settings.unprivileged_userns, 0);
}

TEST_F(SettingsTest, WhatIsNoNumberIsNoSetting) {
  put("user/max_user_namespaces", "");
  put("user/max_net_namespaces", "many\n");
  const auto settings = read_network_space_settings(top_.string());
  EXPECT_EQ(settings.max_user_namespaces, std::nullopt);
  EXPECT_EQ(settings.max_net_namespaces, std::nullopt);
}

/// What `work` says, said by a child process: what it enters is gone with it.
std::string in_child(const std::function<std::string()>& work) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    const std::string said = work();
    [[maybe_unused]] const ssize_t size = write(ends[1], said.data(), said.size());
    _exit(0);
  }
  close(ends[1]);
  std::string said;
  std::array<char, 512> piece{};
  for (ssize_t size = 0; (size = read(ends[0], piece.data(), piece.size())) > 0;) {
    said.append(piece.data(), static_cast<std::size_t>(size));
  }
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return said;
}

std::string link_of(const char* path) { return fs::read_symlink(path).string(); }

/// Tests in here need what they are about.
class NetworkSpaceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto works = probe_network_space(); !works) GTEST_SKIP() << describe(works.error());
  }
};

TEST_F(NetworkSpaceTest, ProbeChangesNothingHere) {
  const auto user = link_of("/proc/self/ns/user");
  const auto net = link_of("/proc/self/ns/net");
  ASSERT_TRUE(probe_network_space());
  EXPECT_EQ(link_of("/proc/self/ns/user"), user);
  EXPECT_EQ(link_of("/proc/self/ns/net"), net);
}

TEST_F(NetworkSpaceTest, IsAnotherOneWithTheSameUser) {
  const auto user = link_of("/proc/self/ns/user");
  const auto net = link_of("/proc/self/ns/net");
  EXPECT_EQ(in_child([&]() -> std::string {
              const uid_t uid = geteuid();
              const gid_t gid = getegid();
              if (const auto entered = enter_network_space(); !entered) {
                return describe(entered.error());
              }
              if (link_of("/proc/self/ns/user") == user) return "the old user namespace";
              if (link_of("/proc/self/ns/net") == net) return "the old network namespace";
              return geteuid() == uid && getegid() == gid ? "same" : "another user";
            }),
            "same");
}

/// Can this process listen on the address, and connect to that?
bool has_loopback(int family) {
  sockaddr_storage address{};
  address.ss_family = static_cast<sa_family_t>(family);
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
  if (family == AF_INET) v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (family == AF_INET6) v6->sin6_addr = in6addr_loopback;
  auto* where = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = family == AF_INET ? sizeof *v4 : sizeof *v6;
  const int listening = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int connecting = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool works = bind(listening, where, size) == 0 && listen(listening, 1) == 0 &&
                     getsockname(listening, where, &size) == 0 &&
                     connect(connecting, where, size) == 0;
  close(listening);
  close(connecting);
  return works;
}

TEST_F(NetworkSpaceTest, BothLoopbackAddressesWork) {
  EXPECT_EQ(in_child([]() -> std::string {
              if (const auto entered = enter_network_space(); !entered) return "not entered";
              return std::string(has_loopback(AF_INET) ? "v4" : "-") +
                     (has_loopback(AF_INET6) ? " v6" : " -");
            }),
            "v4 v6");
}

/// In a user namespace of the child's own, where it may change the setting for itself alone.
std::string refusal_with(const char* setting, const char* value) {
  return in_child([&]() -> std::string {
    signal(SIGCHLD, SIG_IGN);  // no exit codes: whoever has started us may have said so
    const auto entered = enter_network_space();
    if (!entered) return describe(entered.error());
    const int file = open(setting, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, value, 1) != 1) return std::string("cannot write ") + setting;
    const auto again = probe_network_space();
    return again ? "allowed" : describe(again.error());
  });
}

TEST_F(NetworkSpaceTest, ReallyForbiddenNetworkNamespacesAreNamed) {
  EXPECT_EQ(refusal_with("/proc/sys/user/max_net_namespaces", "0"),
            "network namespace: the kernel refuses a network namespace (No space left on device): "
            "user.max_net_namespaces is 0; use `--private loopback`, which every kernel allows");
}

TEST_F(NetworkSpaceTest, ReallyForbiddenUserNamespacesAreNamed) {
  EXPECT_EQ(refusal_with("/proc/sys/user/max_user_namespaces", "0"),
            "network namespace: the kernel refuses a user namespace (No space left on device): "
            "user.max_user_namespaces is 0; use `--private loopback`, which every kernel allows");
}

// The child's own network namespace is the first.
TEST_F(NetworkSpaceTest, TheSecondOfTwoIsAllowed) {
  EXPECT_EQ(refusal_with("/proc/sys/user/max_net_namespaces", "2"), "allowed");
}

TEST_F(NetworkSpaceTest, TheSecondOfOneIsNamed) {
  EXPECT_EQ(refusal_with("/proc/sys/user/max_net_namespaces", "1"),
            "network namespace: the kernel refuses a network namespace (No space left on device): "
            "as many as user.max_net_namespaces (1) allows are in use, or the limit of a container "
            "around this is reached; use `--private loopback`, which every kernel allows");
}

}  // namespace
}  // namespace hpc
