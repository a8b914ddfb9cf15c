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

/// Dials nobody: says which addresses are tried, and answers each as the test wrote down.
struct PrivateAddressTest : LoopFixture {
  ScriptedOwner owner;
  std::vector<std::string> tried;
  std::vector<Errc> answers;
  AppConnector connector{
      loop,
      owner,
      {20001U, {}, 5000, {"127.64.0.4", "127.64.0.5"}},
      [this](const std::string& address, std::uint16_t, std::uint64_t, TcpConnectDone done) {
        const Errc answer = answers[tried.size()];
        tried.push_back(address);
        loop.post(
            [done = std::move(done), answer, address] { done(fail(answer, "connect", address)); });
        return std::make_unique<Pending>();
      }};

  Error ask(std::vector<Errc> given) {
    answers = std::move(given);
    tried.clear();
    std::optional<Error> error;
    const auto pending = connector.connect("5500", [&](auto got) { error = got.error(); });
    EXPECT_TRUE(wait_for([&] { return error.has_value(); }));
    return *error;
  }
};

TEST_F(PrivateAddressTest, TheyAreTriedBeforeTheCommonOnes) {
  constexpr Errc kNo = Errc::kRefused;
  EXPECT_EQ(ask({kNo, kNo, kNo, kNo}).code, Errc::kRefused);
  EXPECT_EQ(tried, (std::vector<std::string>{"127.64.0.4", "127.64.0.5", "127.0.0.1", "::1"}));
}

TEST_F(PrivateAddressTest, RefusalThereSaysNothingOfTheApp) {
  constexpr Errc kNo = Errc::kRefused;
  EXPECT_EQ(ask({kNo, kNo, Errc::kTimeout, kNo}).code, Errc::kTimeout);
  EXPECT_EQ(ask({kNo, kNo, kNo, Errc::kTimeout}).code, Errc::kRefused);
  EXPECT_EQ(ask({Errc::kTimeout, kNo, kNo, kNo}).code, Errc::kTimeout);
}

TEST_F(PrivateAddressTest, ForeignProgramAnywhereIsSaid) {
  constexpr Errc kNo = Errc::kRefused;
  EXPECT_EQ(ask({Errc::kForbidden, kNo, kNo, kNo}).code, Errc::kForbidden);
  EXPECT_EQ(ask({kNo, kNo, Errc::kTimeout, Errc::kForbidden}).code, Errc::kForbidden);
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
