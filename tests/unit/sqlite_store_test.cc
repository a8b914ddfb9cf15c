#include "manager/store/sqlite_store.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "manager/store/sqlite_schema.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/store_rows.h"
#include "tests/support/temp_dir.h"

// SQLite's library finds this one first: how often it has asked the disk to keep what it has.
static std::atomic<int> disk_syncs{0};
extern "C" int fdatasync(int fd) {
  ++disk_syncs;
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

namespace hpc {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;

struct SqliteStoreTest : TempDirFixture {
  Loop loop;
  std::int64_t now = 1'000'000'000;  // read by the writer's thread while nothing is written
  std::string path = dir + "/state.db";
  std::unique_ptr<SqliteStore> store;

  Result<std::unique_ptr<SqliteStore>> try_open(FileSystemOf file_system = file_system_of) {
    return SqliteStore::open(loop, {path, [this] { return now; }, std::move(file_system)});
  }
  /// As a restart does.
  StoreContents reopen() {
    store.reset();
    auto opened = try_open();
    EXPECT_TRUE(opened.has_value()) << describe(opened.error());
    if (!opened) return {};
    store = std::move(*opened);
    auto contents = store->load();
    EXPECT_TRUE(contents.has_value()) << describe(contents.error());
    return contents ? std::move(*contents) : StoreContents{};
  }
  Status write(std::vector<Change> changes) {
    std::optional<Status> result;
    auto accepted =
        store->write(std::move(changes), [&](const Status& status) { result = status; });
    if (!accepted) return accepted;
    EXPECT_TRUE(run_until(loop, [&] { return result.has_value(); }));
    return *result;
  }
  void must_write(std::vector<Change> changes) {
    const auto written = write(std::move(changes));
    ASSERT_TRUE(written.has_value()) << describe(written.error());
  }
  void expect_contradiction(std::vector<Change> changes) {
    const auto written = write(std::move(changes));
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().code, Errc::kBadRequest) << describe(written.error());
    EXPECT_TRUE(store->healthy().has_value());
  }
  std::string refused(Errc code, FileSystemOf file_system = file_system_of) {
    const auto opened = try_open(std::move(file_system));
    EXPECT_FALSE(opened.has_value());
    if (opened) return {};
    EXPECT_EQ(opened.error().code, code) << describe(opened.error());
    EXPECT_NE(describe(opened.error()).find(path), std::string::npos);
    return describe(opened.error());
  }
  static bool says(const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
  }
};

TEST_F(SqliteStoreTest, ANewFileHasNothingInIt) {
  const auto all = reopen();
  EXPECT_TRUE(all.sessions.empty() && all.leases.empty() && all.tokens.empty());
  EXPECT_TRUE(all.active.empty() && all.events.empty() && all.queue.empty());
  EXPECT_TRUE(all.forgotten_through.empty());
  EXPECT_EQ(all.last_event_number, 0u);
  EXPECT_EQ(mode(path), 0600);
}

TEST_F(SqliteStoreTest, BringsBackEveryFieldAfterARestart) {
  reopen();
  const SessionRow session = session_row("s1");
  SessionRow bare;  // everything that may be unknown is
  bare.id = "s2";
  bare.key = {"bob", "main", "jupyter", 1};
  const TokenRow token = token_row("t1", 1);
  TokenRow plain = token_row("t2", 2);
  plain.kind = TokenKind::kApi;
  plain.expires_at = plain.last_used_at = std::nullopt;
  const Event event = event_of(7, "s1", R"({"state":"running"})").event;
  const QueueRow queued{"s2", 3, R"({"cpus":1})", std::nullopt};
  must_write({PutSession{session}, PutSession{bare}, PutLease{{"s1", "ide", 9000}},
              PutLease{{"s1", "app", 9100}}, PutToken{token}, PutToken{plain},
              SetActive{"alice", "s1"}, AppendEvent{event}, PutQueued{queued}});
  const auto all = reopen();
  EXPECT_EQ(all.sessions, (std::vector<StoredSession>{{bare, 0}, {session, 0}}));
  EXPECT_EQ(all.leases, (std::vector<LeaseRow>{{"s1", "app", 9100}, {"s1", "ide", 9000}}));
  EXPECT_EQ(all.tokens, (std::vector<TokenRow>{token, plain}));
  EXPECT_EQ(all.active, (std::map<std::string, std::string>{{"alice", "s1"}}));
  EXPECT_EQ(all.queue, std::vector<QueueRow>{queued});
  ASSERT_EQ(all.events.size(), 1u);
  const Event& back = all.events[0];
  EXPECT_EQ(back.number, event.number);
  EXPECT_EQ(back.unix_ms, event.unix_ms);
  EXPECT_EQ(back.session, event.session);
  EXPECT_EQ(back.type, event.type);
  EXPECT_EQ(back.data, event.data);
  EXPECT_EQ(all.last_event_number, 7u);
}

TEST_F(SqliteStoreTest, ReplacesRowsOfTheSameId) {
  reopen();
  SessionRow session = session_row("s1");
  TokenRow token = token_row("t1", 1);
  must_write({PutSession{session}, PutToken{token}, PutLease{{"s1", "ide", 9000}},
              PutQueued{{"s1", 1, "{}", {}}}, SetActive{"alice", "s1"}});
  session.state = SessionState::kReconnecting;
  session.key.slot = 3;
  session.node = "c2";
  session.started_at = std::nullopt;
  token.label = "other";
  must_write({PutSession{session}, PutToken{token}, TouchToken{"t1", 99},
              PutLease{{"s1", "ide", 9001}}, PutQueued{{"s1", 2, "[]", 55}},
              SetActive{"alice", std::nullopt}});
  token.last_used_at = 99;
  const auto all = reopen();
  EXPECT_EQ(all.sessions, (std::vector<StoredSession>{{session, 0}}));
  EXPECT_EQ(all.tokens, std::vector<TokenRow>{token});
  EXPECT_EQ(all.leases, (std::vector<LeaseRow>{{"s1", "ide", 9001}}));
  EXPECT_EQ(all.queue, (std::vector<QueueRow>{{"s1", 2, "[]", 55}}));
  EXPECT_TRUE(all.active.empty());
}

TEST_F(SqliteStoreTest, KeepsTheLeasesOfASessionThatIsReplaced) {
  reopen();
  must_write({PutSession{session_row("s1")}, PutLease{{"s1", "ide", 9000}}, event_of(1, "s1")});
  must_write({PutSession{session_row("s1", "jupyter")}});
  const auto all = reopen();
  EXPECT_EQ(all.leases.size(), 1u);
  EXPECT_EQ(all.events.size(), 1u);
}

TEST_F(SqliteStoreTest, WhatHasEndedHoldsNothing) {
  reopen();
  must_write({PutSession{session_row("s1")}, PutSession{session_row("s2", "jupyter")},
              PutLease{{"s1", "ide", 9000}}, PutLease{{"s2", "ide", 9001}},
              PutQueued{{"s1", 1, "{}", {}}}, SetActive{"alice", "s1"}, event_of(1, "s1")});
  must_write({PutSession{ended_row("s1", now)}});
  const auto all = reopen();
  EXPECT_EQ(all.leases, (std::vector<LeaseRow>{{"s2", "ide", 9001}}));
  EXPECT_TRUE(all.queue.empty());
  EXPECT_TRUE(all.active.empty());
  EXPECT_EQ(all.events.size(), 1u) << "they can be read for an hour";
  EXPECT_EQ(all.sessions.size(), 2u) << "it is history";
}

TEST_F(SqliteStoreTest, DropsLeasesAndQueuePlacesAlone) {
  reopen();
  must_write({PutSession{session_row("s1")}, PutLease{{"s1", "ide", 9000}},
              PutQueued{{"s1", 1, "{}", {}}}});
  must_write({DropLeases{"s1"}, DropQueued{"s1"}});
  const auto all = reopen();
  EXPECT_TRUE(all.leases.empty());
  EXPECT_TRUE(all.queue.empty());
}

TEST_F(SqliteStoreTest, RefusesWhatContradictsWhatIsThere) {
  reopen();
  must_write({PutSession{session_row("s1")}, PutLease{{"s1", "ide", 9000}}, event_of(5, "s1"),
              PutToken{token_row("t1", 1)}, PutQueued{{"s1", 1, "{}", {}}}});
  SessionRow half_ended = session_row("s3", "rstudio");
  half_ended.state = SessionState::kEnded;
  SessionRow ended_alive = session_row("s3", "rstudio");
  ended_alive.ended_at = 5;
  expect_contradiction({PutLease{{"nobody", "ide", 9001}}});
  expect_contradiction({AppendEvent{event_of(6, "nobody")}});
  expect_contradiction({AppendEvent{event_of(5, "s1")}});
  expect_contradiction({SetActive{"alice", "nobody"}});
  expect_contradiction({PutQueued{{"nobody", 2, "{}", {}}}});
  expect_contradiction({PutSession{session_row("s2")}});  // the key is taken
  expect_contradiction({PutSession{half_ended}});
  expect_contradiction({PutSession{ended_alive}});
  expect_contradiction({PutToken{token_row("t2", 1)}});  // the hash is taken
  expect_contradiction({PutSession{session_row("s2", "jupyter")}, PutLease{{"s2", "ide", 9000}}});
  const auto all = reopen();
  EXPECT_EQ(all.sessions.size(), 1u) << "all of a write or nothing";
  EXPECT_EQ(all.tokens.size(), 1u);
}

TEST_F(SqliteStoreTest, AContradictionFailsAloneInItsTransaction) {
  reopen();
  std::vector<std::pair<int, bool>> done;
  const auto write_as = [&](int name, std::vector<Change> changes) {
    ASSERT_TRUE(store->write(std::move(changes), [&done, name](const Status& status) {
      done.emplace_back(name, status.has_value());
    }));
  };
  write_as(0, {PutSession{session_row("s1")}});
  write_as(1, {PutSession{session_row("s2", "jupyter")}, PutLease{{"nobody", "ide", 1}}});
  write_as(2, {PutLease{{"s1", "ide", 9000}}});
  ASSERT_TRUE(run_until(loop, [&] { return done.size() == 3; }));
  EXPECT_EQ(done, (std::vector<std::pair<int, bool>>{{0, true}, {1, false}, {2, true}}));
  const auto all = reopen();
  EXPECT_EQ(all.sessions.size(), 1u);
  EXPECT_EQ(all.leases.size(), 1u);
}

TEST_F(SqliteStoreTest, AKeyIsFreeAgainAfterTheEnd) {
  reopen();
  must_write({PutSession{session_row("s1")}});
  must_write({PutSession{ended_row("s1", now)}, PutSession{session_row("s2")}});
  EXPECT_EQ(reopen().sessions.size(), 2u);
}

TEST_F(SqliteStoreTest, KeepsAsManyEventsOfASessionAsTheRing) {
  reopen();
  std::vector<Change> changes = {PutSession{session_row("s1")},
                                 PutSession{session_row("s2", "jupyter")}, event_of(1, "s2")};
  for (std::uint64_t number = 2; number <= kEventsPerSessionMax + 1; ++number) {
    changes.emplace_back(event_of(number, "s1"));
  }
  must_write(std::move(changes));
  auto all = reopen();
  EXPECT_EQ(all.events.size(), kEventsPerSessionMax + 1);
  EXPECT_EQ(all.sessions[0].lost_through, 0u);
  must_write({event_of(kEventsPerSessionMax + 2, "s1")});
  all = reopen();
  EXPECT_EQ(all.events.size(), kEventsPerSessionMax + 1);
  EXPECT_EQ(all.events[0].session, "s2");
  EXPECT_EQ(all.events[1].number, 3u);
  EXPECT_EQ(all.sessions[0].lost_through, 2u);
  EXPECT_EQ(all.sessions[1].lost_through, 0u);
}

TEST_F(SqliteStoreTest, KeepsAsManyBytesOfEventsAsTheRing) {
  reopen();
  const std::size_t half = kEventBytesPerSessionMax / 2 - std::string("s1state").size();
  must_write({PutSession{session_row("s1")}, event_of(1, "s1", std::string(half, 'x')),
              event_of(2, "s1", std::string(half, 'x'))});
  EXPECT_EQ(reopen().events.size(), 2u);
  must_write({event_of(3, "s1", "")});
  auto all = reopen();
  ASSERT_EQ(all.events.size(), 2u);
  EXPECT_EQ(all.events[0].number, 2u);
  EXPECT_EQ(all.sessions[0].lost_through, 1u);
  must_write({event_of(4, "s1", std::string(2 * half + 100, 'x'))});
  all = reopen();
  EXPECT_TRUE(all.events.empty()) << "one that is larger than the ring is lost itself";
  EXPECT_EQ(all.sessions[0].lost_through, 4u);
}

TEST_F(SqliteStoreTest, ForgetsTheEventsOfAnEndedSessionAfterAnHour) {
  reopen();
  must_write({PutSession{session_row("s1")}, PutSession{session_row("s2", "jupyter")},
              event_of(1, "s1"), event_of(2, "s2"), event_of(3, "s1")});
  must_write({PutSession{ended_row("s1", now)}});
  now += kHourMs;
  auto all = reopen();
  EXPECT_EQ(all.events.size(), 3u);
  EXPECT_TRUE(all.forgotten_through.empty());
  now += 1;
  all = reopen();
  ASSERT_EQ(all.events.size(), 1u);
  EXPECT_EQ(all.events[0].number, 2u);
  EXPECT_EQ(all.last_event_number, 3u) << "numbers are never given again";
  EXPECT_EQ(all.forgotten_through, (std::map<std::string, std::uint64_t>{{"alice", 3}}));
  EXPECT_EQ(all.sessions.size(), 2u);
}

TEST_F(SqliteStoreTest, TrimsWhileItRunsEveryMinute) {
  reopen();
  must_write({PutSession{session_row("s1")}, event_of(1, "s1")});
  must_write({PutSession{ended_row("s1", now)}});
  now += kHourMs + 1;
  must_write({PutToken{token_row("t1", 1)}});
  now -= kHourMs;  // so that reopening trims nothing
  EXPECT_TRUE(reopen().events.empty());
}

TEST_F(SqliteStoreTest, DropsHistoryAfterItsTime) {
  reopen();
  must_write({PutSession{ended_row("s1", now)}, PutSession{session_row("s2")}, event_of(1, "s2")});
  must_write({PutSession{ended_row("s2", now + 1)}});
  now += kHistoryKeptMs;
  EXPECT_EQ(reopen().sessions.size(), 2u);
  now += 1;
  auto all = reopen();
  ASSERT_EQ(all.sessions.size(), 1u);
  EXPECT_EQ(all.sessions[0].row.id, "s2");
  now += 1;
  all = reopen();
  EXPECT_TRUE(all.sessions.empty());
  EXPECT_EQ(all.last_event_number, 1u);
}

TEST_F(SqliteStoreTest, LoadsTheLatestOfManyEndedSessions) {
  reopen();
  std::vector<Change> changes;
  for (std::size_t i = 0; i <= kEndedSessionsLoaded; ++i) {
    changes.emplace_back(
        PutSession{ended_row("e" + std::to_string(i), now + static_cast<std::int64_t>(i))});
  }
  changes.emplace_back(PutSession{session_row("live")});
  must_write(std::move(changes));
  const auto all = reopen();
  EXPECT_EQ(all.sessions.size(), kEndedSessionsLoaded + 1);
  const auto has = [&](const std::string& id) {
    return std::any_of(all.sessions.begin(), all.sessions.end(),
                       [&](const StoredSession& one) { return one.row.id == id; });
  };
  EXPECT_TRUE(has("live"));
  EXPECT_TRUE(has("e1"));
  EXPECT_FALSE(has("e0")) << "the oldest";
}

TEST_F(SqliteStoreTest, LoadsNoDeadTokensAndDropsThemLater) {
  reopen();
  TokenRow expired = token_row("expired", 1);
  expired.expires_at = now;
  TokenRow expiring = token_row("expiring", 2);
  expiring.expires_at = now + 1;
  TokenRow revoked = token_row("revoked", 3);
  revoked.revoked_at = now;
  must_write({PutToken{expired}, PutToken{expiring}, PutToken{revoked}});
  const auto all = reopen();
  ASSERT_EQ(all.tokens.size(), 1u);
  EXPECT_EQ(all.tokens[0].id, "expiring");
  const auto rows = [&] {
    store.reset();
    return (*SqliteDb::open(path))->number("SELECT count(*) FROM tokens").value_or(-1);
  };
  EXPECT_EQ(rows(), 3);
  now += kDeadTokenKeptMs + 1;
  reopen();
  EXPECT_EQ(rows(), 1);
}

TEST_F(SqliteStoreTest, TheEndWritesWhatWasAccepted) {
  reopen();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(store->write(
        {PutSession{session_row("s" + std::to_string(i), "ide" + std::to_string(i))}}, nullptr));
  }
  EXPECT_EQ(reopen().sessions.size(), 50u);
}

