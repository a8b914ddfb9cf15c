#pragma once
#include <atomic>
#include <string>
#include <thread>

#include "tests/support/test_sshd.h"

namespace hpc {

/// An SSH server that takes a password or answers to questions and nothing else. It stands in for
/// sshd, whose passwords are those of real accounts. Serves logins only, on 127.0.0.1.
class PasswordServer {
 public:
  struct Accepts {
    std::string password;  // empty: the method is not offered
    std::string code;      // keyboard-interactive: the answer to "Code: "; empty: not offered
    bool anybody = false;  // lets in before anything is asked
  };
  explicit PasswordServer(Accepts accepts);
  ~PasswordServer();
  PasswordServer(const PasswordServer&) = delete;
  PasswordServer& operator=(const PasswordServer&) = delete;

  int port() const { return port_; }
  std::string known_hosts_line() const;

 private:
  void serve();
  void serve_one(void* bind);

  TemporaryFolder folder_;
  Accepts accepts_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace hpc
