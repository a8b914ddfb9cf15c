#include "manager/session/launch_queue.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace hpc {

void LaunchQueue::set_limits(Limits limits) {
  limits_ = limits;
  order_.reset();
}

Status LaunchQueue::may_add(const std::string& user) const {
  // Played through, so that the one rule for turns is take_next().
  LaunchQueue after(*this);
  after.add(user, "");
  while (after.take_next()) {
  }
  const std::size_t most = limits_.queued_per_user_max;
  const std::size_t would_wait = after.waiting_of(user).size();
  if (would_wait <= most) return {};
  const std::size_t waiting = would_wait - 1;
  if (waiting == 0) {
    return fail(Errc::kTooMany, "queue",
                "no session may wait to be launched here, and yours cannot be launched just now; "
                "try again later");
  }
  const std::string many = waiting == 1 ? "1 session" : std::to_string(waiting) + " sessions";
  return fail(Errc::kTooMany, "queue",
              "you have " + many + " waiting to be launched, which is " +
                  (waiting == most ? "as many as" : "more than") +
                  " one user may have; wait for one to start, or end one");
}

void LaunchQueue::add(const std::string& user, const std::string& id) {
  User& his = users_[user];
  assert(std::find(his.waiting.begin(), his.waiting.end(), id) == his.waiting.end());
  if (his.waiting.empty()) turns_.push_back(user);
  his.waiting.push_back(id);
  ++queued_;
  order_.reset();
}

void LaunchQueue::add_launching(const std::string& user, const std::string& id) {
  ++users_[user].launching;
  launching_.push_back({user, id});
  order_.reset();
}

LaunchQueue::Turn LaunchQueue::may_launch(const User& user) const {
  if (user.launching >= limits_.launching_per_user_max) return Turn::kOwnLimit;
  if (launching_.size() >= limits_.launching_max) return Turn::kLimitOfAll;
  if (!limits_.users_launching_max || user.launching > 0) return Turn::kYes;
  const auto launch = [](const auto& named) { return named.second.launching > 0; };
  const auto users = static_cast<std::size_t>(std::count_if(users_.begin(), users_.end(), launch));
  return users < *limits_.users_launching_max ? Turn::kYes : Turn::kLimitOfAll;
}

std::optional<std::string> LaunchQueue::take_next() {
  for (std::size_t place = 0; place < turns_.size(); ++place) {
    switch (may_launch(users_.at(turns_[place]))) {
      case Turn::kYes:
        return take(place);
      case Turn::kLimitOfAll:
        return std::nullopt;
      case Turn::kOwnLimit:
        break;
    }
  }
  return std::nullopt;
}

std::string LaunchQueue::take(std::size_t place) {
  const auto turn = turns_.begin() + static_cast<std::ptrdiff_t>(place);
  const std::string user = *turn;
  turns_.erase(turn);
  User& his = users_.at(user);
  std::string id = std::move(his.waiting.front());
  his.waiting.pop_front();
  --queued_;
  if (!his.waiting.empty()) turns_.push_back(user);
  add_launching(user, id);
  return id;
}

void LaunchQueue::release(const std::string& id) {
  const auto launch = std::find_if(launching_.begin(), launching_.end(),
                                   [&](const Launch& each) { return each.id == id; });
  if (launch != launching_.end()) {
    const std::string user = launch->user;
    launching_.erase(launch);
    --users_.at(user).launching;
    order_.reset();
    return forget_if_idle(user);
  }
  for (auto& [user, his] : users_) {
    const auto found = std::find(his.waiting.begin(), his.waiting.end(), id);
    if (found == his.waiting.end()) continue;
    his.waiting.erase(found);
    --queued_;
    order_.reset();
    if (his.waiting.empty()) std::erase(turns_, user);
    return forget_if_idle(std::string(user));
  }
}

void LaunchQueue::forget_if_idle(const std::string& user) {
  const auto found = users_.find(user);
  if (found->second.launching == 0 && found->second.waiting.empty()) users_.erase(found);
}

// Played with the queue's own rule, so that what is shown is what will happen.
std::vector<std::string> LaunchQueue::play_order() const {
  std::vector<std::string> order;
  order.reserve(queued_);
  LaunchQueue later(*this);
  while (later.queued_ > 0) {
    if (auto id = later.take_next()) {
      order.push_back(std::move(*id));
    } else if (!later.launching_.empty()) {
      later.release(std::string(later.launching_.front().id));
    } else {
      order.push_back(later.take(0));  // a limit of 0: they keep their order all the same
    }
  }
  return order;
}

const LaunchQueue::Order& LaunchQueue::known_order() const {
  if (!order_) {
    Order order{play_order(), {}};
    unsigned place = 0;
    for (const auto& id : order.ids) order.positions[id] = ++place;
    order_ = std::move(order);
  }
  return *order_;
}

std::optional<unsigned> LaunchQueue::position(const std::string& id) const {
  const auto& positions = known_order().positions;
  const auto found = positions.find(id);
  if (found == positions.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> LaunchQueue::order() const { return known_order().ids; }

std::vector<std::string> LaunchQueue::waiting_of(const std::string& user) const {
  const auto found = users_.find(user);
  if (found == users_.end()) return {};
  return {found->second.waiting.begin(), found->second.waiting.end()};
}

}  // namespace hpc
