#include "node-proxy/run/egress.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <utility>

#include "common/tcp_stream.h"
#include "node-proxy/process.h"

namespace hpc {

namespace {

constexpr const char* kUnreachable = "other machines cannot be reached from inside: ";
// Of what it says the end is kept: it stops after what went wrong.
constexpr std::size_t kOutputBytesMax = 4096;
constexpr int kExecFailed = 127;

struct Pipe {
  UniqueFd reading, writing;
};

std::optional<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// The program's path, looked for as a shell does; empty where there is none.
std::string find_in_path(const std::string& name, std::string_view path) {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    std::string file = std::string(path.substr(0, end)) + "/" + name;
    // A relative folder would be another one wherever the user is.
    if (file.front() == '/' && access(file.c_str(), X_OK) == 0) return file;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return {};
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// The last two lines: slirp4netns says the cause first, and then that its child has failed.
std::string last_words(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  const std::size_t last = text.rfind('\n');
  if (last == std::string_view::npos) return std::string(text);
  const std::size_t before = last == 0 ? last : text.rfind('\n', last - 1);
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  std::string words(text.substr(begin));
  std::replace(words.begin(), words.end(), '\n', ' ');
  return words;
}

/// Adds what is there to `said`. False at the end of it.
bool take_output(int fd, std::string& said) {
  std::array<char, 1024> piece{};
  const ssize_t size = read(fd, piece.data(), piece.size());
  if (size < 0) return errno == EINTR || errno == EAGAIN;
  said.append(piece.data(), static_cast<std::size_t>(size));
  if (said.size() > kOutputBytesMax) said.erase(0, said.size() - kOutputBytesMax);
  return size > 0;
}

/// Descriptors of the child, put where the program looks for them.
struct ChildFds {
  int nothing;
  int output;
  int ready;
  int alive;
};

[[noreturn]] void run_program(const std::vector<std::string>& words, ChildFds fds, pid_t parent) {
  // Whatever happens to hpc-proxy, it must not be left behind with the space that it keeps alive.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kExecFailed);
  setsid();  // the terminal's signals are for the command
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // First out of the way of the numbers that are wanted.
  constexpr int kAbove = kEgressAliveFd + 1;
  for (int* fd : {&fds.nothing, &fds.output, &fds.ready, &fds.alive}) {
    *fd = fcntl(*fd, F_DUPFD_CLOEXEC, kAbove);
  }
  dup2(fds.nothing, STDIN_FILENO);
  dup2(fds.output, STDOUT_FILENO);
  dup2(fds.output, STDERR_FILENO);
  dup2(fds.ready, kEgressReadyFd);
  dup2(fds.alive, kEgressAliveFd);
#ifdef SYS_close_range
  syscall(SYS_close_range, kAbove, ~0U, 0);
#endif
  std::vector<char*> argv(words.size() + 1, nullptr);
  std::transform(words.begin(), words.end(), argv.begin(),
                 [](const std::string& word) { return const_cast<char*>(word.c_str()); });
  execv(argv[0], argv.data());
  _exit(kExecFailed);
}

}  // namespace

/// Watches the program's output, which ends with it.
struct Egress::Watch {
  int output = -1;
  UvPtr<uv_poll_t> poll;
  std::string said;
  std::function<void(const std::string&)> ended;
};

/// One attempt with one command.
class EgressStart {
 public:
  /// Empty: it does not work, and `said` holds what it said.
  static std::optional<Egress> run(const std::vector<std::string>& words, std::string& said) {
    auto ready = make_pipe();
    auto alive = make_pipe();
    auto output = make_pipe();
    const UniqueFd nothing(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!ready || !alive || !output || !nothing) return std::nullopt;
    Egress egress(name_of(words.front()));
    const pid_t parent = getpid();
    egress.pid_ = fork();
    if (egress.pid_ == 0) {
      run_program(
          words, {nothing.get(), output->writing.get(), ready->writing.get(), alive->reading.get()},
          parent);
    }
    if (egress.pid_ < 0) return std::nullopt;
    ready->writing.reset();
    output->writing.reset();
    fcntl(output->reading.get(), F_SETFL, O_NONBLOCK);
    egress.alive_ = std::move(alive->writing);
    egress.output_ = std::move(output->reading);
    if (!wait_until_ready(ready->reading.get(), egress.output_.get(), said)) return std::nullopt;
    return egress;
  }

