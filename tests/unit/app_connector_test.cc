#include "node-proxy/app_connector.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

/// Says what the test wrote down, one after the other; the last one for ever.
class ScriptedOwner final : public TargetOwner {
 public:
  Result<TargetVerdict> owner_of(const SocketAddress&, const SocketAddress&,
                                 std::uint32_t) override {
    const auto verdict = verdicts[std::min(asked, verdicts.size() - 1)];
    ++asked;
    return verdict;
  }
  std::vector<TargetVerdict> verdicts;
  std::size_t asked = 0;
};

struct AppConnectorTest : LoopFixture {
  ScriptedOwner owner;
  AppConnector connector{loop, owner, {20001U, {}, 5000}};
  std::vector<std::unique_ptr<TcpStream>> accepted;
  std::unique_ptr<TcpListener> listener = std::move(*TcpListener::listen(
      loop, "127.0.0.1", 0, [this](auto stream) { accepted.push_back(std::move(stream)); }));
  std::unique_ptr<Pending> pending;
  std::optional<Result<std::unique_ptr<Stream>>> result;

  void start(std::vector<TargetVerdict> verdicts) {
    owner.verdicts = std::move(verdicts);
    pending = connector.connect(std::to_string(listener->port()),
                                [this](auto got) { result.emplace(std::move(got)); });
  }
  bool connected() {
    return wait_for([this] { return result.has_value(); }) && result->has_value();
  }
};

TEST_F(AppConnectorTest, OwnAppIsConnectedAtOnce) {
  start({TargetVerdict::kOurs});
  EXPECT_TRUE(connected());
  EXPECT_EQ(owner.asked, 1U);
}

// The kernel has dropped what it said was connected, as it does when the app's queue is full.
TEST_F(AppConnectorTest, ConnectionThatNobodyHoldsIsMadeAgain) {
  start({TargetVerdict::kGone, TargetVerdict::kGone, TargetVerdict::kOurs});
  EXPECT_TRUE(connected());
  EXPECT_EQ(owner.asked, 3U);
}

TEST_F(AppConnectorTest, ItIsNotMadeAgainForEver) {
  start({TargetVerdict::kGone});
  EXPECT_FALSE(connected());
  EXPECT_EQ(result->error().code, Errc::kRefused);
  EXPECT_EQ(owner.asked, 7U);
}

TEST_F(AppConnectorTest, ForeignAppIsNotAskedAgain) {
  start({TargetVerdict::kGone, TargetVerdict::kForeign, TargetVerdict::kOurs});
  EXPECT_FALSE(connected());
  EXPECT_EQ(result->error().code, Errc::kForbidden);
  EXPECT_EQ(owner.asked, 2U);
}

TEST_F(AppConnectorTest, MayBeCancelledBetweenTwoAttempts) {
  start({TargetVerdict::kGone});
  ASSERT_TRUE(wait_for([this] { return owner.asked == 1; }));
  pending.reset();
  settle(loop);
  EXPECT_FALSE(result.has_value());
  EXPECT_EQ(owner.asked, 1U);
}

}  // namespace
}  // namespace hpc
