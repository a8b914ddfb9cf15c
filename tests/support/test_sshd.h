#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace hpc {

/// A fresh directory, removed with everything in it when this goes away.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// A child process, killed and reaped when this goes away.
class ChildProcess {
 public:
  /// stdout and stderr go to `log`. `environment` replaces ours where it is not empty.
  ChildProcess(const std::vector<std::string>& arguments, const std::string& log);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

/// Runs a program to its end and returns what it printed; throws away the exit status.
std::string run_command(const std::string& command);

/// An ssh-agent that holds `keys` (files, blanks between them) and listens at `socket` when it has
/// been made.
class TestAgent {
 public:
  TestAgent(std::string socket, const std::string& keys);
  ~TestAgent();
  TestAgent(const TestAgent&) = delete;
  TestAgent& operator=(const TestAgent&) = delete;
  const std::string& socket() const { return socket_; }
  pid_t pid() const { return pid_; }

 private:
  std::string socket_;
  pid_t pid_ = -1;
};

/// Children of a process, by /proc.
std::vector<pid_t> children_of(pid_t pid);
int open_descriptors(pid_t pid);
std::string current_user();

/// A real OpenSSH server on 127.0.0.1, port of its own, host key of its own, as whoever runs the
/// test; that user's key `client_key()` may log in.
class TestSshd {
 public:
  /// nullptr: none can run here; `why` says what is missing.
  static const char* missing();

  /// `extra` lines come first in sshd_config, where the first value counts.
  explicit TestSshd(const std::string& extra = {});
  TestSshd(const TestSshd&) = delete;
  TestSshd& operator=(const TestSshd&) = delete;

  int port() const { return port_; }
  pid_t pid() const { return process_->pid(); }
  std::string file(const std::string& name) const { return folder_.path(name); }
  std::string client_key() const { return file("client"); }
  std::string known_hosts() const { return file("known_hosts"); }
  /// An ssh_config with nothing but `lines` for every host.
  std::string ssh_config(const std::string& lines = {}) const;
  std::string known_hosts_line() const;
  std::string log() const;
  /// The pids of the processes that serve logged-in connections.
  std::vector<pid_t> sessions() const;

 private:
  TemporaryFolder folder_;
  int port_ = 0;
  std::optional<ChildProcess> process_;
};

void write_file(const std::string& path, const std::string& text, int mode = 0600);
std::string read_file(const std::string& path);
void make_key(const std::string& path, const std::string& passphrase = {},
              const std::string& type = "ed25519");

}  // namespace hpc
