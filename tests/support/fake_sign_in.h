#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "manager/session/ssh_sign_in.h"

namespace hpc {

/// The cluster's side of a login, played by the test with move().
class FakeSignIn final : public SshSignIn {
 public:
  std::optional<Error> refuse;       // what the next start() or answer() ends with
  std::vector<std::string> answers;  // what was answered, in its order
  std::vector<std::string> cancelled;

  /// The attempt is at its next step; whoever waits for that is told.
  void move(const std::string& id, State state, const std::string& question = "",
            std::optional<Error> error = std::nullopt) {
    View& view = attempts_.at(id);
    view.state = state;
    view.question = question;
    view.error = std::move(error);
    ++view.step;
    tell(id);
  }
  void show_what_is_typed(const std::string& id) { attempts_.at(id).echo = true; }
  std::size_t watched() const { return waiting_.size(); }

  Result<std::string> start(const std::string& user, const std::string& cluster) override {
    if (refuse) return tl::unexpected(*std::exchange(refuse, std::nullopt));
    const std::string id = std::string(31, 'a') + static_cast<char>('0' + started_++);
    attempts_[id].user = user;
    attempts_[id].cluster = cluster;
    return id;
  }
  std::optional<View> find(const std::string& id) const override {
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) return std::nullopt;
    return found->second;
  }
  std::unique_ptr<Pending> when_changed(const std::string& id, unsigned,
                                        std::function<void()> changed) override {
    auto waiting = std::make_unique<Waiting>(*this, next_++);
    waiting_[waiting->number] = {id, std::move(changed)};
    return waiting;
  }
  Status answer(const std::string& id, unsigned step, std::string text) override {
    if (refuse) return tl::unexpected(*std::exchange(refuse, std::nullopt));
    const auto view = find(id);
    if (!view) return fail(Errc::kNotFound, "sign in", "no such attempt");
    if (view->step != step) return fail(Errc::kConflict, "sign in", "another step");
    answers.push_back(std::move(text));
    move(id, State::kConnecting);
    return {};
  }
  Result<SignedIn> take(const std::string& id) override {
    const auto view = find(id);
    if (!view) return fail(Errc::kNotFound, "sign in", "no such attempt");
    if (view->state != State::kDone) return fail(Errc::kConflict, "sign in", "not done");
    attempts_.erase(id);
    return SignedIn{view->user, view->cluster};
  }
  void cancel(const std::string& id) override {
    cancelled.push_back(id);
    if (attempts_.erase(id) != 0) tell(id);
  }

 private:
  struct Waiting final : Pending {
    Waiting(FakeSignIn& asked, int number_given) : owner(asked), number(number_given) {}
    ~Waiting() override { owner.waiting_.erase(number); }
    FakeSignIn& owner;
    const int number;
  };

  void tell(const std::string& id) {
    std::vector<std::function<void()>> told;
    for (auto one = waiting_.begin(); one != waiting_.end();) {
      if (one->second.first == id) {
        told.push_back(std::move(one->second.second));
        one = waiting_.erase(one);
      } else {
        ++one;
      }
    }
    for (const auto& changed : told) changed();
  }

  std::map<std::string, View> attempts_;
  std::map<int, std::pair<std::string, std::function<void()>>> waiting_;
  int started_ = 0;
  int next_ = 0;
};

}  // namespace hpc
