#include "node-proxy/start_lock.h"

#include <time.h>
#include <unistd.h>

#include <charconv>
#include <optional>
#include <utility>

#include "node-proxy/private_file.h"
#include "node-proxy/process.h"

namespace hpc {

namespace {

constexpr std::size_t kLockBytesMax = 64;
constexpr long kLookAgainMs = 10;

/// "PID MILLISECONDS": who took it, and when, because the kernel gives the PID to others later.
struct Holder {
  std::int64_t pid = 0;
  std::int64_t since_ms = 0;
};

std::string name_of(const std::string& host) { return "." + host + ".lock"; }

std::optional<Holder> parse_holder(std::string_view text) {
  Holder holder;
  const char* last = text.data() + text.size();
  const auto pid = std::from_chars(text.data(), last, holder.pid);
  if (pid.ec != std::errc{} || pid.ptr == last || *pid.ptr != ' ') return std::nullopt;
  const auto since = std::from_chars(pid.ptr + 1, last, holder.since_ms);
  if (since.ec != std::errc{} || since.ptr == last || *since.ptr != '\n') return std::nullopt;
  return holder;
}

void pause() {
  const timespec time{0, kLookAgainMs * 1'000'000};
  nanosleep(&time, nullptr);
}

/// Removes the lock of a process that is gone. Says whether another try is worth it at once.
bool remove_stale(const RecordDir& dir, const std::string& host, const std::string& text) {
  const auto holder = parse_holder(text);
  if (!holder || process_lived_at(holder->pid, holder->since_ms)) return false;
  return remove_private_file(dir.fd(), name_of(host), temporary_name(host, getpid()), kLockBytesMax,
                             [&](std::string_view now) { return now == text; });
}

std::string held_by(const std::optional<std::string>& text) {
  const auto holder = text ? parse_holder(*text) : std::nullopt;
  if (!holder) return "is in the way; remove it";
  return "process " + std::to_string(holder->pid) +
         " is starting an hpc-proxy here and does not get on; end it, then try again";
}

}  // namespace

StartLock::StartLock(const RecordDir& dir, std::string host, std::string text)
    : dir_(&dir), host_(std::move(host)), text_(std::move(text)) {}

StartLock::StartLock(StartLock&& other) noexcept
    : dir_(std::exchange(other.dir_, nullptr)),
      host_(std::move(other.host_)),
      text_(std::move(other.text_)) {}

Result<StartLock> StartLock::take(const RecordDir& dir, const std::string& host,
                                  std::uint64_t wait_ms) {
  const std::string name = name_of(host);
  const std::string temporary = temporary_name(host, getpid());
  for (std::uint64_t waited_ms = 0;; waited_ms += kLookAgainMs) {
    // Anew each time: a process that was there at this moment is the holder and no later one.
    std::string text = std::to_string(getpid()) + " " + std::to_string(unix_ms()) + "\n";
    if (const auto made = make_private_file(dir.fd(), temporary, text); !made) {
      return fail(Errc::kSystem, dir.path(),
                  made.error().detail + "; --state-dir names another directory");
    }
    const auto taken = publish_new_file(dir.fd(), temporary, name);
    if (!taken) return fail(Errc::kSystem, dir.path() + "/" + name, taken.error().detail);
    if (*taken) return StartLock(dir, host, std::move(text));
    const auto there = read_private_file(dir.fd(), name, kLockBytesMax);
    if (there && remove_stale(dir, host, *there)) continue;
    if (waited_ms >= wait_ms) {
      return fail(Errc::kSystem, dir.path() + "/" + name, held_by(there));
    }
    pause();
  }
}

void StartLock::release() {
  if (dir_ == nullptr) return;
  const RecordDir& dir = *std::exchange(dir_, nullptr);
  remove_private_file(dir.fd(), name_of(host_), temporary_name(host_, getpid()), kLockBytesMax,
                      [&](std::string_view now) { return now == text_; });
}

}  // namespace hpc
