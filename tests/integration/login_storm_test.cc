// Many users lose one login node at the same moment.
#include <gtest/gtest.h>
#include <signal.h>
#include <sodium.h>

#include <algorithm>
#include <list>

#include "manager/session/ssh_logins.h"
#include "manager/ssh/nobody_to_ask.h"
#include "tests/support/ssh_fixture.h"

namespace hpc {
namespace {

constexpr std::size_t kLogins = 20;

struct CountingWatcher final : ClusterLogin::Watcher {
  void on_login_up(SshConnection&) override { ++ups; }
  void on_login_down(const Error& why) override {
    ++downs;
    last = why.detail;
  }
  void on_login_stopped(const Error& why) override { last = why.detail; }
  void on_login_progress(const std::string&) override {}
  int ups = 0;
  int downs = 0;
  std::string last;
};

struct LoginStormTest : SshFixture {
  bool all(int ups) {
    return wait([this, ups] {
      return std::all_of(watchers.begin(), watchers.end(),
                         [ups](const CountingWatcher& one) { return one.ups == ups; });
    });
  }
  int downs() const {
    int sum = 0;
    for (const auto& one : watchers) sum += one.downs;
    return sum;
  }

  NobodyToAsk nobody;
  std::unique_ptr<Scheduler> scheduler = make_loop_scheduler(loop);
  std::list<CountingWatcher> watchers;
};

// sshd drops whoever comes while six others are not authenticated, so all at once would not get in.
TEST_F(LoginStormTest, AllComeBackWithoutCrowdingTheServer) {
  TestSshd sshd("MaxStartups 6:100:6");
  SshLogins logins(*scheduler, *connector, nobody, randombytes_uniform,
                   {[&](const std::string&, const std::string&) { return target_of(sshd); },
                    /*adopts=*/false});
  std::vector<ClusterLogin*> made;
  for (std::size_t i = 0; i < kLogins; ++i) {
    made.push_back(logins.login("user" + std::to_string(i), "main").value_or(nullptr));
    ASSERT_NE(made.back(), nullptr);
    made.back()->watch(watchers.emplace_back());
  }
  ASSERT_TRUE(all(1)) << watchers.front().last;
  EXPECT_EQ(downs(), 0);
  for (const pid_t pid : children_of(sshd.pid())) kill(pid, SIGKILL);
  ASSERT_TRUE(all(2)) << watchers.front().last << sshd.log();
  EXPECT_EQ(downs(), static_cast<int>(kLogins)) << "each once, for the loss";
  auto watcher = watchers.begin();
  for (auto* login : made) login->unwatch(*watcher++);
}

}  // namespace
}  // namespace hpc
