#!/usr/bin/python3
"""A disk that is full, read-only or used up by the user's quota; records that others change.

Disks are small file systems in memory that only the tested program sees (unshare -m).
"""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402

CAN_MOUNT = harness.IS_ROOT and shutil.which("unshare") is not None and subprocess.run(
    ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True,
    check=False).returncode == 0
QUOTA = "usrquota,usrquota_block_hardlimit=64K"
CAN_QUOTA = CAN_MOUNT and subprocess.run(
    ["unshare", "-m", "mount", "-t", "tmpfs", "-o", QUOTA, "none", "/mnt"], capture_output=True,
    check=False).returncode == 0


@unittest.skipUnless(CAN_MOUNT, "needs root that may mount")
class DiskTest(harness.TestCase):
    def run_on_disk(self, options, prepare, arguments=""):
        """Runs hpc-proxy with a home on a disk of its own; `prepare` is a shell script in that home,
        run as the user before. Returns what was said, and the files that are left."""
        user = " ".join(harness.as_user(harness.USER_UID, []))
        owner = f"uid={harness.USER_UID},gid={harness.USER_UID},mode=700"
        script = f"""
            mount -t tmpfs -o {owner},{options} none "$HOME" || exit 99
            cd "$HOME"
            {user} sh -c '{prepare}' 2>/dev/null
            [ -e read-only ] && mount -o remount,ro none "$HOME"
            {user} {self.program} {arguments}
            echo "rc=$?"
            find . ! -type d ! -name filler ! -name read-only
        """
        process, log = self.popen(["unshare", "-m", "sh", "-c", script], uid=None)
        process.wait(60)
        said, _, files = log.read_text().partition("rc=")
        code, _, files = files.partition("\n")
        self.assertEqual(code, "1", said)
        return said, files.split()

    def assert_said(self, said, *words):
        for word in words:
            self.assertIn(str(word), said)

    FILL = "head -c 1M /dev/zero > filler"
    MAKE = "mkdir -m 700 .hpc-proxy .hpc-proxy/jobs"

    def test_full_disk(self):
        for prepare in (self.FILL, f"{self.MAKE}; {self.FILL}"):
            said, files = self.run_on_disk("size=64K", prepare)
            self.assert_said(said, self.home / ".hpc-proxy", "No space left on device")
            self.assertEqual(files, [])

    def test_disk_that_is_full_once_the_record_is_there(self):
        # One page for the lock, one for the record; the port file finds no room.
        said, files = self.run_on_disk(f"size={2 * os.sysconf('SC_PAGE_SIZE')}", self.MAKE)
        self.assert_said(said, self.home / ".hpc-proxy/port", "No space left on device",
                         "free some space", "--port-file")
        self.assertEqual(files, [])

    def test_no_file_can_be_made_any_more(self):
        said, files = self.run_on_disk("size=64K,nr_inodes=3", self.MAKE)
        self.assert_said(said, self.home / ".hpc-proxy", "No space left on device")
        self.assertEqual(files, [])

    @unittest.skipUnless(CAN_QUOTA, "this kernel's tmpfs has no quota")
    def test_quota_is_used_up(self):
        said, files = self.run_on_disk(QUOTA, f"{self.MAKE}; {self.FILL}")
        self.assert_said(said, self.home / ".hpc-proxy", "Disk quota exceeded", "free some space")
        self.assertEqual(files, [])

    def test_read_only_disk(self):
        for prepare in ("touch read-only", f"{self.MAKE}; touch read-only"):
            said, files = self.run_on_disk("size=1M", prepare)
            self.assert_said(said, self.home / ".hpc-proxy", "Read-only file system", "--state-dir")
            self.assertEqual(files, [])

    def test_stale_record_is_still_readable_on_a_full_disk(self):
        stale = json.dumps({"port": 1})
        said, files = self.run_on_disk(
            "size=64K", f"{self.MAKE}; echo {json.dumps(stale)} > .hpc-proxy/jobs/1.json; {self.FILL}")
        self.assert_said(said, "No space left on device")
        self.assertEqual(files, ["./.hpc-proxy/jobs/1.json"])


class ReplacedTest(harness.TestCase):
    @property
    def record_file(self):
        (path,) = (self.home / ".hpc-proxy/jobs").glob("*.json")
        return path

    def test_replaced_record_is_not_written_to(self):
        proxy = self.start(variables={"SLURM_JOB_ID": "77"})
        record_file = self.record_file
        other = json.dumps({**proxy.record, "started_at": "2099-01-01T00:00:00Z"})
        token = proxy.token
        record_file.write_text(other)
        answer = self.set_app(proxy, token)
        self.assertEqual(answer.status, 500)
        self.assertIn("removed or replaced", answer.body.decode())
        self.assertEqual(record_file.read_text(), other)
        self.assertEqual(proxy.end(), 0)
        self.assertEqual(record_file.read_text(), other)

    def test_removed_directory_stays_removed(self):
        proxy = self.start()
        token = proxy.token
        shutil.rmtree(self.home / ".hpc-proxy")
        self.assertEqual(self.set_app(proxy, token).status, 500)
        with proxy.connect() as connection:
            connection.send("GET /healthz HTTP/1.0\r\n\r\n")
            self.assertEqual(connection.read_answer().status, 200)
        self.assertEqual(proxy.end(), 0, proxy.log)
        self.assertFalse((self.home / ".hpc-proxy").exists())

    def set_app(self, proxy, token):
        with harness.user_sockets(), proxy.connect() as connection:
            connection.send("POST /.hpc-proxy/app HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                            f"X-HPC-Proxy-Token: {token}\r\nX-HPC-Proxy-App: 5500\r\n"
                            "Content-Length: 0\r\n\r\n")
            return connection.read_answer()

    def test_log_is_never_written_through_a_hard_link(self):
        task = self.task()
        variables = {"SLURM_JOB_ID": "77", "SLURM_TASK_PID": str(task.pid)}
        self.start().end()
        precious = self.home / "thesis"
        precious.write_text("all of it")
        os.link(precious, self.home / ".hpc-proxy/77.log")
        if harness.IS_ROOT:
            os.chown(precious, harness.USER_UID, harness.USER_UID)
        with contextlib.ExitStack() as stack:
            stack.callback(self.run_proxy, "stop", variables=variables)
            done = self.run_proxy("--daemon", "--verbose", variables=variables)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(precious.read_text(), "all of it")

    def test_pipe_for_the_log_does_not_hang_the_start(self):
        task = self.task()
        variables = {"SLURM_JOB_ID": "77", "SLURM_TASK_PID": str(task.pid)}
        self.start().end()
        os.mkfifo(self.home / ".hpc-proxy/77.log", 0o666)
        done = self.run_proxy("--daemon", variables=variables)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.run_proxy("stop", variables=variables).returncode, 0)


if __name__ == "__main__":
    harness.main()
