#include "node-proxy/run/network_space.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <system_error>

#include "common/unique_fd.h"

namespace hpc {

namespace {

// A number and a newline; a file that holds more is none of these settings.
constexpr std::size_t kSettingBytesMax = 32;
// What the probe says fits into a pipe without waiting.
constexpr std::size_t kProbeTextBytesMax = 1024;

const char* step_name(NetworkSpaceStep step) {
  switch (step) {
    case NetworkSpaceStep::kUserNamespace:
      return "a user namespace";
    case NetworkSpaceStep::kNetworkNamespace:
      return "a network namespace";
    case NetworkSpaceStep::kIdMap:
      return "to map this user into its user namespace";
    case NetworkSpaceStep::kLoopbackUp:
      break;
  }
  return "to switch on the loopback device of its network namespace";
}

std::optional<std::int64_t> read_setting(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::array<char, kSettingBytesMax> text{};
  const ssize_t size = read(file.get(), text.data(), text.size());
  std::int64_t value = 0;
  if (size <= 0 || std::from_chars(text.data(), text.data() + size, value).ec != std::errc{}) {
    return std::nullopt;
  }
  return value;
}

tl::unexpected<Error> refused(NetworkSpaceStep step, int error,
                              const NetworkSpaceSettings& settings) {
  return fail(Errc::kSystem, "network namespace",
              "the kernel refuses " + std::string(step_name(step)) + " (" + std::strerror(error) +
                  "): " + explain_refusal(step, error, settings) + std::string(kLoopbackAdvice));
}

bool write_file(const char* path, std::string_view text) {
  const UniqueFd file(open(path, O_WRONLY | O_CLOEXEC));
  // These files of the kernel take everything at once or nothing.
  return file && write(file.get(), text.data(), text.size()) >= 0;
}

std::string identity_map(unsigned id) {
  return std::to_string(id) + " " + std::to_string(id) + " 1\n";
}

bool map_ids(uid_t uid, gid_t gid) {
  // A user who could drop groups could open what a group is shut out of; so the kernel lets nobody
  // map a group before he has given that up. Kernels before 3.19 do not have the file.
  if (!write_file("/proc/self/setgroups", "deny") && errno != ENOENT) return false;
  return write_file("/proc/self/uid_map", identity_map(uid)) &&
         write_file("/proc/self/gid_map", identity_map(gid));
}

bool bring_loopback_up() {
  const UniqueFd socket_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket_fd) return false;
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return ioctl(socket_fd.get(), SIOCSIFFLAGS, &request) == 0;
}

constexpr const char* kProbeWorks = "works";

/// In the child: what went wrong, or that it works, goes into the pipe.
[[noreturn]] void probe(int writing) {
  const auto entered = enter_network_space();
  const std::string text = entered ? kProbeWorks : entered.error().detail;
  [[maybe_unused]] const ssize_t size =
      write(writing, text.data(), std::min(text.size(), kProbeTextBytesMax));
  _exit(0);
}

std::string read_all(int reading) {
  std::array<char, kProbeTextBytesMax> text{};
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t size = read(reading, text.data() + filled, text.size() - filled);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    filled += static_cast<std::size_t>(size);
  }
  return {text.data(), filled};
}

}  // namespace

NetworkSpaceSettings read_network_space_settings(const std::string& proc_sys) {
  return {read_setting(proc_sys + "/user/max_user_namespaces"),
          read_setting(proc_sys + "/user/max_net_namespaces"),
          read_setting(proc_sys + "/kernel/unprivileged_userns_clone"),
          read_setting(proc_sys + "/kernel/apparmor_restrict_unprivileged_userns")};
}

std::string explain_refusal(NetworkSpaceStep step, int error,
                            const NetworkSpaceSettings& settings) {
  const bool user = step == NetworkSpaceStep::kUserNamespace;
  const auto& maximum = user ? settings.max_user_namespaces : settings.max_net_namespaces;
  const std::string maximum_name = user ? "user.max_user_namespaces" : "user.max_net_namespaces";
  // Settings before the error: which one an old kernel answers with differs.
  if (user && settings.unprivileged_userns == 0) return "kernel.unprivileged_userns_clone is 0";
  if (user || step == NetworkSpaceStep::kNetworkNamespace) {
    if (maximum == 0) return maximum_name + " is 0";
    if (error == EINVAL || error == ENOSYS) return "it was built without them";
    if (error == ENOSPC || error == EUSERS) {
      const std::string of = maximum ? " (" + std::to_string(*maximum) + ")" : "";
      return "as many as " + maximum_name + of +
             " allows are in use, or the limit of a container around this is reached";
    }
    if (error == ENOMEM) return "this node has no memory left for it";
  }
  // Ubuntu makes the namespaces and then forbids every use of them.
  if ((error == EPERM || error == EACCES) && settings.apparmor_restriction.value_or(0) != 0) {
    return "kernel.apparmor_restrict_unprivileged_userns is " +
           std::to_string(*settings.apparmor_restriction);
  }
  if (step == NetworkSpaceStep::kIdMap && (error == ENOENT || error == EROFS)) {
    return "/proc is not there, or read-only";
  }
  return "a security policy (seccomp, SELinux, a container or a changed root) forbids it";
}

Status enter_network_space() {
  // As they are seen from outside: a new user namespace has all of them anew, without a limit.
  const NetworkSpaceSettings settings = read_network_space_settings("/proc/sys");
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  const auto failed = [&settings](NetworkSpaceStep step) { return refused(step, errno, settings); };
  // One after the other, so that the error tells which.
  if (unshare(CLONE_NEWUSER) != 0) return failed(NetworkSpaceStep::kUserNamespace);
  if (unshare(CLONE_NEWNET) != 0) return failed(NetworkSpaceStep::kNetworkNamespace);
  if (!map_ids(uid, gid)) return failed(NetworkSpaceStep::kIdMap);
  if (!bring_loopback_up()) return failed(NetworkSpaceStep::kLoopbackUp);
  return {};
}

Status probe_network_space() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(Errc::kSystem, "network namespace", std::string("pipe: ") + std::strerror(errno));
  }
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const pid_t child = fork();
  if (child < 0) {
    return fail(Errc::kSystem, "network namespace", std::string("fork: ") + std::strerror(errno));
  }
  if (child == 0) probe(writing.get());
  writing.reset();
  std::string why = read_all(reading.get());
  // Not its status: where SIGCHLD is ignored nobody gets that.
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
  if (why == kProbeWorks) return {};
  // seccomp may also kill whoever asks.
  if (why.empty()) {
    why = "a security policy ends the process that asks" + std::string(kLoopbackAdvice);
  }
  return fail(Errc::kSystem, "network namespace", std::move(why));
}

}  // namespace hpc