TEST_F(SqliteStoreTest, SyncsEveryTransactionBeforeItIsReported) {
  reopen();
  for (std::uint64_t number = 1; number <= 5; ++number) {
    const int before = disk_syncs;
    must_write({PutToken{token_row("t1", static_cast<unsigned char>(number))}});
    EXPECT_GT(disk_syncs, before);
  }
}

TEST_F(SqliteStoreTest, HasItsLogBesideItAndSharesNothing) {
  reopen();
  must_write({PutSession{session_row("s1")}});
  EXPECT_TRUE(std::filesystem::exists(path + "-wal"));
  EXPECT_EQ(mode(path + "-wal"), 0600);
  EXPECT_FALSE(std::filesystem::exists(path + "-shm")) << "locked alone, nothing is shared";
  store.reset();
  EXPECT_FALSE(std::filesystem::exists(path + "-wal")) << "a clean end leaves one file";
}

TEST_F(SqliteStoreTest, RefusesAFileThatIsInUse) {
  reopen();
  const auto said = refused(Errc::kUnavailable);
  EXPECT_TRUE(says(said, "is in use by another process")) << said;
  EXPECT_TRUE(says(said, "two managers cannot share one")) << said;
}

TEST_F(SqliteStoreTest, RefusesASharedFileSystem) {
  const auto said = refused(Errc::kConfig, [](int) { return 0x0BD00BD0; });
  EXPECT_TRUE(says(said, "is on Lustre")) << said;
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(SqliteStoreTest, RefusesANewerLayoutAndLeavesItAlone) {
  reopen();
  store.reset();
  ASSERT_TRUE((*SqliteDb::open(path))->run("PRAGMA user_version = 99").has_value());
  const std::string before = text(path);
  EXPECT_TRUE(says(refused(Errc::kConfig), "newer hpc-manager (layout 99"));
  EXPECT_TRUE(text(path) == before);
}

TEST_F(SqliteStoreTest, RefusesTheFileOfAnotherProgramAndLeavesItAlone) {
  put(path, "");
  ASSERT_TRUE((*SqliteDb::open(path))->run("CREATE TABLE moz_places (url)").has_value());
  const std::string before = text(path);
  EXPECT_TRUE(says(refused(Errc::kConfig), "another program"));
  EXPECT_TRUE(text(path) == before);
}

struct Damage {
  const char* name;
  std::size_t offset;  // of 4 KiB that are overwritten
};
class SqliteStoreDamageTest : public SqliteStoreTest, public testing::WithParamInterface<Damage> {};
void PrintTo(const Damage& damage, std::ostream* os) { *os << damage.name; }

TEST_P(SqliteStoreDamageTest, RefusesADamagedFileAndLeavesItAlone) {
  reopen();
  std::vector<Change> changes = {PutSession{session_row("s1")}};
  for (std::uint64_t number = 1; number <= 200; ++number) {
    changes.emplace_back(event_of(number, "s1", std::string(500, 'x')));
  }
  must_write(std::move(changes));
  store.reset();
  std::string damaged = text(path);
  ASSERT_GT(damaged.size(), GetParam().offset + 4096);
  std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(GetParam().offset), 4096, '\x5A');
  put(path, damaged);
  const auto said = refused(Errc::kSystem);
  EXPECT_TRUE(says(said, "is damaged")) << said;
  EXPECT_TRUE(says(said, "sqlite3 " + path + " .recover")) << said;
  EXPECT_TRUE(text(path) == damaged);
}
INSTANTIATE_TEST_SUITE_P(Places, SqliteStoreDamageTest,
                         testing::Values(Damage{"header", 0}, Damage{"second_page", 4096},
                                         Damage{"tenth_page", 36864}));

