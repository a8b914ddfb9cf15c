#include "manager/operator_follow.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>

#include "common/exit_code.h"
#include "common/unique_fd.h"
#include "common/utf8.h"
#include "manager/console.h"
#include "manager/operator_client.h"
#include "manager/operator_verbs.h"
#include "manager/session/json.h"
#include "manager/start_progress.h"
#include "manager/wall_clock.h"

namespace hpc {

namespace {

constexpr int kAgainMs = 1'000;
// How long a character of UTF-8 is, by its first byte (RFC 3629); 1 where it is none.
std::size_t character_size(char first) {
  const auto byte = static_cast<unsigned char>(first);
  if (byte >= 0xF8) return 1;
  if (byte >= 0xF0) return 4;
  if (byte >= 0xE0) return 3;
  return byte >= 0xC0 ? 2 : 1;
}

void say(const std::string& text) { std::fputs(console_text(text).c_str(), stderr); }

int failed(const Error& error) {
  say(error.where == "serve" ? describe(error) : error.detail);
  return exit_code(error.code);
}

/// From now on SIGINT and SIGTERM make its descriptor readable, instead of ending the program.
class StopSignals {
 public:
  StopSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    descriptor_.reset(signalfd(-1, &signals, SFD_CLOEXEC));
  }
  int descriptor() const { return descriptor_.get(); }
  /// Waits so long, 0: not at all; true as soon as one has come.
  bool wait(int ms) const {
    pollfd watched{descriptor_.get(), POLLIN, 0};
    return poll(&watched, 1, ms) > 0;
  }

 private:
  UniqueFd descriptor_;
};

/// "14:03:22  queued (3rd)", in the time of this machine.
void say_step(const std::string& line) {
  const auto now = static_cast<std::time_t>(unix_now_ms() / 1000);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 16> time{};
  std::strftime(time.data(), time.size(), "%H:%M:%S", &local);
  std::fputs((std::string(time.data()) + "  " + line + "\n").c_str(), stderr);
}

/// Until the session runs or has ended, or it is known that this cannot be seen.
class StartWait {
 public:
  StartWait(const VerbOptions& options, StartProgress& progress, const StopSignals& signals)
      : options_(options), progress_(progress), signals_(signals) {}

  /// True: there is an outcome. False: a signal has come.
  Result<bool> run() {
    while (progress_.outcome() == StartProgress::Outcome::kOnItsWay) {
      const auto answer = stream_operator_socket(options_.socket, events(), stream());
      progress_.stream_ended();
      const auto went_on = answer ? after(*answer) : away(answer.error());
      if (!went_on) return tl::unexpected(went_on.error());
      if (progress_.outcome() != StartProgress::Outcome::kOnItsWay) break;
      if (signals_.wait(kAgainMs)) return false;
    }
    return true;
  }

 private:
  std::string path() const { return "/api/v1/sessions/" + progress_.id(); }
  OperatorRequest events() const {
    return {"GET", path() + "/events?last-event-id=" + std::to_string(progress_.last_event()), ""};
  }
  OperatorStream stream() {
    return {[this](std::string_view piece) {
              answered_at_ = Clock::now();
              return progress_.take(piece);
            },
            signals_.descriptor()};
  }

  // The stream has ended: with the session, or with serve, which is about to start again.
  Status after(const std::optional<OperatorAnswer>& answer) {
    if (!answer) return {};
    if (answer->status < 200 || answer->status > 299) {
      return tl::unexpected(verb_failure(*answer));
    }
    const auto now = ask_operator_socket(options_.socket, {"GET", path(), ""});
    if (!now) return away(now.error());
    if (now->status != 200) return tl::unexpected(verb_failure(*now));
    answered_at_ = Clock::now();
    progress_.see(now->body);
    return {};
  }

  Status away(const Error& why) const {
    if (why.code == Errc::kForbidden) return tl::unexpected(why);
    if (Clock::now() - answered_at_ < std::chrono::seconds(kServeAwaySeconds)) return {};
    return tl::unexpected(why);
  }

  using Clock = std::chrono::steady_clock;
  const VerbOptions& options_;
  StartProgress& progress_;
  const StopSignals& signals_;
  Clock::time_point answered_at_ = Clock::now();
};

}  // namespace

int follow_start(const VerbOptions& options, const std::string& session) {
  const StopSignals signals;
  StartProgress progress(say_step);
  if (!progress.see(session)) {
    say("its answer is not what was expected; is it another version?");
    return 1;
  }
  const auto seen = StartWait(options, progress, signals).run();
  const std::string again = "hpc-manager sessions show " + progress.id();
  if (!seen) {
    failed(seen.error());
    say("the session " + progress.id() + " may go on all the same; see " + again);
    return exit_code(seen.error().code);
  }
  if (!*seen) {
    say("not waiting any longer; the session " + progress.id() + " stays as it is:\n  " + again +
        "\n  hpc-manager sessions stop " + progress.id());
    return 1;
  }
  if (progress.outcome() == StartProgress::Outcome::kEnded) {
    say("the session has ended before it ran" +
        (progress.reason().empty() ? "" : ": " + progress.reason()));
    return 1;
  }
  std::puts(options.json ? progress.json().c_str() : progress.url().c_str());
  return std::fflush(stdout) == 0 ? 0 : 1;
}

std::string terminal_log(std::string_view text, std::string& rest) {
  const std::string all = std::exchange(rest, {}) + std::string(text);
  std::string shown;
  for (std::string_view left = all; !left.empty();) {
    const bool plain = left.front() == '\n' || left.front() == '\t';
    const std::size_t size = plain ? 1 : printable_utf8_size(left);
    if (size > 0) {
      shown += left.substr(0, size);
    } else if (left.size() < character_size(left.front())) {
      rest = left;
      break;
    } else if (left.front() != '\r') {
      shown += "\xEF\xBF\xBD";
    }
    left.remove_prefix(size > 0 ? size : 1);
  }
  return shown;
}

int print_log(const VerbOptions& options) {
  const StopSignals signals;
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  bool written = true;
  std::string rest;
  const auto print = [&](std::string_view piece) {
    const auto text = terminal ? terminal_log(piece, rest) : std::string(piece);
    written =
        std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    return written;
  };
  const auto answer =
      stream_operator_socket(options.socket, verb_request(options), {print, signals.descriptor()});
  if (!answer) return failed(answer.error());
  if (*answer && ((*answer)->status < 200 || (*answer)->status > 299)) {
    return failed(verb_failure(**answer));
  }
  return written ? 0 : 1;
}

}  // namespace hpc
