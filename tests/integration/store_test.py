#!/usr/bin/python3
"""The manager's store: kill -9 at random moments; disks that are full, read-only or taken away.

Disks are small file systems in memory that only the tested program sees (unshare -m).
"""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402
import store_kills  # noqa: E402

ROUNDS = 200
CAN_MOUNT = harness.IS_ROOT and shutil.which("unshare") is not None and subprocess.run(
    ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True,
    check=False).returncode == 0


class KillTest(unittest.TestCase):
    def test_nothing_confirmed_is_lost(self):
        seed = int(os.environ.get("HPC_STORE_SEED", "4"))
        unconfirmed, confirmed = store_kills.kill_rounds(self, ROUNDS, seed)
        print(f"{ROUNDS} kills, {confirmed} events confirmed, {unconfirmed} times a transaction "
              "was there that nobody had been told of")
        # Else the kills would all have come while nothing happened.
        self.assertGreater(confirmed, ROUNDS)


class FileTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.writer = self.base / "store_writer"
        shutil.copy(store_kills.PROGRAM, self.writer)
        self.state = self.home / "state.db"


class StoreTest(FileTest):
    def check(self, uid=harness.USER_UID):
        return subprocess.run(
            harness.as_user(uid, [str(self.writer), str(self.state), "check"]),
            capture_output=True, text=True, timeout=60, check=False)

    def test_second_manager_is_told_who_has_the_file(self):
        process, log = self.popen([self.writer, self.state, "write", 1, 60_000_000])
        harness.wait_until(lambda: "event" in log.read_text(), "the first one writes")
        done = self.check()
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"state file {self.state}: is in use by the process {process.pid}",
                      done.stderr)
        process.kill()
        process.wait()
        self.assertEqual(self.check().returncode, 0, "the lock ends with its holder")

    @unittest.skipUnless(harness.IS_ROOT, "needs root for a second user")
    def test_foreign_directory(self):
        done = self.check(harness.OTHER_UID)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.home.chmod(0o755)
        done = self.check(harness.OTHER_UID)
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn(f"its directory {self.home} belongs to another user", done.stderr)

    @unittest.skipUnless(harness.IS_ROOT, "a user could change the mode back")
    def test_file_without_the_right_to_write(self):
        self.assertEqual(self.check().returncode, 0)
        self.state.chmod(0o400)
        done = self.check()
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot be opened for writing: Permission denied", done.stderr)

    @unittest.skipUnless(harness.IS_ROOT, "a user could change the mode back")
    def test_directory_without_the_right_to_write(self):
        self.home.chmod(0o500)
        done = self.check()
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot be opened for writing: Permission denied", done.stderr)
        self.home.chmod(0o700)
        self.assertEqual(self.check().returncode, 0)
        self.home.chmod(0o500)
        done = self.check()
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"state file {self.state}", done.stderr)


@unittest.skipUnless(CAN_MOUNT, "needs root that may mount")
class DiskTest(FileTest):
    def on_disk(self, options, script):
        """Runs `script` in a home on a disk of its own. Returns the process and its log."""
        owner = f"uid={harness.USER_UID},gid={harness.USER_UID},mode=700"
        user = " ".join(harness.as_user(harness.USER_UID, []))
        whole = f"""
            mount -t tmpfs -o {owner},{options} none "$HOME" || exit 99
            cd "$HOME"
            store() {{ {user} {self.writer} {self.state} "$@"; echo "rc=$?"; }}
            {script}
        """
        return self.popen(["unshare", "-m", "sh", "-c", whole], uid=None)

    def said_on(self, options, script):
        process, log = self.on_disk(options, script)
        process.wait(60)
        return log.read_text()

    def test_disk_is_full_from_the_start(self):
        said = self.said_on("size=64K", "head -c 1M /dev/zero > filler; store check")
        self.assertIn(str(self.state), said)
        self.assertIn("full; free some space there", said)
        self.assertIn("rc=1", said)

    def test_no_file_can_be_made_any_more(self):
        said = self.said_on("size=1M,nr_inodes=1", "store check")
        self.assertIn("No space left on device; free some space there", said)
        self.assertIn("rc=1", said)

    def test_full_at_any_page_of_the_first_start(self):
        # A half made file must be no hindrance once there is room.
        said = self.said_on("size=1M", """
            for pages in 1 2 3 4 5 6 8 10 12 14 16 18 20 24 28; do
                rm -f state.db*
                mount -o remount,size=$((4 * pages))K none "$HOME"
                store check
                mount -o remount,size=1M none "$HOME"
                echo again; store check
            done""")
        first, *others = said.split("again\n")
        self.assertIn("rc=1", first, "one page is not enough")
        for other in others:
            self.assertTrue(other.startswith("loaded 0 0 0 0\nrc=0\n"), said)
        self.assertIn("rc=0", others[-2].partition("rc=0\n")[2], "28 pages are enough")

    def test_read_only_disk(self):
        for prepare in ("", "store check;"):
            said = self.said_on(
                "size=1M", f"{prepare} mount -o remount,ro none \"$HOME\"; store check")
            self.assertIn("Read-only file system; name another file with --state", said)
            self.assertTrue(said.endswith("rc=1\n"), said)

    def test_disk_fills_up_and_has_room_again(self):
        process, log = self.on_disk("size=1M", "store fill; store check")
        harness.wait_until(lambda: "failed: " in log.read_text(), "the disk is full")
        self.assertIn("the disk or the quota is full; free some space there", log.read_text())
        self.assertIsNone(process.poll(), "it goes on")
        subprocess.run(["nsenter", "-t", str(process.pid), "-m", "mount", "-o", "remount,size=16M",
                        "none", str(self.home)], check=True, capture_output=True)
        process.wait(60)
        before, _, after = log.read_text().partition("healthy\n")
        self.assertTrue(after.startswith("event "), log.read_text())
        confirmed = [int(line.split()[1]) for line in (before + after).splitlines()
                     if line.startswith("event ")]
        loaded = after.partition("loaded ")[2].split()
        self.assertGreater(len(confirmed), 2)
        self.assertEqual(int(loaded[2]), len(confirmed), "all that was confirmed, and no more")
        self.assertEqual(int(loaded[3]), confirmed[-1])


if __name__ == "__main__":
    harness.main()
