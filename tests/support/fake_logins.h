#pragma once
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "manager/session/ssh_login.h"
#include "tests/support/fake_ssh.h"

namespace hpc {

/// A login for each user and cluster, over a fake SSH server of its own.
class FakeLogins final : public ClusterLogins {
 public:
  explicit FakeLogins(Scheduler& scheduler) : scheduler_(scheduler) {}

  Result<ClusterLogin*> login(const std::string& user, const std::string& cluster) override {
    if (!refuse) return tl::unexpected(refuse.error());
    return at(user, cluster).login.get();
  }

  const ClusterLogin* find(const std::string& user, const std::string& cluster) const override {
    const auto place = places_.find({user, cluster});
    return place == places_.end() ? nullptr : place->second->login.get();
  }

  struct Place {
    Place(Scheduler& scheduler, const std::string& destination)
        : connector(scheduler, site),
          login(std::make_unique<SshLogin>(
              scheduler, connector, prompter, [](std::uint32_t n) { return n - 1; },
              SshLogin::Options{[] { return Result<SshTarget>(SshTarget{}); }, destination})) {}
    FakeSite site;
    FakePrompter prompter;
    FakeSshConnector connector;
    std::unique_ptr<SshLogin> login;
  };
  Place& at(const std::string& user, const std::string& cluster) {
    auto& place = places_[{user, cluster}];
    if (place == nullptr) place = std::make_unique<Place>(scheduler_, cluster + " as " + user);
    return *place;
  }
  std::size_t size() const { return places_.size(); }

  Status refuse;  // an error: login() returns it

 private:
  Scheduler& scheduler_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Place>> places_;
};

}  // namespace hpc
