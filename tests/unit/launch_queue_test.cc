#include "manager/session/launch_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hpc {
namespace {

using Ids = std::vector<std::string>;

LaunchQueue::Limits limits(std::size_t all, std::size_t user, std::size_t queued,
                           std::optional<std::size_t> users = {}) {
  return {all, user, queued, users};
}

// All that have their turn now.
Ids turns(LaunchQueue& queue) {
  Ids taken;
  while (auto id = queue.take_next()) taken.push_back(*id);
  return taken;
}

// All turns from now on, when launches end in the order in which they began.
Ids future(LaunchQueue queue, Ids launching) {
  Ids taken;
  for (;;) {
    for (const auto& id : turns(queue)) {
      taken.push_back(id);
      launching.push_back(id);
    }
    if (launching.empty()) return taken;
    queue.release(launching.front());
    launching.erase(launching.begin());
  }
}

TEST(LaunchQueueTest, NobodyWaitsInANewOne) {
  LaunchQueue queue({});
  EXPECT_EQ(queue.take_next(), std::nullopt);
  EXPECT_EQ(queue.queued(), 0U);
  EXPECT_EQ(queue.launching(), 0U);
  EXPECT_EQ(queue.position("a1"), std::nullopt);
  EXPECT_EQ(queue.order(), Ids{});
  EXPECT_TRUE(queue.may_add("alice"));
}

TEST(LaunchQueueTest, AUserLaunchesOneAtATimeInHisOrder) {
  LaunchQueue queue({});
  for (const auto* id : {"a1", "a2", "a3"}) queue.add("alice", id);
  EXPECT_EQ(turns(queue), Ids{"a1"});
  queue.release("a1");
  EXPECT_EQ(turns(queue), Ids{"a2"});
  EXPECT_EQ(queue.position("a3"), 1U);
  EXPECT_EQ(queue.position("a2"), std::nullopt) << "it has had its turn";
}

TEST(LaunchQueueTest, UsersComeByTurns) {
  LaunchQueue queue(limits(1, 1, 5));
  for (const auto* id : {"a1", "a2", "a3"}) queue.add("alice", id);
  for (const auto* id : {"b1", "b2"}) queue.add("bob", id);
  queue.add("carol", "c1");
  const Ids want = {"a1", "b1", "c1", "a2", "b2", "a3"};
  EXPECT_EQ(queue.order(), want);
  EXPECT_EQ(future(queue, {}), want);
}

TEST(LaunchQueueTest, OneThatComesAnewIsBehindThoseThatWait) {
  LaunchQueue queue(limits(1, 1, 5));
  queue.add("alice", "a1");
  queue.add("alice", "a2");
  EXPECT_EQ(turns(queue), Ids{"a1"});
  queue.add("bob", "b1");
  EXPECT_EQ(queue.order(), (Ids{"a2", "b1"})) << "alice waits since her turn, bob since now";
  queue.release("a1");
  EXPECT_EQ(turns(queue), Ids{"a2"});
  queue.add("alice", "a3");
  EXPECT_EQ(queue.order(), (Ids{"b1", "a3"}));
}

TEST(LaunchQueueTest, AUserAtHisOwnLimitIsPassedOverAndKeepsHisPlace) {
  LaunchQueue queue(limits(2, 1, 5));
  queue.add("alice", "a1");
  queue.add("alice", "a2");
  queue.add("bob", "b1");
  queue.add("carol", "c1");
  queue.add("dora", "d1");
  EXPECT_EQ(turns(queue), (Ids{"a1", "b1"}));
  EXPECT_EQ(queue.order(), (Ids{"c1", "d1", "a2"}));
  queue.release("b1");  // alice launches still
  EXPECT_EQ(turns(queue), Ids{"c1"});
  queue.add("erin", "e1");
  queue.release("a1");
  EXPECT_EQ(turns(queue), Ids{"d1"});
  queue.release("c1");
  EXPECT_EQ(turns(queue), Ids{"a2"}) << "before erin, who came after her turn";
}

TEST(LaunchQueueTest, TenOfAllLaunch) {
  LaunchQueue queue({});
  for (int user = 0; user < 12; ++user) {
    queue.add("u" + std::to_string(user), "s" + std::to_string(user));
  }
  EXPECT_EQ(turns(queue).size(), 10U);
  EXPECT_EQ(queue.launching(), 10U);
  EXPECT_EQ(queue.queued(), 2U);
  queue.release("s3");
  EXPECT_EQ(turns(queue), Ids{"s10"});
}

TEST(LaunchQueueTest, OnlySoManyUsersLaunchAtOnce) {
  LaunchQueue queue(limits(10, 2, 5, 2));
  for (const auto* user : {"a", "b", "c"}) {
    for (const auto* number : {"1", "2", "3"}) queue.add(user, std::string(user) + number);
  }
  EXPECT_EQ(turns(queue), (Ids{"a1", "b1"}))
      << "c is next, and those behind do not take the place that c waits for";
  queue.release("a1");
  EXPECT_EQ(turns(queue), Ids{"c1"});
  queue.release("c1");
  EXPECT_EQ(turns(queue), (Ids{"a2", "b2"})) << "b is one of the two already";
}

TEST(LaunchQueueTest, AUserWhoAlwaysLaunchesDoesNotHoldThePlaceOfAnother) {
  LaunchQueue queue(limits(10, 2, 5, 1));
  for (const auto* id : {"a1", "a2", "a3", "a4"}) queue.add("alice", id);
  EXPECT_EQ(turns(queue), (Ids{"a1", "a2"}));
  queue.add("bob", "b1");
  queue.release("a1");
  EXPECT_EQ(turns(queue), Ids{"a3"}) << "alice waits since before bob";
  queue.release("a2");
  EXPECT_EQ(turns(queue), Ids{}) << "it is bob's turn, as soon as alice launches nothing";
  queue.release("a3");
  EXPECT_EQ(turns(queue), Ids{"b1"});
}

TEST(LaunchQueueTest, TheSixthThatWaitsIsRefusedWithTheReason) {
  LaunchQueue queue({});
  for (int number = 0; number < 6; ++number) {
    ASSERT_TRUE(queue.may_add("alice")) << number;
    queue.add("alice", "a" + std::to_string(number));
  }
  const auto refused = queue.may_add("alice");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kTooMany);
  EXPECT_EQ(refused.error().detail,
            "you have 5 sessions waiting to be launched, which is as many as one user may have; "
            "wait for one to start, or end one");
  EXPECT_TRUE(queue.may_add("bob"));
  EXPECT_EQ(turns(queue), Ids{"a0"});
  EXPECT_FALSE(queue.may_add("alice")) << "the same after the first has had its turn";
  queue.release("a3");
  EXPECT_TRUE(queue.may_add("alice"));
  queue.add("alice", "a6");
  EXPECT_FALSE(queue.may_add("alice"));
  queue.release("a0");
  EXPECT_TRUE(queue.may_add("alice")) << "one will launch, so one more may wait";
}

