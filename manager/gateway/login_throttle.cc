#include "manager/gateway/login_throttle.h"

#include <algorithm>

namespace hpc {

namespace {

std::string user_key(const std::string& user) { return "user " + user; }
std::string address_key(const std::string& address) { return "from " + address; }

std::uint64_t penalty_ms(unsigned failures) {
  if (failures < kLoginFailuresFree) return 0;
  std::uint64_t wait = kLoginWaitFirstMs;
  for (unsigned i = kLoginFailuresFree; i < failures && wait < kLoginWaitMostMs; ++i) wait *= 2;
  return std::min(wait, kLoginWaitMostMs);
}

}  // namespace

std::uint64_t LoginThrottle::wait_ms(const std::string& user, const std::string& address) const {
  const std::uint64_t by_user = user.empty() ? 0 : wait_of(user_key(user));
  return std::max(by_user, wait_of(address_key(address)));
}

std::uint64_t LoginThrottle::wait_of(const std::string& key) const {
  const auto found = subjects_.find(key);
  if (found == subjects_.end()) return 0;
  const std::uint64_t penalty = penalty_ms(found->second.failures);
  const std::uint64_t passed = clock_.now_ms() - found->second.last_ms;
  return passed < penalty ? penalty - passed : 0;
}

void LoginThrottle::failed(const std::string& user, const std::string& address) {
  if (!user.empty()) count(user_key(user));
  count(address_key(address));
}

void LoginThrottle::succeeded(const std::string& user) { subjects_.erase(user_key(user)); }

void LoginThrottle::count(const std::string& key) {
  if (subjects_.count(key) == 0) make_room();
  Subject& subject = subjects_[key];
  if (clock_.now_ms() - subject.last_ms >= kLoginMemoryMs) subject.failures = 0;
  ++subject.failures;
  subject.last_ms = clock_.now_ms();
}

// Only when the table is full, which needs as many failed logins.
void LoginThrottle::make_room() {
  if (subjects_.size() < kLoginSubjectsMax) return;
  subjects_.erase(
      std::min_element(subjects_.begin(), subjects_.end(), [](const auto& one, const auto& other) {
        return one.second.last_ms < other.second.last_ms;
      }));
}

}  // namespace hpc
