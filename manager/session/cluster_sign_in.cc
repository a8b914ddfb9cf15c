#include "manager/session/cluster_sign_in.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "common/utf8.h"
#include "manager/session/next_turn.h"

namespace hpc {

namespace {

constexpr std::size_t kIdBytes = 16;

std::string random_id() {
  std::array<unsigned char, kIdBytes> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  std::array<char, 2 * kIdBytes + 1> text{};
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  return text.data();
}

Error not_found() { return {Errc::kNotFound, "sign in", "this login has ended; begin again"}; }

/// Overwrites a secret at the end of its scope.
class Wiped {
 public:
  explicit Wiped(std::string& secret) : secret_(secret) {}
  ~Wiped() { sodium_memzero(secret_.data(), secret_.capacity()); }
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;

 private:
  std::string& secret_;
};

}  // namespace

std::string question_for_page(std::string_view text) {
  std::string out;
  while (!text.empty() && out.size() < kSignInQuestionBytesMax) {
    const bool line_end = text.front() == '\n';
    const std::size_t size = line_end ? 1 : printable_utf8_size(text);
    if (out.size() + size > kSignInQuestionBytesMax) break;
    if (size > 0) out += text.substr(0, size);
    if (size == 0 && text.front() != '\r') out += text.front() == '\t' ? ' ' : '?';
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

Error sign_in_error_for_page(const Error& error, const std::string& cluster) {
  switch (error.code) {
    case Errc::kUnauthorized:
      return {error.code, "sign in",
              cluster + " did not accept this; check the user name and the password or code"};
    case Errc::kTimeout:
    case Errc::kNetwork:
      return {Errc::kUnavailable, "sign in",
              cluster + " cannot be reached now; try again in a minute"};
    case Errc::kForbidden:
      return {error.code, "sign in",
              cluster + " cannot be logged in to from here; ask the operator of this server"};
    default:
      return {error.code, "sign in",
              "the login at " + cluster +
                  " failed; try again, and tell the operator of this "
                  "server if it stays so"};
  }
}

/// One attempt, from its start until it is taken or forgotten.
class ClusterSignIn::Attempt {
 public:
  Attempt(ClusterSignIn& owner, std::string id, const std::string& user, const std::string& cluster)
      : owner_(owner),
        id_(std::move(id)),
        number_(owner.next_number_++),
        prompter_(owner.make_prompter_([this](auto question) { asked(std::move(question)); })),
        alarm_(owner.scheduler_.make_alarm([this] { on_alarm(); })) {
    view_.user = user;
    view_.cluster = cluster;
    alarm_->start(kSignInMs);
  }
  ~Attempt() { prompter_->close(); }  // the connect may outlive it by a turn
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  void connect(const SshTarget& target) {
    pending_ = owner_.connector_.connect(
        target, prompter_, [this](auto connection) { connected(std::move(connection)); });
  }

  const View& view() const { return view_; }
  std::uint64_t number() const { return number_; }
  bool running() const {
    return view_.state == State::kConnecting || view_.state == State::kAsking;
  }

  void answer(std::string text) {
    const Wiped wiped(text);
    change(State::kConnecting);
    prompter_->answer(std::move(text));
  }

  std::unique_ptr<Pending> when_changed(unsigned step, std::function<void()> changed) {
    if (view_.step != step) {
      return std::make_unique<NextTurn>(owner_.scheduler_, std::move(changed));
    }
    auto waiter = std::make_unique<Waiter>(std::move(changed));
    std::erase_if(waiters_, [](const auto& call) { return call.expired(); });
    waiters_.push_back(waiter->call);
    return waiter;
  }

  /// It is to be forgotten: nothing happens any more, and whoever waits is told so.
  void leave() {
    pending_.reset();
    prompter_->close();
    alarm_->stop();
    tell();
  }

 private:
  using Call = std::function<void()>;
  struct Waiter final : Pending {
    explicit Waiter(Call changed) : call(std::make_shared<Call>(std::move(changed))) {}
    std::shared_ptr<Call> call;
  };

  // In the next turn, for a waiter that still waits then.
  void tell() {
    for (const auto& weak : std::exchange(waiters_, {})) {
      owner_.scheduler_.post([weak] {
        if (const auto call = weak.lock()) (*call)();
      });
    }
  }

  void change(State state) {
    view_.state = state;
    ++view_.step;
    view_.question.clear();
    tell();
  }

  void asked(const BrowserPrompter::Question& question) {
    if (!running()) return;
    change(State::kAsking);
    view_.question = question_for_page(question.text);
    view_.echo = question.echo;
  }

  void connected(Result<std::unique_ptr<SshConnection>> connection) {
    pending_.reset();
    if (!connection) return failed(connection.error());
    const auto login = owner_.logins_.login(view_.user, view_.cluster);
    if (!login) return failed(login.error());
    (*login)->adopt(std::move(*connection));
    change(State::kDone);
    end();
  }

  void failed(const Error& error) {
    if (prompter_->overdue()) {
      view_.error = {
          Errc::kTimeout, "sign in",
          "no answer came within " + std::to_string(kSignInQuestionMs / 1000) + " s; begin again"};
    } else {
      view_.error = sign_in_error_for_page(error, view_.cluster);
    }
    change(State::kFailed);
    end();
  }

  void end() {
    prompter_->close();
    alarm_->start(kSignInOutcomeMs);
  }

  void on_alarm() {
    if (!running()) return owner_.forget(id_);
    pending_.reset();
    view_.error = {Errc::kTimeout, "sign in",
                   "the login took longer than " + std::to_string(kSignInMs / 60'000) +
                       " minutes; begin again"};
    change(State::kFailed);
    end();
  }

  ClusterSignIn& owner_;
  const std::string id_;
  const std::uint64_t number_;  // older ones have smaller ones
  View view_;
  std::shared_ptr<BrowserPrompter> prompter_;  // the other owner: the connect
  std::unique_ptr<Alarm> alarm_;
  std::unique_ptr<Pending> pending_;
  std::vector<std::weak_ptr<Call>> waiters_;
};

ClusterSignIn::ClusterSignIn(Scheduler& scheduler, SshConnector& connector, ClusterLogins& logins,
                             MakePrompter make_prompter, Target target)
    : scheduler_(scheduler),
      connector_(connector),
      logins_(logins),
      make_prompter_(std::move(make_prompter)),
      target_(std::move(target)) {}

ClusterSignIn::~ClusterSignIn() = default;

Result<std::string> ClusterSignIn::start(const std::string& user, const std::string& cluster) {
  auto target = target_(user, cluster);
  if (!target) return tl::unexpected(target.error());
  const auto same = std::find_if(attempts_.begin(), attempts_.end(), [&user](const auto& one) {
    return one.second->running() && one.second->view().user == user;
  });
  if (same != attempts_.end()) drop(same);
  if (running() >= kSignInsMax) {
    return fail(Errc::kTooMany, "sign in",
                std::to_string(kSignInsMax) +
                    " people are logging in right now; try again in a "
                    "minute");
  }
  make_room();
  const std::string id = random_id();
  auto attempt = std::make_unique<Attempt>(*this, id, user, cluster);
  attempt->connect(*target);
  attempts_.emplace(id, std::move(attempt));
  return id;
}

std::optional<SshSignIn::View> ClusterSignIn::find(const std::string& id) const {
  const auto found = attempts_.find(id);
  if (found == attempts_.end()) return std::nullopt;
  return found->second->view();
}

std::unique_ptr<Pending> ClusterSignIn::when_changed(const std::string& id, unsigned step,
                                                     std::function<void()> changed) {
  const auto found = attempts_.find(id);
  if (found == attempts_.end()) return std::make_unique<NextTurn>(scheduler_, std::move(changed));
  return found->second->when_changed(step, std::move(changed));
}

Status ClusterSignIn::answer(const std::string& id, unsigned step, std::string answer) {
  const Wiped wiped(answer);
  const auto found = attempts_.find(id);
  if (found == attempts_.end()) return tl::unexpected(not_found());
  const View& view = found->second->view();
  if (view.state != State::kAsking || view.step != step) {
    return fail(Errc::kConflict, "sign in", "this question has been answered already");
  }
  if (answer.size() > kSignInAnswerBytesMax) {
    return fail(Errc::kTooLarge, "sign in",
                "an answer has at most " + std::to_string(kSignInAnswerBytesMax) + " bytes");
  }
  if (answer.find('\0') != std::string::npos) {
    return fail(Errc::kBadRequest, "sign in", "an answer has no NUL bytes");
  }
  found->second->answer(answer);
  return {};
}

Result<SshSignIn::SignedIn> ClusterSignIn::take(const std::string& id) {
  const auto found = attempts_.find(id);
  if (found == attempts_.end()) return tl::unexpected(not_found());
  const View& view = found->second->view();
  if (view.state != State::kDone) {
    return fail(Errc::kConflict, "sign in", "the login has not succeeded");
  }
  SignedIn who{view.user, view.cluster};
  drop(found);
  return who;
}

void ClusterSignIn::cancel(const std::string& id) { forget(id); }

void ClusterSignIn::forget(const std::string& id) {
  const auto found = attempts_.find(id);
  if (found != attempts_.end()) drop(found);
}

void ClusterSignIn::drop(Attempts::iterator attempt) {
  attempt->second->leave();
  // Not from inside its own alarm.
  std::shared_ptr<Attempt> gone = std::move(attempt->second);
  attempts_.erase(attempt);
  scheduler_.post([gone]() mutable { gone.reset(); });
}

// Failing is quick: whoever fails on purpose must not fill the memory.
void ClusterSignIn::make_room() {
  if (attempts_.size() - running() < kSignInOutcomesMax) return;
  auto oldest = attempts_.end();
  for (auto one = attempts_.begin(); one != attempts_.end(); ++one) {
    if (one->second->running()) continue;
    if (oldest == attempts_.end() || one->second->number() < oldest->second->number()) oldest = one;
  }
  drop(oldest);
}

std::size_t ClusterSignIn::running() const {
  return static_cast<std::size_t>(std::count_if(
      attempts_.begin(), attempts_.end(), [](const auto& one) { return one.second->running(); }));
}

}  // namespace hpc