TEST(LaunchQueueTest, TheReasonNamesHowManyWait) {
  LaunchQueue one(limits(1, 1, 1));
  one.add("alice", "a1");
  one.add("alice", "a2");
  EXPECT_EQ(one.may_add("alice").error().detail,
            "you have 1 session waiting to be launched, which is as many as one user may have; "
            "wait for one to start, or end one");
  one.add("alice", "a3");  // after a restart with a lower limit
  EXPECT_EQ(one.may_add("alice").error().detail,
            "you have 2 sessions waiting to be launched, which is more than one user may have; "
            "wait for one to start, or end one");
}

TEST(LaunchQueueTest, WhereNobodyMayWaitOneThatCanLaunchIsTaken) {
  LaunchQueue queue(limits(1, 1, 0));
  EXPECT_TRUE(queue.may_add("alice"));
  queue.add("alice", "a1");
  EXPECT_EQ(queue.may_add("bob").error().detail,
            "no session may wait to be launched here, and yours cannot be launched just now; try "
            "again later");
  EXPECT_EQ(turns(queue), Ids{"a1"});
  EXPECT_FALSE(queue.may_add("bob"));
  queue.release("a1");
  EXPECT_TRUE(queue.may_add("bob"));
}

TEST(LaunchQueueTest, AskingChangesNothing) {
  LaunchQueue queue({});
  queue.add("alice", "a1");
  EXPECT_TRUE(queue.may_add("alice"));
  EXPECT_TRUE(queue.may_add("bob"));
  EXPECT_EQ(queue.order(), Ids{"a1"});
  EXPECT_EQ(queue.queued(), 1U);
  EXPECT_EQ(queue.launching(), 0U);
  EXPECT_EQ(turns(queue), Ids{"a1"});
}

