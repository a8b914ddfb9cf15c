#include "tests/support/test_sshd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace hpc {
namespace {

constexpr const char* kSshd = "/usr/sbin/sshd";

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) {
    throw std::runtime_error("no free port");
  }
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

bool listens(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool ok = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return ok;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = std::filesystem::temp_directory_path() / "hpc-ssh-test-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ChildProcess::ChildProcess(const std::vector<std::string>& arguments, const std::string& log) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ != 0) return;
  const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(fd, 1);
  dup2(fd, 2);
  execv(argv[0], argv.data());
  _exit(127);
}

ChildProcess::~ChildProcess() {
  if (pid_ <= 0) return;
  kill(pid_, SIGCONT);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string run_command(const std::string& command) {
  std::string out;
  FILE* pipe = popen((command + " 2>&1").c_str(), "re");
  if (pipe == nullptr) return out;
  std::array<char, 4096> buffer{};
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) {
    out.append(buffer.data(), count);
  }
  pclose(pipe);
  return out;
}

// Without -D it listens first and then goes to the background, and says as whom: nobody waits for
// the socket.
TestAgent::TestAgent(std::string socket, const std::string& keys) : socket_(std::move(socket)) {
  const std::string said = run_command("/usr/bin/ssh-agent -s -a " + socket_);
  const std::string name = "SSH_AGENT_PID=";
  if (const auto at = said.find(name); at != std::string::npos) {
    pid_ = std::atoi(said.c_str() + at + name.size());
  }
  run_command("SSH_AUTH_SOCK=" + socket_ + " ssh-add -q " + keys);
}

TestAgent::~TestAgent() {
  if (pid_ > 0) kill(pid_, SIGKILL);
}

std::vector<pid_t> children_of(pid_t pid) {
  const std::string path =
      "/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children";
  std::ifstream file(path);
  std::vector<pid_t> pids;
  for (pid_t child = 0; file >> child;) pids.push_back(child);
  return pids;
}

int open_descriptors(pid_t pid) {
  int count = 0;
  std::error_code ignored;
  const auto path = "/proc/" + std::to_string(pid) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

std::string current_user() {
  const passwd* entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_name : "";
}

void write_file(const std::string& path, const std::string& text, int mode) {
  std::ofstream(path) << text;
  chmod(path.c_str(), static_cast<mode_t>(mode));
}

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void make_key(const std::string& path, const std::string& passphrase, const std::string& type) {
  run_command("ssh-keygen -q -t " + type + " -N '" + passphrase + "' -f " + path);
}

const char* TestSshd::missing() {
  if (access(kSshd, X_OK) != 0) return "there is no /usr/sbin/sshd (package openssh-server)";
  // sshd as root wants its privilege separation folder.
  if (geteuid() == 0 && access("/run/sshd", X_OK) != 0 && mkdir("/run/sshd", 0755) != 0) {
    return "/run/sshd is missing and cannot be made";
  }
  return nullptr;
}

TestSshd::TestSshd(const std::string& extra) : port_(free_port()) {
  make_key(file("hostkey"));
  make_key(client_key());
  write_file(file("authorized_keys"), read_file(client_key() + ".pub"));
  write_file(file("sshd_config"),
             extra + "\nPort " + std::to_string(port_) + "\nListenAddress 127.0.0.1\nHostKey " +
                 file("hostkey") + "\nPidFile none\nUsePAM no\nUseDNS no\nStrictModes no\n" +
                 "AuthorizedKeysFile " + file("authorized_keys") +
                 "\nPermitRootLogin yes\nPasswordAuthentication no\n" +
                 "KbdInteractiveAuthentication no\nMaxStartups 100:30:200\nLogLevel VERBOSE\n");
  write_file(known_hosts(), known_hosts_line());
  process_.emplace(std::vector<std::string>{kSshd, "-D", "-e", "-f", file("sshd_config")},
                   file("log"));
  for (int i = 0; i < 500 && !listens(port_); ++i) poll(nullptr, 0, 10);
}

std::string TestSshd::ssh_config(const std::string& lines) const {
  std::string path = file("ssh_config");
  write_file(path, "Host *\n  IdentityAgent none\n  GlobalKnownHostsFile none\n" + lines + "\n");
  return path;
}

std::string TestSshd::known_hosts_line() const {
  return "[127.0.0.1]:" + std::to_string(port_) + " " + read_file(file("hostkey.pub"));
}

std::string TestSshd::log() const { return read_file(file("log")); }

std::vector<pid_t> TestSshd::sessions() const {
  std::vector<pid_t> pids;
  for (const pid_t monitor : children_of(pid())) {
    // For other users than root the unprivileged half carries the channels.
    const auto below = children_of(monitor);
    bool found = false;
    for (const pid_t child : below) {
      if (read_file("/proc/" + std::to_string(child) + "/comm") != "sshd\n") continue;
      pids.push_back(child);
      found = true;
    }
    if (!found) pids.push_back(monitor);
  }
  return pids;
}

}  // namespace hpc