 private:
  static bool wait_until_ready(int ready, int output, std::string& said) {
    const std::uint64_t deadline_ms = monotonic_ms() + kEgressReadyMs;
    std::array<pollfd, 2> items = {{{ready, POLLIN, 0}, {output, POLLIN, 0}}};
    while (true) {
      const std::uint64_t now_ms = monotonic_ms();
      if (now_ms >= deadline_ms) {
        said += "\nit is not ready after 5 s";
        return false;
      }
      if (poll(items.data(), items.size(), static_cast<int>(deadline_ms - now_ms)) <= 0) continue;
      if (items[1].revents != 0 && !take_output(output, said)) items[1].fd = -1;
      if (items[0].revents == 0) continue;
      char byte = 0;
      if (read(ready, &byte, 1) == 1) return true;
      // It has ended; what it said may still be in the pipe.
      while (items[1].fd >= 0 && poll(&items[1], 1, 0) > 0 && take_output(output, said)) continue;
      return false;
    }
  }
};

Result<Egress> Egress::start(pid_t keeper, const Environment& environment) {
  const std::string path = environment("PATH").value_or("");
  const auto commands =
      egress_commands(find_in_path("slirp4netns", path), find_in_path("pasta", path), keeper);
  if (commands.empty()) {
    return fail(
        Errc::kNotFound, "egress",
        std::string(kUnreachable) + "this node has neither slirp4netns nor pasta (package passt)");
  }
  std::map<std::string, std::string> why;  // of each program, what it said last
  for (const auto& words : commands) {
    std::string said;
    if (auto egress = EgressStart::run(words, said)) return std::move(*egress);
    why[name_of(words.front())] = said.empty() ? "it does not start" : last_words(said);
  }
  std::string all;
  for (const auto& [name, said] : why) {
    if (!all.empty()) all += "; ";
    all.append(name).append(": ").append(said);
  }
  return fail(Errc::kSystem, "egress", kUnreachable + all);
}

Egress::Egress(std::string program) : program_(std::move(program)) {}

Egress::Egress(Egress&& other) noexcept
    : program_(std::move(other.program_)),
      pid_(std::exchange(other.pid_, -1)),
      alive_(std::move(other.alive_)),
      output_(std::move(other.output_)),
      watch_(std::move(other.watch_)) {}

Egress::~Egress() {
  watch_.reset();
  // Only as long as it is our child is the number certainly its own.
  if (pid_ <= 0 || waitpid(pid_, nullptr, WNOHANG) != 0) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
}

void Egress::watch(Loop& loop, std::function<void(const std::string&)> ended) {
  watch_ = std::make_unique<Watch>();
  watch_->output = output_.get();
  watch_->ended = [name = program_, ended = std::move(ended)](const std::string& said) {
    ended(kUnreachable + name + " has ended" + (said.empty() ? "" : ": " + said));
  };
  auto raw = std::make_unique<uv_poll_t>();
  if (uv_poll_init(loop.uv(), raw.get(), output_.get()) != 0) return;
  watch_->poll.reset(raw.release());
  watch_->poll->data = watch_.get();
  uv_poll_start(watch_->poll.get(), UV_READABLE, [](uv_poll_t* handle, int, int) {
    auto* watch = static_cast<Watch*>(handle->data);
    if (take_output(watch->output, watch->said)) return;
    uv_poll_stop(handle);
    const auto call = std::move(watch->ended);
    call(last_words(watch->said));  // may destroy the watch
  });
}

std::vector<std::vector<std::string>> egress_commands(const std::string& slirp4netns,
                                                      const std::string& pasta, pid_t keeper) {
  const std::string pid = std::to_string(keeper);
  const std::string ready = std::to_string(kEgressReadyFd);
  std::vector<std::vector<std::string>> commands;
  if (!slirp4netns.empty()) {
    // Not --enable-sandbox: it becomes root of the user namespace, and ours has none.
    const std::vector<std::string> always = {
        slirp4netns,           "--configure",
        "--mtu=65520",         "--disable-host-loopback",
        "--ready-fd=" + ready, "--exit-fd=" + std::to_string(kEgressAliveFd)};
    // Its own resolver leads to the node's, which may be on the node's loopback. Versions before
    // 1.1 know neither of them.
    for (const bool newer : {true, false}) {
      auto words = always;
      if (newer) words.insert(words.end(), {"--disable-dns", "--enable-seccomp"});
      words.insert(words.end(), {pid, "tap0"});
      commands.push_back(std::move(words));
    }
  }
  if (!pasta.empty()) {
    // Its defaults lead ports both ways, and the gateway's address to the node's loopback.
    commands.push_back({pasta, "--config-net", "--foreground", "--quiet", "--no-map-gw", "-t",
                        "none", "-u", "none", "-T", "none", "-U", "none", "--pid",
                        "/proc/self/fd/" + ready, pid});
  }
  return commands;
}

std::optional<std::string> resolver_warning(std::string_view resolv_conf) {
  std::string first;
  while (!resolv_conf.empty()) {
    const std::size_t end = std::min(resolv_conf.find('\n'), resolv_conf.size());
    std::string_view line = resolv_conf.substr(0, end);
    resolv_conf.remove_prefix(std::min(end + 1, resolv_conf.size()));
    constexpr std::string_view kBlanks = " \t\r";
    constexpr std::string_view kWord = "nameserver";
    if (!line.starts_with(kWord)) continue;  // resolv.conf(5): it begins its line
    line.remove_prefix(kWord.size());
    const std::size_t begin = line.find_first_not_of(kBlanks);
    if (begin == 0 || begin == std::string_view::npos) continue;
    line.remove_prefix(begin);
    const std::string address(line.substr(0, line.find_first_of(kBlanks)));
    if (!is_loopback_address(address)) return std::nullopt;
    if (first.empty()) first = address;
  }
  // Without any the C library asks 127.0.0.1.
  if (first.empty()) first = "127.0.0.1";
  return "names of other machines are not found inside: /etc/resolv.conf names only " + first +
         ", on this node's own loopback";
}

}  // namespace hpc
