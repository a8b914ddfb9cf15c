// store_writer FILE check           opens the store and says how much is in it
// store_writer FILE write SEED US   changes it all the time and kills itself after US microseconds
// store_writer FILE fill            writes until it cannot, and on as soon as it can again
//
// What is printed was confirmed before. `write` keeps to rules that a reader of the file can check:
// a live session has two leases and a "begin" event, an ended one has no lease and an "end" event,
// event numbers have no gaps.
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/loop.h"
#include "common/timer.h"
#include "manager/store/sqlite_store.h"

namespace hpc {
namespace {

std::int64_t unix_ms() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

void say(const std::string& line) {
  const std::string text = line + "\n";
  if (write(STDOUT_FILENO, text.data(), text.size()) < 0) _exit(3);
}

int complain(const Error& error) {
  std::fprintf(stderr, "%s\n", describe(error).c_str());
  return error.code == Errc::kConfig ? 6 : 1;
}

struct Live {
  std::string id;
  std::string ide;
};

class Writer {
 public:
  Writer(Loop& loop, Store& store, const StoreContents& contents, unsigned seed)
      : loop_(loop), store_(store), random_(seed), last_event_(contents.last_event_number) {
    for (const auto& session : contents.sessions) {
      const SessionRow& row = session.row;
      if (row.state != SessionState::kEnded) live_.push_back({row.id, row.key.ide});
    }
    for (const auto& lease : contents.leases) next_port_ = std::max(next_port_, lease.port + 1);
  }

  /// Keeps some writes on their way, so that transactions hold several.
  void keep_busy() {
    constexpr int kOnTheirWay = 8;
    while (on_their_way_ < kOnTheirWay) change_something();
  }

  /// One session after the other with one large event each: none of them is ever trimmed.
  void fill() {
    const std::string data(80'000, 'x');
    auto change = event(begin_quietly(), "state", data);
    const auto number = change.event.number;
    const auto accepted = store_.write({change}, [this, number](const Status& status) {
      if (!status) return wait_for_room(status.error());
      say("event " + std::to_string(number));
      fill();
    });
    if (!accepted) exit(complain(accepted.error()));
  }

 private:
  std::size_t dice(std::size_t sides) { return random_() % sides; }

  void change_something() {
    const auto roll = dice(10);
    if (live_.empty() || (roll < 2 && live_.size() < 40)) {
      begin_session();
    } else if (roll < 3) {
      end_session();
    } else {
      const Live& session = live_[dice(live_.size())];
      write({event(session.id, "state", std::string(dice(300), 'x'))}, "");
    }
  }

  AppendEvent event(const std::string& id, const std::string& type, std::string data) {
    return {Event{++last_event_, unix_ms(), id, type, std::move(data)}};
  }

  SessionRow row(const Live& session) const {
    SessionRow row;
    row.id = session.id;
    row.key = {"alice", "main", session.ide, 1};
    row.state = SessionState::kRunning;
    row.created_at = unix_ms();
    return row;
  }

  std::uint16_t port() {
    if (next_port_ > 65535) next_port_ = 1024;  // the store holds far fewer at one time
    return static_cast<std::uint16_t>(next_port_++);
  }

  void begin_session() {
    const std::string name = std::to_string(last_event_ + 1);
    live_.push_back({"s" + name, "i" + name});
    const std::string id = live_.back().id;
    write({PutSession{row(live_.back())}, PutLease{{id, "ide", port()}},
           PutLease{{id, "app", port()}}, event(id, "begin", "")},
          "begin " + id);
  }

  void end_session() {
    const auto which = static_cast<std::ptrdiff_t>(dice(live_.size()));
    SessionRow ended = row(live_[static_cast<std::size_t>(which)]);
    live_.erase(live_.begin() + which);
    ended.state = SessionState::kEnded;
    ended.ended_at = unix_ms();
    write({PutSession{ended}, event(ended.id, "end", "")}, "end " + ended.id);
  }

  void write(std::vector<Change> changes, const std::string& line) {
    ++on_their_way_;
    const std::string number = "event " + std::to_string(last_event_);
    const auto accepted =
        store_.write(std::move(changes), [this, line, number](const Status& status) {
          --on_their_way_;
          if (!status) exit(complain(status.error()));
          if (!line.empty()) say(line);
          say(number);
          keep_busy();
        });
    if (!accepted) exit(complain(accepted.error()));
  }

  std::string begin_quietly() {
    const std::string name = std::to_string(last_event_ + 1);
    SessionRow session = row({"s" + name, "i" + name});
    static_cast<void>(store_.write({PutSession{session}}, nullptr));
    return session.id;
  }

  void wait_for_room(const Error& error) {
    say("failed: " + describe(error));
    if (store_.healthy()) exit(4);
    timer_ = std::make_unique<Timer>(loop_, [this] {
      if (!store_.healthy()) return timer_->start(10);
      say("healthy");
      const std::string id = begin_quietly();
      const auto change = event(id, "state", "");
      const auto number = change.event.number;
      static_cast<void>(store_.write({change}, [this, number](const Status& status) {
        if (!status) exit(complain(status.error()));
        say("event " + std::to_string(number));
        loop_.stop();
      }));
    });
    timer_->start(10);
  }

  Loop& loop_;
  Store& store_;
  std::mt19937 random_;
  std::uint64_t last_event_;
  std::vector<Live> live_;
  int next_port_ = 1024;
  int on_their_way_ = 0;
  std::unique_ptr<Timer> timer_;
};

void kill_after(long microseconds) {
  std::thread([microseconds] {
    const timespec wait{microseconds / 1'000'000, microseconds % 1'000'000 * 1000};
    nanosleep(&wait, nullptr);
    kill(getpid(), SIGKILL);
  }).detach();
}

int run(const std::string& path, const std::string& what, unsigned seed) {
  Loop loop;
  StoreWriter::Times times{.group = std::chrono::milliseconds(0),  // always in a transaction
                           .probe = std::chrono::milliseconds(20)};
  auto opened = SqliteStore::open(loop, {path, unix_ms, file_system_of, times});
  if (!opened) return complain(opened.error());
  SqliteStore& store = **opened;
  const auto contents = store.load();
  if (!contents) return complain(contents.error());
  say("loaded " + std::to_string(contents->sessions.size()) + " " +
      std::to_string(contents->leases.size()) + " " + std::to_string(contents->events.size()) +
      " " + std::to_string(contents->last_event_number));
  if (what == "check") return 0;
  Writer writer(loop, store, *contents, seed);
  if (what == "fill") {
    writer.fill();
  } else {
    writer.keep_busy();
  }
  Timer forever(loop, [] { _exit(5); });
  forever.start(60'000);
  loop.run();
  return 0;
}

}  // namespace
}  // namespace hpc

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const bool write = argc == 5 && std::string(argv[2]) == "write";
  if (write) hpc::kill_after(std::atol(argv[4]));
  return hpc::run(argv[1], argv[2], write ? static_cast<unsigned>(std::atol(argv[3])) : 0);
}
