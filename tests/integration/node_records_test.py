#!/usr/bin/python3
"""What hpc-proxy writes into ~/.hpc-proxy, and when it refuses to (contract of the files)."""

import json
import os
import pathlib
import signal
import stat
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402

HEX = set("0123456789abcdef")


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


class RecordsTest(harness.TestCase):
    @property
    def dir(self):
        return self.home / ".hpc-proxy"

    def make_dir(self, permissions=0o700, uid=harness.USER_UID):
        for path in (self.dir, self.dir / "jobs"):
            path.mkdir(exist_ok=True)
            path.chmod(permissions)
            if harness.IS_ROOT:
                os.chown(path, uid, uid)

    def put(self, name, text):
        path = self.dir / name
        path.write_text(text)
        path.chmod(0o600)
        if harness.IS_ROOT:
            os.chown(path, harness.USER_UID, harness.USER_UID)
        return path

    def test_files_are_private_and_complete(self):
        proxy = self.start()
        self.assertEqual((self.dir / "port").read_text(), f"{proxy.port}\n")
        (record_file,) = (self.dir / "jobs").iterdir()
        for path, want in ((self.dir, 0o700), (self.dir / "jobs", 0o700),
                           (self.dir / "port", 0o600), (record_file, 0o600)):
            self.assertEqual(mode(path), want, path)
        record = proxy.record
        self.assertEqual(record["version"], 1)
        self.assertEqual(record["port"], proxy.port)
        self.assertEqual(record["pid"], proxy.process.pid)
        self.assertEqual(record["host"], os.uname().nodename)
        self.assertEqual(record["uid"],
                         harness.USER_UID if harness.IS_ROOT else os.geteuid())
        self.assertEqual((len(record["token"]), set(record["token"]) - HEX), (64, set()))
        self.assertEqual(record["job_id"], f"{record['host']}-{record['pid']}")
        self.assertEqual(record_file.name, record["job_id"] + ".json")
        self.assertIsNone(record["slurm_node"])
        self.assertIsNone(record["app"])
        self.assertIsNone(record["job_end"])

    def test_slurm_job_names_the_record(self):
        proxy = self.start(variables={"SLURM_JOB_ID": "77", "SLURM_NODEID": "0",
                                      "SLURMD_NODENAME": "c1",
                                      "SLURM_JOB_END_TIME": "1772366400"})
        self.assertTrue((self.dir / "jobs/77.json").exists())
        self.assertEqual(proxy.record["slurm_node"], "c1")
        self.assertEqual(proxy.record["job_end"], "2026-03-01T12:00:00.000Z")

    def test_job_end_is_asked_of_squeue_after_listening(self):
        tools = self.base / "bin"
        tools.mkdir()
        gate = self.base / "gate"
        os.mkfifo(gate, 0o666)
        gate.chmod(0o666)
        squeue = tools / "squeue"
        # Answers only when the test lets it: the port file must not wait for that. It is asked for
        # the job's comment, too, which is nothing here.
        squeue.write_text(f"#!/bin/sh\ncase $* in *%e) ;; *) exit ;; esac\n"
                          f"echo \"$@\" > {self.home}/asked\ncat {gate}\n")
        squeue.chmod(0o755)
        proxy = self.start(variables={"SLURM_JOB_ID": "77", "TZ": "UTC0",
                                      "PATH": f"{tools}:{os.environ['PATH']}"})
        self.assertIsNone(proxy.record["job_end"])
        gate.write_text("2026-03-01T12:00:00\n")
        harness.wait_until(lambda: proxy.record["job_end"], "the record tells the job's end")
        self.assertEqual(proxy.record["job_end"], "2026-03-01T12:00:00.000Z")
        self.assertEqual((self.home / "asked").read_text(), "-h -j 77 -o %e\n")

    def test_everything_is_removed_at_the_end(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            proxy = self.start()
            self.assertEqual(proxy.end(number), 0, proxy.log)
            self.assertEqual([path.name for path in self.dir.iterdir()], ["jobs"])
            self.assertEqual(list((self.dir / "jobs").iterdir()), [])

    def test_files_of_somebody_else_stay_at_the_end(self):
        proxy = self.start()
        record = {**proxy.record, "pid": proxy.process.pid + 1}
        self.put("port", "1\n")
        self.put(f"jobs/{proxy.record['job_id']}.json", json.dumps(record))
        self.assertEqual(proxy.end(), 0)
        self.assertEqual((self.dir / "port").read_text(), "1\n")
        self.assertEqual(len(list((self.dir / "jobs").iterdir())), 1)

    def test_wide_directory_is_tightened(self):
        self.make_dir(0o775)
        self.start()
        self.assertEqual(mode(self.dir), 0o700)
        self.assertEqual(mode(self.dir / "jobs"), 0o700)

    def test_second_one_of_the_same_job_is_refused(self):
        first = self.start(variables={"SLURM_JOB_ID": "77"})
        self.assert_refused(1, "77", first.port, variables={"SLURM_JOB_ID": "77"})
        self.assertEqual(first.get("/healthz").status, 200)
        self.assertEqual((self.dir / "port").read_text(), f"{first.port}\n")

    def test_record_of_a_killed_one_is_replaced(self):
        first = self.start(variables={"SLURM_JOB_ID": "77"})
        first.end(signal.SIGKILL)
        self.assertTrue((self.dir / "jobs/77.json").exists())
        second = self.start(variables={"SLURM_JOB_ID": "77"})
        self.assertEqual(second.record["pid"], second.process.pid)

    def test_stale_port_is_gone_before_anything_slow(self):
        self.make_dir()
        stale = self.put("port", "9\n")
        # The port that is asked for is busy, so it ends before it listens.
        busy = harness.socket.create_server(("0.0.0.0", 0))
        self.addCleanup(busy.close)
        self.assert_refused(1, "in use", arguments=("--port", busy.getsockname()[1]))
        self.assertFalse(stale.exists())

    def test_port_of_a_live_one_stays_until_the_next_listens(self):
        first = self.start(variables={"SLURM_JOB_ID": "1"})
        second = self.start(variables={"SLURM_JOB_ID": "2"})
        self.assertEqual((self.dir / "port").read_text(), f"{second.port}\n")
        self.assertEqual(first.end(), 0)
        self.assertEqual((self.dir / "port").read_text(), f"{second.port}\n")

    def test_symbolic_link_is_refused(self):
        target = self.new_home()
        self.dir.symlink_to(target)
        self.assert_refused(1, self.dir, "symbolic link")
        self.assertEqual(list(target.iterdir()), [])

    def test_symbolic_link_of_the_port_file_is_refused(self):
        self.make_dir()
        (self.dir / "port").symlink_to("/dev/null")
        self.assert_refused(1, "port", "symbolic link")

    def test_file_in_its_place_is_refused(self):
        self.dir.write_text("")
        self.assert_refused(1, self.dir)

    @unittest.skipUnless(harness.IS_ROOT, "needs root to give files away")
    def test_what_another_user_owns_is_refused(self):
        self.make_dir(uid=harness.OTHER_UID)
        self.dir.chmod(0o777)
        self.assert_refused(1, self.dir, "another user")
        self.make_dir()
        os.chown(self.put("port", "1\n"), harness.OTHER_UID, harness.OTHER_UID)
        self.assert_refused(1, "port", "another user")

    @unittest.skipUnless(harness.IS_ROOT, "needs root to make a home that is not the user's")
    def test_unreadable_home_is_refused(self):
        os.chown(self.home, 0, 0)
        self.home.chmod(0o700)
        done = self.run_proxy(home="/", variables={"HOME": str(self.home)})
        self.assertEqual(done.returncode, 1)
        self.assertIn("Permission denied", done.stderr)
        self.assertIn("--state-dir", done.stderr)

    def test_missing_home_is_refused(self):
        self.assert_refused(1, "HOME", variables={"HOME": ""})

    def test_state_dir_and_port_file_can_be_named(self):
        state, port_file = self.home / "state", self.home / "my-port"
        proxy = self.start("--state-dir", state, "--port-file", port_file)
        self.assertEqual(port_file.read_text(), f"{proxy.port}\n")
        self.assertFalse(self.dir.exists())
        self.assertEqual(len(list((state / "jobs").iterdir())), 1)
        self.assertEqual(proxy.end(), 0)
        self.assertFalse(port_file.exists())

    def test_token_is_nowhere_but_in_the_record(self):
        proxy = self.start("--verbose")
        token = proxy.token
        self.assertEqual(proxy.get("/status?x=secret").status, 200)
        process = pathlib.Path("/proc") / str(proxy.process.pid)
        self.assertNotIn(token, (process / "cmdline").read_text())
        if harness.IS_ROOT:
            self.assertNotIn(token, (process / "environ").read_text())
        self.assertEqual(proxy.end(), 0)
        self.assertNotIn(token, proxy.log)
        self.assertNotIn("secret", proxy.log)
        self.assertIn("path=/status", proxy.log)


if __name__ == "__main__":
    harness.main()
