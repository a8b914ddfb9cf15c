#include "manager/session/job_templates.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "manager/session/builtin_scripts.h"
#include "manager/session/session_key.h"
#include "manager/session/template_text.h"

namespace hpc {

namespace {

constexpr std::string_view kSuffix = ".sbatch";
constexpr std::string_view kShared = "hpc-proxy.sh";

struct CloseFile {
  int fd;
  explicit CloseFile(int opened) : fd(opened) {}
  ~CloseFile() { close(fd); }
  CloseFile(const CloseFile&) = delete;
  CloseFile& operator=(const CloseFile&) = delete;
};

tl::unexpected<Error> bad_file(const std::string& path, const std::string& what) {
  return fail(Errc::kConfig, "--templates", path + " " + what);
}

tl::unexpected<Error> unreadable(const std::string& path) {
  return bad_file(path, std::string("cannot be read: ") + std::strerror(errno));
}

bool is_template_name(std::string_view name) {
  return name.front() != '.' && name.size() > kSuffix.size() &&
         name.substr(name.size() - kSuffix.size()) == kSuffix;
}

std::string ide_of(std::string_view name) {
  return std::string(name.substr(0, name.size() - kSuffix.size()));
}

// Scripts run as the users, so whoever can write one can be any of them.
Status check_mode(const std::string& path, const struct stat& status) {
  if ((status.st_mode & S_IWOTH) == 0) return {};
  return bad_file(path, "is writable for every user of this machine; chmod o-w it");
}

Result<std::string> read_whole(const std::string& path) {
  // A pipe must not keep us waiting for somebody to write into it.
  const CloseFile file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (file.fd < 0 || fstat(file.fd, &status) != 0) return unreadable(path);
  if (!S_ISREG(status.st_mode)) return bad_file(path, "is not a file");
  if (auto safe = check_mode(path, status); !safe) return tl::unexpected(safe.error());
  std::string text(kTemplateBytesMax + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = read(file.fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kTemplateBytesMax) {
    return bad_file(path, "is larger than " + std::to_string(kTemplateBytesMax / 1024) + " KiB");
  }
  text.resize(size);
  return text;
}

Result<std::vector<std::string>> names_in(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(directory.c_str()), closedir);
  struct stat status {};
  if (!dir || fstat(dirfd(dir.get()), &status) != 0) return unreadable(directory);
  if (auto safe = check_mode(directory, status); !safe) return tl::unexpected(safe.error());
  std::vector<std::string> names;
  while (const auto* entry = readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (is_template_name(name) || name == kShared) names.push_back(name);
  }
  // Otherwise which of two faults is told would depend on the disk.
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Result<JobTemplates> JobTemplates::load(const std::optional<std::string>& directory) {
  JobTemplates out;
  for (const auto& script : builtin_scripts()) {
    if (script.name == kShared) {
      out.shared_ = script.text;
    } else {
      out.texts_[ide_of(script.name)] = script.text;
    }
  }
  if (directory) {
    if (auto added = out.add_directory(*directory); !added) return tl::unexpected(added.error());
  }
  return out;
}

Status JobTemplates::add_directory(const std::string& directory) {
  const auto names = names_in(directory);
  if (!names) return tl::unexpected(names.error());
  for (const auto& name : *names) {
    if (auto added = add(directory, name); !added) return added;
  }
  if (texts_.size() <= kTemplatesMax) return {};
  return bad_file(directory, "holds too many templates: with the built-in ones there are " +
                                 std::to_string(texts_.size()) + ", at most " +
                                 std::to_string(kTemplatesMax));
}

Status JobTemplates::add(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name;
  const bool shared = name == kShared;
  if (!shared && !is_session_name(ide_of(name))) {
    return bad_file(path,
                    "has a name that cannot be part of a session's URL; use lower-case "
                    "letters, digits, '.', '_' and '-', at most " +
                        std::to_string(kSessionNameBytesMax));
  }
  auto text = read_whole(path);
  if (!text) return tl::unexpected(text.error());
  const auto checked = shared ? check_shared_script(*text) : check_template_text(*text);
  if (!checked) return bad_file(path, checked.error().detail);
  (shared ? shared_ : texts_[ide_of(name)]) = std::move(*text);
  return {};
}

std::vector<std::string> JobTemplates::names() const {
  std::vector<std::string> out;
  for (const auto& [name, text] : texts_) out.push_back(name);
  return out;
}

Result<std::string> JobTemplates::script(const Values& values) const {
  const auto found = texts_.find(values.ide);
  if (found != texts_.end()) {
    return compose_job_script(found->second, shared_, values.session, values.url_template);
  }
  std::string known;
  for (const auto& name : names()) known += (known.empty() ? "" : ", ") + name;
  return fail(Errc::kNotFound, "job template",
              "there is no template '" + values.ide + "'; there are: " + known);
}

}  // namespace hpc