TEST(LaunchQueueTest, OneThatIsGivenUpLeavesTheOthersInTheirOrder) {
  LaunchQueue queue(limits(1, 1, 5));
  for (const auto* id : {"a1", "a2", "a3"}) queue.add("alice", id);
  queue.add("bob", "b1");
  queue.release("a1");
  EXPECT_EQ(queue.order(), (Ids{"a2", "b1", "a3"}));
  EXPECT_EQ(queue.waiting_of("alice"), (Ids{"a2", "a3"}));
  queue.release("b1");
  EXPECT_EQ(queue.order(), (Ids{"a2", "a3"}));
  EXPECT_EQ(queue.waiting_of("bob"), Ids{});
}

TEST(LaunchQueueTest, UnknownAndReleasedIdsChangeNothing) {
  LaunchQueue queue({});
  queue.release("nobody");
  queue.add("alice", "a1");
  queue.add("alice", "a2");
  EXPECT_EQ(turns(queue), Ids{"a1"});
  queue.release("nobody");
  queue.release("");
  EXPECT_EQ(queue.launching(), 1U);
  EXPECT_EQ(queue.order(), Ids{"a2"});
  queue.release("a1");
  queue.release("a1");
  EXPECT_EQ(queue.launching(), 0U);
  EXPECT_EQ(turns(queue), Ids{"a2"});
}

TEST(LaunchQueueTest, NewLimitsHoldFromTheNextTurnOn) {
  LaunchQueue queue(limits(2, 2, 5));
  for (const auto* id : {"a1", "a2", "a3", "a4"}) queue.add("alice", id);
  EXPECT_EQ(turns(queue), (Ids{"a1", "a2"}));
  EXPECT_EQ(queue.order(), (Ids{"a3", "a4"}));
  queue.set_limits(limits(1, 1, 5));
  EXPECT_EQ(queue.launching(), 2U) << "what launches is not taken back";
  queue.release("a1");
  EXPECT_EQ(turns(queue), Ids{});
  queue.set_limits(limits(3, 3, 5));
  EXPECT_EQ(turns(queue), (Ids{"a3", "a4"}));
}

TEST(LaunchQueueTest, WhereNothingMayLaunchAllKeepAnOrder) {
  LaunchQueue queue(limits(0, 0, 5, 0));
  queue.add("alice", "a1");
  queue.add("alice", "a2");
  queue.add("bob", "b1");
  EXPECT_EQ(turns(queue), Ids{});
  EXPECT_EQ(queue.order(), (Ids{"a1", "b1", "a2"}));
}

TEST(LaunchQueueTest, MoreThanTheLimitsAreTakenOverFromBefore) {
  LaunchQueue queue(limits(1, 1, 1));
  queue.add_launching("alice", "a1");
  queue.add_launching("alice", "a2");
  queue.add_launching("bob", "b1");
  for (const auto* id : {"a3", "a4", "a5"}) queue.add("alice", id);
  EXPECT_EQ(queue.launching(), 3U);
  EXPECT_EQ(turns(queue), Ids{});
  for (const auto* id : {"a1", "b1"}) queue.release(id);
  EXPECT_EQ(turns(queue), Ids{});
  queue.release("a2");
  EXPECT_EQ(turns(queue), Ids{"a3"});
}

// ---------------------------------------------------------------------------------- properties

/// What the queue should be, written down as simply as possible: a number for every waiting user,
/// the smallest is next.
struct Model {
  struct Entry {
    std::string user;
    std::string id;
    std::uint64_t number = 0;  // as an owner would store it
  };
  LaunchQueue::Limits limits;
  std::uint64_t last_number = 0;
  std::vector<Entry> waiting;  // in the order in which they came
  std::vector<Entry> launching;
  std::map<std::string, std::uint64_t> waits_since;  // by user: his turn, or his coming anew

