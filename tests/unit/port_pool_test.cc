#include "manager/session/port_pool.h"

#include <gtest/gtest.h>

#include <ostream>
#include <random>
#include <set>

namespace hpc {
namespace {

/// Ports as a set: what is bound, and what somebody else has.
class FakeBinder final : public PortBinder {
 public:
  Result<std::unique_ptr<HeldPort>> bind(const std::string&, std::uint16_t port) override {
    ++binds;
    if (foreign.count(port) != 0 || !bound.insert(port).second) {
      return fail(Errc::kSystem, "bind", "address in use");
    }
    return std::make_unique<Held>(*this, port);
  }
  std::set<std::uint16_t> bound;
  std::set<std::uint16_t> foreign;
  std::size_t binds = 0;

 private:
  class Held final : public HeldPort {
   public:
    Held(FakeBinder& binder, std::uint16_t port) : binder_(binder), port_(port) {}
    ~Held() override { binder_.bound.erase(port_); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

   private:
    FakeBinder& binder_;
    std::uint16_t port_;
  };
};

struct PortPoolTest : testing::Test {
  std::unique_ptr<PortPool> make(std::vector<NamedPortRange> ranges) {
    auto pool = PortPool::make(std::move(ranges), binder);
    EXPECT_TRUE(pool) << pool.error().detail;
    return std::move(*pool);
  }
  FakeBinder binder;
};

TEST_F(PortPoolTest, EveryOwnerGetsOnePortOfEveryRange) {
  const auto pool = make({{"web", 9000, 9001}, {"debug", 9100, 9199}});
  EXPECT_EQ(pool->allocate("a"), (PortLease{{"web", 9000}, {"debug", 9100}}));
  EXPECT_EQ(pool->allocate("b"), (PortLease{{"web", 9001}, {"debug", 9101}}));
  EXPECT_EQ(binder.bound, (std::set<std::uint16_t>{9000, 9001, 9100, 9101}));
}

TEST_F(PortPoolTest, AnOwnerKeepsWhatItHas) {
  const auto pool = make({{"web", 9000, 9001}});
  const auto first = pool->allocate("a");
  EXPECT_EQ(*pool->allocate("a"), *first);
  EXPECT_EQ(*pool->restore("a", {{"web", 9001}}), *first);
  EXPECT_EQ(binder.bound.size(), 1U);
}

TEST_F(PortPoolTest, AnExhaustedRangeIsATypedErrorAndHoldsNothing) {
  const auto pool = make({{"debug", 9100, 9199}, {"web", 9000, 9001}});
  ASSERT_TRUE(pool->allocate("a"));
  ASSERT_TRUE(pool->allocate("b")) << "as many as the smallest range has";
  const auto refused = pool->allocate("c");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnavailable);
  EXPECT_NE(refused.error().detail.find("web=9000-9001"), std::string::npos);
  EXPECT_EQ(pool->stats()["debug"].allocated, 2U) << "rolled back";
  EXPECT_EQ(binder.bound.size(), 4U);
}

TEST_F(PortPoolTest, AReleasedPortIsGivenOutAgainLast) {
  const auto pool = make({{"web", 9000, 9002}});
  ASSERT_TRUE(pool->allocate("a"));
  pool->release("a");
  EXPECT_EQ(pool->allocate("b"), (PortLease{{"web", 9001}}));
  EXPECT_EQ(pool->allocate("c"), (PortLease{{"web", 9002}}));
  EXPECT_EQ(pool->allocate("d"), (PortLease{{"web", 9000}}));
}

TEST_F(PortPoolTest, PortsOfOthersAreSkipped) {
  binder.foreign = {9000, 9001};
  const auto pool = make({{"web", 9000, 9002}});
  EXPECT_EQ(pool->allocate("a"), (PortLease{{"web", 9002}}));
  binder.binds = 0;
  EXPECT_FALSE(pool->allocate("b"));
  EXPECT_LE(binder.binds, 3U) << "each port is tried once";
  binder.foreign.clear();
  EXPECT_TRUE(pool->allocate("b")) << "others' ports come back";
}

TEST_F(PortPoolTest, ReleaseOfNobodyDoesNothing) {
  const auto pool = make({{"web", 9000, 9002}});
  ASSERT_TRUE(pool->allocate("a"));
  pool->release("b");
  pool->release("a");
  pool->release("a");
  EXPECT_EQ(pool->stats()["web"].allocated, 0U);
}

TEST_F(PortPoolTest, RestoreTakesTheSamePorts) {
  const auto pool = make({{"web", 9000, 9009}, {"debug", 9100, 9109}});
  EXPECT_EQ(pool->restore("a", {{"web", 9005}, {"debug", 9107}}),
            (PortLease{{"web", 9005}, {"debug", 9107}}));
  EXPECT_EQ(pool->restore("b", {{"web", 9006}}), (PortLease{{"web", 9006}, {"debug", 9100}}))
      << "a range that is new since";
}

TEST_F(PortPoolTest, RestoreIsAllOrNone) {
  binder.foreign = {9107};
  const auto pool = make({{"web", 9000, 9009}, {"debug", 9100, 9109}});
  EXPECT_EQ(pool->restore("a", {{"web", 9005}, {"debug", 9107}}).error().code, Errc::kUnavailable);
  EXPECT_TRUE(binder.bound.empty());
  EXPECT_FALSE(pool->restore("a", {{"web", 8999}})) << "not of the range any more";
  EXPECT_FALSE(pool->restore("a", {{"web", 9010}}));
  ASSERT_TRUE(pool->restore("a", {{"web", 9005}}));
  EXPECT_FALSE(pool->restore("b", {{"web", 9005}})) << "another session has it";
}

TEST_F(PortPoolTest, StatisticsAndTheMostSessions) {
  const auto pool = make({{"web", 9000, 9009}, {"debug", 9100, 9102}});
  ASSERT_TRUE(pool->allocate("a"));
  const auto stats = pool->stats();
  EXPECT_EQ(stats.at("web").allocated, 1U);
  EXPECT_EQ(stats.at("web").available, 9U);
  EXPECT_EQ(stats.at("web").total, 10U);
  EXPECT_EQ(pool->max_sessions(), 3U);
}

TEST_F(PortPoolTest, TheHighestPortIsUsable) {
  const auto pool = make({{"web", 65534, 65535}});
  EXPECT_TRUE(pool->allocate("a"));
  EXPECT_TRUE(pool->allocate("b"));
  EXPECT_FALSE(pool->allocate("c"));
}

TEST_F(PortPoolTest, AThousandRandomOperationsKeepThePromises) {
  const auto pool = make({{"web", 9000, 9007}, {"debug", 9100, 9111}});
  std::mt19937 random(20261121);  // NOLINT(cert-msc51-cpp): the same run every time
  std::map<std::string, PortLease> model;
  for (int i = 0; i < 1000; ++i) {
    const auto owner = std::string(1, static_cast<char>('a' + random() % 12));
    if (random() % 5 == 0) binder.foreign = {static_cast<std::uint16_t>(9000 + random() % 8)};
    if (random() % 2 == 0) {
      pool->release(owner);
      model.erase(owner);
    } else if (const auto lease = pool->allocate(owner)) {
      const auto [known, added] = model.emplace(owner, *lease);
      EXPECT_EQ(known->second, *lease) << "a lease never changes";
    } else {
      EXPECT_EQ(model.count(owner), 0U);
      EXPECT_GE(model.size(), pool->max_sessions() - 1) << "only exhaustion refuses";
    }
    std::set<std::uint16_t> held;
    for (const auto& [name, lease] : model) {
      EXPECT_EQ(lease.size(), 2U) << "all or none";
      for (const auto& [range, port] : lease) EXPECT_TRUE(held.insert(port).second);
    }
    ASSERT_EQ(binder.bound, held) << "what is bound is what is leased, after " << i;
  }
}

TEST_F(PortPoolTest, TenThousandStartsAndEndsHoldNothing) {
  const auto pool = make({{"web", 9000, 9099}});
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(pool->allocate("s" + std::to_string(i)));
    pool->release("s" + std::to_string(i));
  }
  EXPECT_EQ(pool->stats()["web"].allocated, 0U);
  EXPECT_TRUE(binder.bound.empty());
}

struct BadRanges {
  const char* name;
  std::vector<NamedPortRange> ranges;
  const char* says;
};
void PrintTo(const BadRanges& c, std::ostream* os) { *os << c.name; }

std::vector<NamedPortRange> many_ranges(std::size_t count) {
  std::vector<NamedPortRange> ranges;
  for (std::size_t i = 0; i < count; ++i) {
    const auto port = static_cast<std::uint16_t>(9000 + i);
    ranges.push_back({"r" + std::to_string(i), port, port});
  }
  return ranges;
}

const BadRanges kBadRanges[] = {
    {"none", {}, "no range"},
    {"no_name", {{"", 9000, 9001}}, "no name"},
    {"backwards", {{"web", 9001, 9000}}, "web=9001-9000 is no range"},
    {"privileged", {{"web", 1023, 9000}}, "within 1024-65535"},
    {"same_name", {{"web", 9000, 9001}, {"web", 9002, 9003}}, "two ranges are named web"},
    {"common_port", {{"a", 9000, 9005}, {"b", 9005, 9006}}, "a=9000-9005 and b=9005-9006"},
    {"inside", {{"a", 9000, 9009}, {"b", 9003, 9004}}, "in common"},
    {"one_too_many", many_ranges(kPortRangesMax + 1), "at most 16"},
};

class BadRangesTest : public testing::TestWithParam<BadRanges> {};
TEST_P(BadRangesTest, AreRefusedWithTheReason) {
  FakeBinder binder;
  const auto pool = PortPool::make(GetParam().ranges, binder);
  ASSERT_FALSE(pool);
  EXPECT_EQ(pool.error().code, Errc::kConfig);
  EXPECT_NE(pool.error().detail.find(GetParam().says), std::string::npos) << pool.error().detail;
}
INSTANTIATE_TEST_SUITE_P(Ranges, BadRangesTest, testing::ValuesIn(kBadRanges),
                         [](const auto& i) { return i.param.name; });

TEST_F(PortPoolTest, AsManyRangesAsAllowed) {
  EXPECT_TRUE(PortPool::make(many_ranges(kPortRangesMax), binder));
  EXPECT_TRUE(PortPool::make({{"a", 1024, 1024}, {"b", 1025, 65535}}, binder));
}

}  // namespace
}  // namespace hpc
