#include "manager/sd_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <cstddef>
#include <cstdlib>

#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

/// The service manager's end.
struct SdNotifyTest : TempDirFixture {
  void listen(const std::string& name) {
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0);
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~SdNotifyTest() override {
    if (fd >= 0) close(fd);
    for (const auto* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }
  SdNotifyTest() = default;
  SdNotifyTest(const SdNotifyTest&) = delete;
  SdNotifyTest& operator=(const SdNotifyTest&) = delete;
  /// The next datagram; it is there as soon as it was sent.
  std::string heard() {
    char buffer[512];
    const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    return size < 0 ? "nothing" : std::string(buffer, static_cast<std::size_t>(size));
  }
  int fd = -1;
};

TEST_F(SdNotifyTest, SaysWhatHappens) {
  listen(dir + "/notify");
  auto notifier = ServiceNotifier::from_environment();
  ASSERT_TRUE(notifier.wanted());
  notifier.ready("serving at https://hpc.example.org/");
  EXPECT_EQ(heard(), "READY=1\nSTATUS=serving at https://hpc.example.org/");
  notifier.status("3 sessions");
  EXPECT_EQ(heard(), "STATUS=3 sessions");
  notifier.watchdog();
  EXPECT_EQ(heard(), "WATCHDOG=1");
  notifier.stopping();
  EXPECT_EQ(heard(), "STOPPING=1");
  EXPECT_EQ(heard(), "nothing");
}

TEST_F(SdNotifyTest, AReloadSaysWhenItBegan) {
  listen(dir + "/notify");
  auto notifier = ServiceNotifier::from_environment();
  const auto before = uv_hrtime() / 1000;
  notifier.reloading();
  const auto after = uv_hrtime() / 1000;
  const auto message = heard();
  const std::string start = "RELOADING=1\nMONOTONIC_USEC=";
  ASSERT_TRUE(message.starts_with(start)) << message;
  const auto at = std::stoull(message.substr(start.size()));
  EXPECT_GE(at, before);
  EXPECT_LE(at, after);
}

TEST_F(SdNotifyTest, AnAbstractSocketWillDo) {
  listen("@hpc-notify-test-" + std::to_string(getpid()));
  auto notifier = ServiceNotifier::from_environment();
  notifier.stopping();
  EXPECT_EQ(heard(), "STOPPING=1");
}

TEST_F(SdNotifyTest, AStatusIsOneLine) {
  listen(dir + "/notify");
  auto notifier = ServiceNotifier::from_environment();
  notifier.status("a\nMAINPID=1");
  EXPECT_EQ(heard(), "STATUS=a MAINPID=1") << "and no order to the service manager";
}

TEST_F(SdNotifyTest, ChildrenCannotSpeakForUs) {
  listen(dir + "/notify");
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  const auto notifier = ServiceNotifier::from_environment();
  EXPECT_TRUE(notifier.wanted());
  for (const auto* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    EXPECT_EQ(std::getenv(name), nullptr) << name;
  }
}

TEST_F(SdNotifyTest, WithoutAServiceManagerNothingHappens) {
  for (const auto* name : {"", "notify", "/", "@", "vsock:2:1"}) {
    setenv("NOTIFY_SOCKET", name, 1);
    auto notifier = ServiceNotifier::from_environment();
    EXPECT_FALSE(notifier.wanted()) << name;
    notifier.ready("x");
  }
  unsetenv("NOTIFY_SOCKET");
  auto notifier = ServiceNotifier::from_environment();
  EXPECT_FALSE(notifier.wanted());
  notifier.stopping();
}

TEST_F(SdNotifyTest, ASocketThatIsGoneIsNoFailure) {
  listen(dir + "/notify");
  auto notifier = ServiceNotifier::from_environment();
  close(std::exchange(fd, -1));
  notifier.ready("x");
  setenv("NOTIFY_SOCKET", ("/" + std::string(200, 'a')).c_str(), 1);
  auto too_long = ServiceNotifier::from_environment();
  too_long.ready("x");
}

struct WatchdogCase {
  const char* usec;
  const char* pid;  // "": not set; "own": ours
  std::optional<std::uint64_t> period_ms;
};
TEST_F(SdNotifyTest, TheWatchdogIsFedTwiceAsOftenAsNeeded) {
  const WatchdogCase cases[] = {
      {"30000000", "own", 15'000},
      {"30000000", "", 15'000},
      {"1000", "", 1},
      {"30000000", "1", {}},
      {"0", "", {}},
      {"soon", "", {}},
      {"", "", {}},
      {"30000000", "x", {}},
  };
  for (const auto& c : cases) {
    setenv("NOTIFY_SOCKET", (dir + "/notify").c_str(), 1);
    setenv("WATCHDOG_USEC", c.usec, 1);
    const std::string pid = std::string(c.pid) == "own" ? std::to_string(getpid()) : c.pid;
    if (!pid.empty()) setenv("WATCHDOG_PID", pid.c_str(), 1);
    EXPECT_EQ(ServiceNotifier::from_environment().watchdog_period_ms(), c.period_ms)
        << c.usec << " " << c.pid;
  }
  setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_FALSE(ServiceNotifier::from_environment().watchdog_period_ms()) << "no socket";
}

}  // namespace
}  // namespace hpc
