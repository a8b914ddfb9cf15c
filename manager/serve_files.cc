// check_serve_files(): the part of the check that looks at the disk.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "manager/serve_check.h"
#include "manager/session/job_templates.h"

namespace hpc {

namespace {

// As the user that the manager acts as.
bool may(const std::string& path, int mode) {
  return faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0;
}

std::string parent(const std::string& path) {
  const auto slash = path.find_last_not_of('/') == std::string::npos ? 0 : path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

class FileCheck {
 public:
  std::vector<std::string> problems;

  void readable(const char* option, const std::optional<std::string>& path) {
    if (!path) return;
    struct stat status {};
    if (stat(path->c_str(), &status) != 0 || !may(*path, R_OK)) {
      problem(option, *path + " cannot be read: " + std::strerror(errno));
    } else if (S_ISDIR(status.st_mode)) {  // /dev/null is a file: an empty one
      problem(option, *path + " is a directory; name a file");
    }
  }

  void secret(const char* option, const std::optional<std::string>& path) {
    const auto before = problems.size();
    readable(option, path);
    if (!path || problems.size() != before) return;
    struct stat status {};
    if (stat(path->c_str(), &status) == 0 && (status.st_mode & 07) != 0) {
      problem(option, *path + " is open to every user of this machine; chmod o= " + *path);
    }
  }

  void templates(const std::optional<std::string>& directory) {
    if (!directory) return;
    const auto loaded = JobTemplates::load(directory);
    if (!loaded) problem("--templates", loaded.error().detail);
  }

  // Its directory is there, or can be made below the nearest one that is.
  void place(const char* option, const std::string& path) {
    if (path.empty()) {
      return problem(option, "no path is known, because there is no HOME; name one");
    }
    struct stat status {};
    if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
      return problem(option, path + " is a directory; name a file in it");
    }
    std::string directory = parent(path);
    while (stat(directory.c_str(), &status) != 0) {
      if (errno != ENOENT) {
        return problem(option, directory + " cannot be looked at: " + std::strerror(errno));
      }
      directory = parent(directory);
    }
    if (!S_ISDIR(status.st_mode)) return problem(option, directory + " is no directory");
    if (!may(directory, W_OK | X_OK)) {
      problem(option, "in " + directory + " this user cannot make " + path + "; choose another " +
                          "place, or make its directory for this user");
    }
  }

 private:
  void problem(const char* option, const std::string& text) {
    problems.push_back(std::string(option) + ": " + text);
  }
};

Status make_directories(const std::string& directory) {
  struct stat status {};
  if (stat(directory.c_str(), &status) == 0 || directory == "." || directory == "/") return {};
  if (auto made = make_directories(parent(directory)); !made) return made;
  if (mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail(Errc::kSystem, "configuration",
              directory + " cannot be made: " + std::strerror(errno));
}

}  // namespace

Status make_serve_directories(const ServeOptions& options) {
  if (auto made = make_directories(parent(options.state)); !made) return made;
  return make_directories(parent(options.socket));
}

std::vector<std::string> check_serve_files(const ServeOptions& options) {
  FileCheck check;
  check.readable("--tls-cert", options.tls_cert);
  check.secret("--tls-key", options.tls_key);
  check.readable("--known-hosts", options.known_hosts);
  check.readable("--ssh-config", options.ssh_config);
  check.templates(options.templates);
  check.place("--state", options.state);
  check.place("--socket", options.socket);
  return std::move(check.problems);
}

}  // namespace hpc
