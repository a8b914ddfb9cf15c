#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "manager/session/browser_prompter.h"
#include "manager/session/cluster_login.h"
#include "manager/session/scheduler.h"
#include "manager/session/ssh_sign_in.h"

namespace hpc {

// Outcomes that nobody has fetched; past it the oldest is forgotten.
constexpr std::size_t kSignInOutcomesMax = 64;

/// SshSignIn over real connections.
///
/// Its connector must be its own and allow kSignInsMax connects to one host: an attempt holds its
/// place while a person thinks, and nobody's reconnect may wait for that. Everything handed to the
/// constructor must outlive it.
class ClusterSignIn final : public SshSignIn {
 public:
  /// Where to, as whom, by answers alone (UserIdentities::sign_in_target).
  using Target =
      std::function<Result<SshTarget>(const std::string& user, const std::string& cluster)>;

  ClusterSignIn(Scheduler& scheduler, SshConnector& connector, ClusterLogins& logins,
                MakePrompter make_prompter, Target target);
  ~ClusterSignIn() override;
  ClusterSignIn(const ClusterSignIn&) = delete;
  ClusterSignIn& operator=(const ClusterSignIn&) = delete;

  Result<std::string> start(const std::string& user, const std::string& cluster) override;
  std::optional<View> find(const std::string& id) const override;
  std::unique_ptr<Pending> when_changed(const std::string& id, unsigned step,
                                        std::function<void()> changed) override;
  Status answer(const std::string& id, unsigned step, std::string answer) override;
  Result<SignedIn> take(const std::string& id) override;
  void cancel(const std::string& id) override;

 private:
  class Attempt;
  using Attempts = std::map<std::string, std::unique_ptr<Attempt>>;

  void drop(Attempts::iterator attempt);
  void forget(const std::string& id);
  void make_room();
  std::size_t running() const;

  Scheduler& scheduler_;
  SshConnector& connector_;
  ClusterLogins& logins_;
  MakePrompter make_prompter_;
  Target target_;
  Attempts attempts_;
  std::uint64_t next_number_ = 0;
};

/// A server's question for a page: printable UTF-8 and line ends, at most kSignInQuestionBytesMax;
/// what is neither becomes '?'.
std::string question_for_page(std::string_view text);

/// What the person is told of a failed attempt: whether the name or the answer was wrong stays with
/// the server, and so does what its operators should know.
Error sign_in_error_for_page(const Error& error, const std::string& cluster);

}  // namespace hpc