TEST_F(SqliteStoreTest, LeavesTheLogOfADamagedFileAlone) {
  reopen();
  std::vector<Change> changes = {PutSession{session_row("s1")}};
  for (std::uint64_t number = 1; number <= 200; ++number) {
    changes.emplace_back(event_of(number, "s1", std::string(500, 'x')));
  }
  must_write(std::move(changes));
  reopen();
  must_write({PutToken{token_row("t1", 1)}});
  // What a kill leaves behind: the file, and a log with the last changes.
  std::filesystem::create_directory(dir + "/killed");
  std::filesystem::permissions(dir + "/killed", std::filesystem::perms(0700));
  std::string damaged = text(path);
  std::fill_n(damaged.begin() + 36864, 4096, '\x5A');
  const std::string log = text(path + "-wal");
  ASSERT_FALSE(log.empty());
  path = dir + "/killed/state.db";
  put(path, damaged);
  put(path + "-wal", log);
  EXPECT_TRUE(says(refused(Errc::kSystem), "is damaged"));
  EXPECT_TRUE(text(path) == damaged);
  EXPECT_TRUE(text(path + "-wal") == log);
}

TEST_F(SqliteStoreTest, RefusesWhatIsNoDatabase) {
  const std::string thesis(5000, 'A');
  put(path, thesis);
  EXPECT_TRUE(says(refused(Errc::kSystem), "is damaged (file is not a database)"));
  EXPECT_EQ(text(path), thesis);
}

