#include "manager/sd_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "common/unique_fd.h"

namespace hpc {

namespace {

std::string take_variable(const char* name) {
  const char* const value = std::getenv(name);
  std::string text = value != nullptr ? value : "";
  unsetenv(name);
  return text;
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> period_ms(std::string_view usec, std::string_view pid) {
  const auto limit = number_of(usec);
  if (!limit || *limit == 0) return std::nullopt;
  // Meant for another process, whose child we are.
  if (!pid.empty() && number_of(pid) != static_cast<std::uint64_t>(getpid())) return std::nullopt;
  return std::max<std::uint64_t>(*limit / 2000, 1);
}

/// A line end would begin another assignment.
std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

}  // namespace

ServiceNotifier ServiceNotifier::from_environment() {
  ServiceNotifier notifier;
  notifier.socket_ = take_variable("NOTIFY_SOCKET");
  const bool usable = notifier.socket_.starts_with('/') || notifier.socket_.starts_with('@');
  if (!usable || notifier.socket_.size() == 1) notifier.socket_.clear();
  const auto usec = take_variable("WATCHDOG_USEC");
  const auto pid = take_variable("WATCHDOG_PID");
  if (notifier.wanted()) notifier.watchdog_period_ms_ = period_ms(usec, pid);
  return notifier;
}

void ServiceNotifier::ready(std::string_view status) {
  send("READY=1\nSTATUS=" + one_line(status));
}

void ServiceNotifier::reloading() {
  // uv_hrtime() is CLOCK_MONOTONIC, which is what systemd compares it with.
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(uv_hrtime() / 1000));
}

void ServiceNotifier::stopping() { send("STOPPING=1"); }

void ServiceNotifier::status(std::string_view status) { send("STATUS=" + one_line(status)); }

void ServiceNotifier::watchdog() { send("WATCHDOG=1"); }

void ServiceNotifier::send(std::string_view message) const {
  sockaddr_un address{};
  if (!wanted() || socket_.size() >= sizeof address.sun_path) return;
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL,
         reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace hpc