  static std::size_t of(const std::vector<Entry>& entries, const std::string& user) {
    return static_cast<std::size_t>(std::count_if(
        entries.begin(), entries.end(), [&](const Entry& each) { return each.user == user; }));
  }
  std::size_t users_launching() const {
    std::set<std::string> users;
    for (const auto& each : launching) users.insert(each.user);
    return users.size();
  }
  bool at_own_limit(const std::string& user) const {
    return of(launching, user) >= limits.launching_per_user_max;
  }
  Ids waiting_ids(const std::string& user) const {
    Ids ids;
    for (const auto& each : waiting) {
      if (each.user == user) ids.push_back(each.id);
    }
    return ids;
  }

  void add(const std::string& user, const std::string& id) {
    ++last_number;
    if (of(waiting, user) == 0) waits_since[user] = last_number;
    waiting.push_back({user, id, last_number});
  }
  std::optional<std::string> next_user() const {
    std::optional<std::string> next;
    for (const auto& [user, since] : waits_since) {
      if (of(waiting, user) == 0 || at_own_limit(user)) continue;
      if (!next || since < waits_since.at(*next)) next = user;
    }
    if (!next || launching.size() >= limits.launching_max) return std::nullopt;
    if (limits.users_launching_max && of(launching, *next) == 0 &&
        users_launching() >= *limits.users_launching_max) {
      return std::nullopt;
    }
    return next;
  }
  std::optional<std::string> take_next() {
    const auto user = next_user();
    if (!user) return std::nullopt;
    const auto first = std::find_if(waiting.begin(), waiting.end(),
                                    [&](const Entry& each) { return each.user == *user; });
    const std::string id = first->id;
    launching.push_back(*first);
    waiting.erase(first);
    waits_since[*user] = ++last_number;
    for (auto& each : waiting) {
      if (each.user == *user) each.number = ++last_number;
    }
    return id;
  }
  void release(const std::string& id) {
    const auto same = [&](const Entry& each) { return each.id == id; };
    std::erase_if(launching, same);
    const auto found = std::find_if(waiting.begin(), waiting.end(), same);
    if (found == waiting.end()) return;
    const Entry gone = *found;
    const auto behind = waiting.erase(found);
    const auto next = std::find_if(behind, waiting.end(),
                                   [&](const Entry& each) { return each.user == gone.user; });
    // The user keeps his place here, so his next one has it in what is stored.
    if (next != waiting.end() && waiting_ids(gone.user).front() == next->id) {
      next->number = gone.number;
    }
  }
  LaunchQueue restarted() const {
    LaunchQueue queue(limits);
    for (const auto& each : launching) queue.add_launching(each.user, each.id);
    auto stored = waiting;
    std::sort(stored.begin(), stored.end(),
              [](const Entry& one, const Entry& other) { return one.number < other.number; });
    for (const auto& each : stored) queue.add(each.user, each.id);
    return queue;
  }
};

