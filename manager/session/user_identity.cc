#include "manager/session/user_identity.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "manager/session/session_key.h"
#include "manager/session/ssh_login.h"

namespace hpc {

namespace {

constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

tl::unexpected<Error> unsafe(const std::string& why) {
  return fail(Errc::kConfig, "identity", why);
}

std::string system_reason(const std::string& path) { return path + ": " + std::strerror(errno); }

bool ours_or_roots(const struct stat& info) { return info.st_uid == geteuid() || info.st_uid == 0; }

/// A link is as good as whoever made it: he says where it leads.
Status check_link(const std::string& path) {
  struct stat link {};
  if (lstat(path.c_str(), &link) != 0) {
    return fail(errno == ENOENT || errno == ENOTDIR ? Errc::kNotFound : Errc::kConfig, "identity",
                system_reason(path));
  }
  if (S_ISLNK(link.st_mode) && !ours_or_roots(link)) {
    return unsafe(path + " is a link that another user has made; put the key itself there");
  }
  return {};
}

/// Nobody else may be able to put another file in the place of ours. In a folder with the sticky
/// bit (/tmp) only its owner can.
Status check_folder(const std::string& folder) {
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0) return unsafe(system_reason(folder));
  const bool open_to_others =
      (info.st_mode & kWritableByOthers) != 0 && (info.st_mode & S_ISVTX) == 0;
  if (!ours_or_roots(info) || open_to_others) {
    return unsafe("other users can put keys into " + folder + "; run: chmod 700 " + folder +
                  " (as the user that hpc-manager runs as)");
  }
  return {};
}

/// Every folder on the way to where the key really is.
Status check_folders(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr),
                                                         &std::free);
  if (!real) return unsafe(system_reason(path));
  const std::string whole(real.get());
  for (auto slash = whole.find('/'); slash != std::string::npos;
       slash = whole.find('/', slash + 1)) {
    if (auto folder = check_folder(slash == 0 ? "/" : whole.substr(0, slash)); !folder) {
      return folder;
    }
  }
  const auto last = path.rfind('/');
  return check_folder(last == std::string::npos ? "." : path.substr(0, last + 1));
}

/// PATH.pub or PATH-cert.pub; it need not be there.
Status check_beside(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return {};
  if (auto link = check_link(path); !link) return link;
  if (stat(path.c_str(), &info) != 0) return {};
  if (!S_ISREG(info.st_mode) || !ours_or_roots(info) || (info.st_mode & kWritableByOthers) != 0) {
    return unsafe(path + " can be written by other users; run: chmod 644 " + path);
  }
  return {};
}

}  // namespace

Result<std::string> identity_path(const std::string& pattern, const std::string& user) {
  if (!is_session_name(user)) {
    return fail(Errc::kBadRequest, "identity", "that is not a user name");
  }
  std::string path;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      path += pattern[i];
      continue;
    }
    const char token = ++i < pattern.size() ? pattern[i] : '\0';
    if (token != 'u' && token != '%') {
      return unsafe("--identity " + pattern +
                    ": behind a '%' stands u (the user's name) or another '%'");
    }
    path += token == 'u' ? user : "%";
  }
  return path;
}

Status check_user_key(const std::string& path) {
  if (auto link = check_link(path); !link) return link;
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return fail(errno == ENOENT ? Errc::kNotFound : Errc::kConfig, "identity", system_reason(path));
  }
  if (!S_ISREG(info.st_mode)) return unsafe(path + " is not a file");
  if (info.st_uid != geteuid()) {
    return unsafe(path + " belongs to uid " + std::to_string(info.st_uid) +
                  ", and hpc-manager runs as uid " + std::to_string(geteuid()) + "; run: chown " +
                  std::to_string(geteuid()) + " " + path);
  }
  const mode_t mode = info.st_mode & 07777;
  if (mode != 0600 && mode != 0400) {
    return unsafe("the private key " + path +
                  " must be for its owner alone and is not used; run: chmod 600 " + path);
  }
  if (auto folders = check_folders(path); !folders) return folders;
  if (auto half = check_beside(path + ".pub"); !half) return half;
  return check_beside(path + "-cert.pub");
}

Result<SshTarget> UserIdentities::place_of(const std::string& user,
                                           const std::string& cluster) const {
  if (!is_session_name(user)) {
    return fail(Errc::kBadRequest, "identity", "that is not a user name");
  }
  const auto found = std::find_if(options_.clusters.begin(), options_.clusters.end(),
                                  [&cluster](const Cluster& one) { return one.name == cluster; });
  if (found == options_.clusters.end()) {
    return fail(Errc::kNotFound, "identity", "there is no cluster of that name");
  }
  SshTarget target = found->target;
  if (target.user && *target.user != user) {
    return fail(Errc::kForbidden, "identity",
                "the cluster " + cluster + " is for the user " + *target.user +
                    " alone (--cluster " + cluster + "=" + *target.user + "@...)");
  }
  target.user = user;
  target.known_hosts = options_.known_hosts;
  target.ssh_config = options_.ssh_config;
  target.identities.clear();
  return target;
}

Result<SshTarget> UserIdentities::target_of(const std::string& user,
                                            const std::string& cluster) const {
  auto target = place_of(user, cluster);
  if (!target) return target;
  if (!options_.identity) {
    if (!options_.sign_in) return target;
    return unsafe("nothing connects " + describe_target(*target) +
                  ": the connection made at the last login is gone; log in again");
  }
  const auto path = identity_path(*options_.identity, user);
  if (!path) return tl::unexpected(path.error());
  if (const auto usable = check_user_key(*path); !usable) {
    if (usable.error().code != Errc::kNotFound) return tl::unexpected(usable.error());
    return unsafe("there is no SSH key for " + user + ": " + *path +
                  " does not exist; put his private key there (mode 0600, owned by the user that "
                  "hpc-manager runs as)" +
                  (options_.sign_in ? ", or log in again" : ""));
  }
  target->identities = {*path};
  target->only_identities = true;
  return target;
}

Result<SshTarget> UserIdentities::sign_in_target(const std::string& user,
                                                 const std::string& cluster) const {
  auto target = place_of(user, cluster);
  if (target) target->only_prompts = true;
  return target;
}

}  // namespace hpc
