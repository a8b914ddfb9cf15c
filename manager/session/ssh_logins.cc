#include "manager/session/ssh_logins.h"

#include <utility>

namespace hpc {

SshLogins::SshLogins(Scheduler& scheduler, SshConnector& connector, SshPrompter& prompter,
                     BackOff::Random random, Options options)
    : scheduler_(scheduler),
      connector_(connector),
      prompter_(prompter),
      random_(std::move(random)),
      options_(std::move(options)) {}

Result<ClusterLogin*> SshLogins::login(const std::string& user, const std::string& cluster) {
  const Key key(user, cluster);
  if (const auto found = logins_.find(key); found != logins_.end()) return found->second.get();
  const auto target = options_.target(user, cluster);
  const bool only_adopts = !target && options_.adopts && target.error().code == Errc::kConfig;
  if (!target && !only_adopts) return tl::unexpected(target.error());
  if (logins_.size() >= kLoginsMax) {
    return fail(Errc::kUnavailable, "login",
                "there are " + std::to_string(kLoginsMax) +
                    " logins of users at clusters, which is as many as there may be: ask the "
                    "operator to restart hpc-manager");
  }
  SshLogin::Options options;
  options.target = [target_of = options_.target, user, cluster] {
    return target_of(user, cluster);
  };
  options.destination = target ? describe_target(*target) : cluster + " as " + user;
  auto made =
      std::make_unique<SshLogin>(scheduler_, connector_, prompter_, random_, std::move(options));
  return logins_.emplace(key, std::move(made)).first->second.get();
}

const ClusterLogin* SshLogins::find(const std::string& user, const std::string& cluster) const {
  const auto found = logins_.find(Key(user, cluster));
  return found == logins_.end() ? nullptr : found->second.get();
}

std::map<ClusterLogin::State, std::size_t> SshLogins::count_by_state() const {
  std::map<ClusterLogin::State, std::size_t> out;
  for (const auto& [key, login] : logins_) ++out[login->state()];
  return out;
}

}  // namespace hpc
