#include "node-proxy/run/start_command.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace hpc {

namespace {

constexpr int kNotFound = 127;
constexpr int kNotExecutable = 126;
constexpr int kSignalled = 128;

std::string_view name_of(std::string_view setting) { return setting.substr(0, setting.find('=')); }

/// This process's environment, in which the settings replace what has their names.
std::vector<std::string> with_settings(const std::vector<std::string>& settings) {
  std::vector<std::string> all;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const auto same = [&](const std::string& setting) {
      return name_of(setting) == name_of(*entry);
    };
    if (std::none_of(settings.begin(), settings.end(), same)) all.emplace_back(*entry);
  }
  all.insert(all.end(), settings.begin(), settings.end());
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// The file that exec must have meant, if there is one.
std::string find_file(const std::string& program) {
  if (program.find('/') != std::string::npos) {
    return access(program.c_str(), F_OK) == 0 ? program : "";
  }
  const char* given = std::getenv("PATH");
  std::string_view rest = given != nullptr ? given : "/bin:/usr/bin";
  while (true) {
    const std::string folder(rest.substr(0, rest.find(':')));
    const std::string path = (folder.empty() ? "." : folder) + "/" + program;
    if (access(path.c_str(), F_OK) == 0) return path;
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos) return "";
    rest.remove_prefix(colon + 1);
  }
}

/// Says why exec failed; the exit code for it.
int explain(const std::string& program, int error) {
  const std::string file = find_file(program);
  // A folder of PATH that is closed to us (EACCES) says nothing of the program.
  const bool missing = file.empty() && (error == ENOENT || error == ENOTDIR || error == EACCES);
  std::string text = "hpc-proxy: " + program + ": ";
  if (missing && program.find('/') != std::string::npos) {
    text += "there is no such file";
  } else if (missing) {
    text += "not found in PATH; load its module, or give its path";
  } else if (error == ENOENT) {
    text += "the interpreter that " + file + " names in its first line is not there";
  } else {
    text += "cannot be run: ";
    text += std::strerror(error);
  }
  std::fprintf(stderr, "%s\n", text.c_str());
  return missing ? kNotFound : kNotExecutable;
}

[[noreturn]] void become_command(KeeperCommand command, const SignalSettings& settings,
                                 pid_t keeper) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != keeper) _exit(kSignalled + SIGKILL);  // killed before we asked to be told
  auto environment = with_settings(command.environment);
  std::vector<char*> environment_pointers = pointers(environment);
  std::vector<char*> words = pointers(command.words);
  sigaction(SIGCHLD, &settings.on_child, nullptr);
  sigprocmask(SIG_SETMASK, &settings.blocked, nullptr);
  execvpe(words.front(), words.data(), environment_pointers.data());
  _exit(explain(command.words.front(), errno));
}

}  // namespace

Result<pid_t> start_command(const KeeperCommand& command, const SignalSettings& settings) {
  const pid_t keeper = getpid();
  const pid_t pid = fork();
  if (pid < 0) return fail(Errc::kSystem, "fork", std::strerror(errno));
  if (pid == 0) become_command(command, settings, keeper);
  return pid;
}

int exit_code_of(int wait_status) {
  if (WIFSIGNALED(wait_status)) return kSignalled + WTERMSIG(wait_status);
  return WEXITSTATUS(wait_status);
}

}  // namespace hpc