class LaunchQueueProperties : public testing::TestWithParam<unsigned> {
 protected:
  std::size_t below(std::size_t count) {
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_);
  }
  std::string some_user() { return "u" + std::to_string(below(8)); }

  void add() {
    const auto user = some_user();
    const bool allowed = queue_.may_add(user).has_value();
    auto after = model_;
    after.add(user, "probe");
    while (after.take_next()) {
    }
    ASSERT_EQ(allowed, Model::of(after.waiting, user) <= model_.limits.queued_per_user_max);
    if (!allowed && below(20) != 0) return;  // past the limit as after a restart
    const auto id = "s" + std::to_string(++ids_);
    queue_.add(user, id);
    model_.add(user, id);
  }

  void take() {
    const auto id = queue_.take_next();
    const auto user = model_.next_user();
    ASSERT_EQ(id, model_.take_next());
    if (!id) return;
    const auto& limits = model_.limits;
    EXPECT_LE(Model::of(model_.launching, *user), limits.launching_per_user_max);
    EXPECT_LE(model_.launching.size(), limits.launching_max);
    // One more of a user who launches already adds no user; a limit may have been lowered.
    if (limits.users_launching_max && Model::of(model_.launching, *user) == 1) {
      EXPECT_LE(model_.users_launching(), *limits.users_launching_max);
    }
    note_turn(*user);
  }
  // While a user waits below his own limit, no other has two turns. So of u users everyone has his
  // turn within u turns, and the k-th of his within k * u.
  void note_turn(const std::string& user) {
    passed_by_.erase(user);
    for (const auto& each : model_.waiting) {
      if (each.user == user || model_.at_own_limit(each.user)) {
        passed_by_.erase(each.user);
      } else {
        served_while_waiting_.insert({each.user, user});
      }
    }
    for (const auto& [waiting, served] : served_while_waiting_) {
      EXPECT_TRUE(passed_by_[waiting].insert(served).second)
          << served << " had two turns while " << waiting << " waited";
    }
    served_while_waiting_.clear();
  }

  void release_one() {
    const auto& from = below(4) == 0 ? model_.waiting : model_.launching;
    if (from.empty()) return;
    const auto [user, id, number] = from[below(from.size())];
    queue_.release(id);
    model_.release(id);
    if (Model::of(model_.waiting, user) == 0) passed_by_.erase(user);
  }

  void change_limits() {
    model_.limits = limits(1 + below(6), 1 + below(3), below(6));
    if (below(2) == 0) model_.limits.users_launching_max = 1 + below(4);
    queue_.set_limits(model_.limits);
    passed_by_.clear();
  }

  void check() {
    ASSERT_EQ(queue_.launching(), model_.launching.size());
    ASSERT_EQ(queue_.queued(), model_.waiting.size());
    const auto order = queue_.order();
    Ids launching;
    for (const auto& each : model_.launching) launching.push_back(each.id);
    ASSERT_EQ(order, future(queue_, launching));
    std::map<std::string, Ids> by_user;
    for (std::size_t place = 0; place < order.size(); ++place) {
      ASSERT_EQ(queue_.position(order[place]), place + 1);
      const auto& own = *std::find_if(model_.waiting.begin(), model_.waiting.end(),
                                      [&](const auto& each) { return each.id == order[place]; });
      by_user[own.user].push_back(own.id);
    }
    for (const auto& [user, ids] : by_user) {
      ASSERT_EQ(ids, model_.waiting_ids(user));
      ASSERT_EQ(ids, queue_.waiting_of(user));
    }
  }

  // NOLINTNEXTLINE(cert-msc51-cpp): the same run every time
  std::mt19937 random_{GetParam()};
  Model model_;
  LaunchQueue queue_{model_.limits};
  std::uint64_t ids_ = 0;
  std::map<std::string, std::set<std::string>> passed_by_;
  std::set<std::pair<std::string, std::string>> served_while_waiting_;
};

TEST_P(LaunchQueueProperties, HoldThroughTenThousandOperations) {
  for (int step = 0; step < 10'000 && !HasFatalFailure() && !HasNonfatalFailure(); ++step) {
    const auto dice = below(100);
    if (dice < 40) {
      add();
    } else if (dice < 65) {
      take();
    } else if (dice < 95) {
      release_one();
    } else if (dice < 96) {
      change_limits();
    } else if (dice < 98) {
      queue_.release("s" + std::to_string(ids_ + 1));
    } else {
      const auto before = queue_.order();
      queue_ = model_.restarted();
      ASSERT_EQ(queue_.order(), before) << "after a restart at step " << step;
    }
    if (step % 40 == 0) check();
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, LaunchQueueProperties, testing::Values(1U, 2U));

// Nothing is left behind by users that came once: names do not pile up for ever.
TEST(LaunchQueueTest, OneWhoIsDoneStartsAnew) {
  LaunchQueue queue(limits(1, 1, 5));
  queue.add("alice", "a1");
  queue.add("bob", "b1");
  EXPECT_EQ(turns(queue), Ids{"a1"});
  queue.release("a1");
  EXPECT_EQ(turns(queue), Ids{"b1"});
  queue.release("b1");
  queue.add("bob", "b2");
  queue.add("alice", "a2");
  EXPECT_EQ(queue.order(), (Ids{"b2", "a2"}));
}

}  // namespace
}  // namespace hpc
