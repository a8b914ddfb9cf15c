"""kill -9 of a program that writes to the store, at random moments; what must hold afterwards."""

import contextlib
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile

PROGRAM = pathlib.Path(os.environ.get("HPC_BUILD_DIR", "build/dev")) / "tests/support/store_writer"
# Opening takes some milliseconds, a transaction one to ten: both are hit.
KILL_AFTER_MS_MAX = 100
# A new file now and then, so that making it is hit as well.
ROUNDS_PER_FILE = 20

# What the writer promises and the store must keep (tests/support/store_writer.cc). Each finds
# nothing in a sound file.
INVARIANTS = {
    "a lease without a session":
        "SELECT * FROM leases WHERE session NOT IN (SELECT id FROM sessions)",
    "an event without a session":
        "SELECT * FROM events WHERE session NOT IN (SELECT id FROM sessions)",
    "a live session without its two leases":
        "SELECT id FROM sessions WHERE ended_at IS NULL AND"
        " (SELECT count(*) FROM leases WHERE session = id) != 2",
    "an ended session that holds a lease":
        "SELECT id FROM sessions JOIN leases ON session = id WHERE ended_at IS NOT NULL",
    "a session without the event of its begin":
        "SELECT id FROM sessions WHERE NOT EXISTS"
        " (SELECT * FROM events WHERE session = id AND type = 'begin')",
    "an end that is only half there":
        "SELECT id FROM sessions WHERE (ended_at IS NOT NULL) !="
        " EXISTS (SELECT * FROM events WHERE session = id AND type = 'end')",
    "a gap in the numbers of events":
        "SELECT count(*), max(number) FROM events HAVING count(*) != max(number)",
    "a wrong count of a session's events":
        "SELECT id FROM sessions WHERE event_count !="
        " (SELECT count(*) FROM events WHERE session = id)",
    "an event that was lost": "SELECT id FROM sessions WHERE lost_through > 0",
}


class Killed:
    """One file, written by many programs one after the other, none of which ends by itself."""

    def __init__(self, test, folder):
        self.test = test
        self.path = pathlib.Path(folder) / "state.db"
        self.copies = pathlib.Path(folder) / "copies"
        self.events, self.sessions, self.ended = set(), set(), set()
        self.ended_stored = 0  # as the copy has it
        self.known = set()  # events that a copy had
        self.unconfirmed = 0

    def run(self, *arguments):
        return subprocess.run([PROGRAM, self.path, *map(str, arguments)], capture_output=True,
                              text=True, timeout=60, check=False)

    def round(self, seed, microseconds):
        done = self.run("write", seed, microseconds)
        self.test.assertEqual(done.returncode, -signal.SIGKILL, done.stdout + done.stderr)
        # The last line may have been cut.
        for line in done.stdout[:done.stdout.rfind("\n") + 1].splitlines():
            word, _, value = line.partition(" ")
            if word == "event":
                self.events.add(int(value))
            elif word == "begin":
                self.sessions.add(value)
            elif word == "end":
                self.ended.add(value)
        if self.path.exists():
            self.check_copy()
            self.check_opens()

    def check_copy(self):
        """Looked at with another program than ours, in a copy: ours is to find what was left."""
        shutil.rmtree(self.copies, ignore_errors=True)
        self.copies.mkdir()
        for name in self.path.parent.glob("state.db*"):
            shutil.copy(name, self.copies)
        with contextlib.closing(sqlite3.connect(self.copies / "state.db")) as db:
            self.test.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.test.assertEqual(db.execute("PRAGMA foreign_key_check").fetchall(), [])
            if db.execute("PRAGMA user_version").fetchone() != (0,):
                self.check_content(db)
            else:
                self.test.assertFalse(self.events, "all that was confirmed is gone")

    def check_content(self, db):
        for what, query in INVARIANTS.items():
            found = db.execute(query).fetchall()
            self.test.assertEqual(found, [], what)
        events = {row[0] for row in db.execute("SELECT number FROM events")}
        self.test.assertLessEqual(self.events, events)
        self.test.assertLessEqual(
            self.sessions, {row[0] for row in db.execute("SELECT id FROM sessions")})
        ended = {row[0] for row in db.execute("SELECT id FROM sessions WHERE ended_at IS NOT NULL")}
        self.test.assertLessEqual(self.ended, ended)
        self.ended_stored = len(ended)
        self.unconfirmed += bool(events - self.events - self.known)
        self.known |= events

    def check_opens(self):
        done = self.run("check")
        self.test.assertEqual(done.returncode, 0, done.stderr)
        sessions, leases, events, last = map(int, done.stdout.split()[1:])
        self.test.assertEqual(leases, 2 * (sessions - self.ended_stored), done.stdout)
        self.test.assertEqual(events, last)
        self.test.assertGreaterEqual(last, max(self.events, default=0))


def kill_rounds(test, rounds, seed):
    """Runs `rounds` of them; returns how many were killed between a commit and its confirmation, and
    how many events were confirmed."""
    dice = random.Random(seed)
    unconfirmed = confirmed = 0
    while rounds > 0:
        with tempfile.TemporaryDirectory() as folder:
            killed = Killed(test, folder)
            for _ in range(min(rounds, ROUNDS_PER_FILE)):
                microseconds = dice.randrange(KILL_AFTER_MS_MAX * 1000)
                with test.subTest(seed=seed, left=rounds, microseconds=microseconds):
                    killed.round(dice.randrange(1 << 30), microseconds)
                rounds -= 1
            unconfirmed += killed.unconfirmed
            confirmed += len(killed.events)
    return unconfirmed, confirmed
