#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "common/result.h"
#include "manager/ssh/ssh_connection.h"

namespace hpc {

/// One user's SSH connection to one cluster, shared by all his sessions there: connects, comes back
/// by itself after a loss (back-off 1 to 60 s with jitter), and stops for good, until somebody
/// acts, when the server refuses the user or shows another host key.
class ClusterLogin {
 public:
  enum class State : std::uint8_t {
    kIdle,        // nobody has needed it yet
    kConnecting,  // connect and authentication
    kUp,
    kWaiting,  // down, backing off
    kStopped,  // refused: retry() or adopt() is needed
  };

  /// Told in the turn in which it happens; may call everything here, may not destroy the login. A
  /// watcher that comes while it is up, waiting or stopped is told so in a later turn.
  class Watcher {
   public:
    /// The connection lives until on_login_down() has returned, or unwatch().
    virtual void on_login_up(SshConnection& connection) = 0;
    /// Lost, or could not be made: it will be tried again.
    virtual void on_login_down(const Error& why) = 0;
    /// Refused: nothing more happens until retry() or adopt(). It was not up before.
    virtual void on_login_stopped(const Error& why) = 0;
    /// A line for people.
    virtual void on_login_progress(const std::string& text) = 0;

   protected:
    ~Watcher() = default;
  };

  virtual ~ClusterLogin() = default;
  /// The first watcher makes it connect; the last that goes lets it disconnect, after a while. The
  /// login must outlive its watchers, or they must unwatch() before.
  virtual void watch(Watcher& watcher) = 0;
  virtual void unwatch(Watcher& watcher) = 0;
  /// The user has acted: connect again in the next turn, with the back-off from its start. Nothing
  /// while it is connecting or up, or while nobody watches.
  virtual void retry() = 0;
  /// Takes over, in the next turn, a connection that was authenticated elsewhere (a login page);
  /// drops it where one is up already.
  virtual void adopt(std::unique_ptr<SshConnection> connection) = 0;
  virtual State state() const = 0;
  /// While it is up; nullptr from the moment on in which watchers are told that it is not.
  virtual SshConnection* connection() = 0;
  /// Why it is not up, in one line; may be empty.
  virtual const std::string& trouble() const = 0;
  /// "login01 as alice".
  virtual std::string destination() const = 0;
};

/// All of them, by user and cluster; made when first needed.
class ClusterLogins {
 public:
  virtual ~ClusterLogins() = default;
  /// kNotFound: no such cluster; kConfig: no key for this user, with the reason and what to do;
  /// kForbidden: the cluster is another user's alone; kUnavailable: there are too many. The login
  /// lives as long as this.
  virtual Result<ClusterLogin*> login(const std::string& user, const std::string& cluster) = 0;
  /// The one that has been made, if it has.
  virtual const ClusterLogin* find(const std::string& user, const std::string& cluster) const = 0;
};

}  // namespace hpc