TEST_F(SqliteStoreTest, RefusesRowsThatNobodyOfUsWrote) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"UPDATE sessions SET state = 'dancing'", "row s1 of table sessions"},
      {"UPDATE sessions SET user = '../etc'", "row s1 of table sessions"},
      {"UPDATE sessions SET slot = 4294967297", "row s1 of table sessions"},
  };
  reopen();
  must_write({PutSession{session_row("s1")}});
  store.reset();
  for (const auto& [sql, words] : cases) {
    std::filesystem::copy_file(path, dir + "/copy.db");
    ASSERT_TRUE((*SqliteDb::open(path))->run(sql).has_value());
    auto opened = try_open();
    ASSERT_TRUE(opened.has_value()) << describe(opened.error());
    const auto all = (*opened)->load();
    ASSERT_FALSE(all.has_value()) << sql;
    EXPECT_EQ(all.error().code, Errc::kConfig);
    EXPECT_TRUE(says(describe(all.error()), words)) << describe(all.error());
    opened->reset();
    std::filesystem::rename(dir + "/copy.db", path);
  }
}

TEST_F(SqliteStoreTest, SaysSoWhenTheFileIsTakenAwayAndHealsWhenItIsBack) {
  reopen();
  must_write({PutSession{session_row("s1")}});
  std::filesystem::rename(path, path + ".away");
  const auto written = write({event_of(1, "s1")});
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code, Errc::kSystem);
  EXPECT_TRUE(says(describe(written.error()), "removed or replaced")) << describe(written.error());
  EXPECT_FALSE(store->healthy().has_value());
  std::filesystem::rename(path + ".away", path);
  must_write({event_of(2, "s1")});
  EXPECT_TRUE(store->healthy().has_value());
  EXPECT_EQ(reopen().events.size(), 1u);
}

}  // namespace
}  // namespace hpc
