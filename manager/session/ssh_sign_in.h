#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/result.h"
#include "common/upstream_pool.h"

namespace hpc {

// At once, over all users: each holds a connection to sshd that is not authenticated yet, of which
// sshd takes 10 from all the world (MaxStartups) before it drops some.
constexpr std::size_t kSignInsMax = 8;
// A person looks for his telephone, unlocks it and copies six digits; sshd itself gives him 120 s
// for everything (LoginGraceTime).
constexpr std::uint64_t kSignInQuestionMs = 110'000;
// From the start to the last question, whatever the server says.
constexpr std::uint64_t kSignInMs = 300'000;
// How long the outcome waits to be fetched; a browser asks for it within a second or two.
constexpr std::uint64_t kSignInOutcomeMs = 60'000;
// Longer answers are no passwords.
constexpr std::size_t kSignInAnswerBytesMax = 1024;
// What is shown of the server's own words.
constexpr std::size_t kSignInQuestionBytesMax = 2048;

/// `--auth ssh`: who can log in to the cluster with his password or one-time code is that user. The
/// server's questions are asked in the browser, one at a time; the connection that comes of it
/// becomes the user's ClusterLogin. No key, no agent and no login without a question counts.
///
/// One attempt answers for one try: after a wrong answer it has failed (and can be counted against
/// the user and the address). All calls on the loop.
class SshSignIn {
 public:
  enum class State : std::uint8_t {
    kConnecting,  // to the server, or it looks at the last answer: wait
    kAsking,      // for `question`
    kDone,        // take() says who it is
    kFailed,      // `error` says why
  };
  struct View {
    std::string user;
    std::string cluster;
    State state = State::kConnecting;
    unsigned step = 0;     // counts the changes of this attempt
    std::string question;  // with kAsking: the server's words, untrusted, several lines; printable
                           // UTF-8, at most kSignInQuestionBytesMax
    bool echo = false;     // with kAsking: whether the answer may be seen while it is typed
    std::optional<Error> error;  // with kFailed; `detail` is for the user and tells nothing that
                                 // a stranger may not know. kUnauthorized: the answers were wrong
  };
  /// Who has proved to be whom.
  struct SignedIn {
    std::string user;
    std::string cluster;
  };

  virtual ~SshSignIn() = default;

  /// Begins an attempt and returns its id: 32 hex digits, unguessable, worth as much as the answers
  /// given under it (never in a URL or a log). A running attempt of the same user ends. Errors:
  /// kBadRequest (not a user name), kNotFound (no such cluster), kForbidden (the cluster is another
  /// user's alone), kTooMany (kSignInsMax are under way: try again in a minute).
  virtual Result<std::string> start(const std::string& user, const std::string& cluster) = 0;
  /// Nothing: unknown, or too old.
  virtual std::optional<View> find(const std::string& id) const = 0;
  /// Calls `changed` once, in a later turn, when the attempt is not at `step` any more (also when
  /// it is gone), unless the returned object is destroyed first. Nothing lasts longer than
  /// kSignInQuestionMs.
  virtual std::unique_ptr<Pending> when_changed(const std::string& id, unsigned step,
                                                std::function<void()> changed) = 0;
  /// Answers the question of `step`; `answer` is overwritten before its memory is given back.
  /// Errors: kNotFound, kConflict (another step: the form was sent twice), kTooLarge, kBadRequest
  /// (a NUL byte).
  virtual Status answer(const std::string& id, unsigned step, std::string answer) = 0;
  /// Who has signed in, once: the attempt is gone then. Errors: kNotFound, kConflict (not kDone).
  virtual Result<SignedIn> take(const std::string& id) = 0;
  /// Ends an attempt; an unknown one is none.
  virtual void cancel(const std::string& id) = 0;
};

}  // namespace hpc
