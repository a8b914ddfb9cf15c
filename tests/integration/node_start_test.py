#!/usr/bin/python3
"""Several hpc-proxy that start at the same moment in one home."""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402


class StartsAtOnceTest(harness.TestCase):
    ROUNDS = 8

    @property
    def dir(self):
        return self.home / ".hpc-proxy"

    def start_at_once(self, count, variables):
        """Starts them as nearly at once as can be; [(process, ready descriptor, log)]."""
        started = []
        for _ in range(count):
            reading, writing = os.pipe()
            process, log = self.popen([self.program, "--ready-fd", writing],
                                      variables=variables, pass_fds=(writing,))
            os.close(writing)
            started.append((process, reading, log))
        return started

    def ports(self, started):
        """What each said on its ready descriptor; "" for one that did not start."""
        texts = []
        for _, reading, _ in started:
            with os.fdopen(reading) as ready:
                texts.append(ready.read().strip())
        return texts

    def test_only_one_of_a_job_starts_and_the_others_name_its_port(self):
        for _ in range(self.ROUNDS):
            started = self.start_at_once(3, {"SLURM_JOB_ID": "77"})
            ports = self.ports(started)
            (port,) = [text for text in ports if text]
            for (process, _, log), text in zip(started, ports):
                if not text:
                    self.assertEqual(process.wait(harness.PATIENCE_SECONDS), 1)
                    self.assertIn(f"on port {port};", log.read_text())
            self.assertEqual(json.loads((self.dir / "jobs/77.json").read_text())["port"], int(port))
            self.assertEqual((self.dir / "port").read_text(), f"{port}\n")
            (winner,) = [process for (process, _, _), text in zip(started, ports) if text]
            winner.kill()  # the next round finds a stale record
            winner.wait()

    def test_others_start_side_by_side(self):
        started = self.start_at_once(4, {})
        ports = self.ports(started)
        self.assertEqual(len(set(ports) - {""}), 4)
        records = [json.loads(path.read_text()) for path in (self.dir / "jobs").glob("*.json")]
        self.assertEqual({str(record["port"]) for record in records}, set(ports))
        self.assertIn((self.dir / "port").read_text().strip(), ports)
        for process, _, _ in started:
            process.terminate()
        for process, _, _ in started:
            self.assertEqual(process.wait(harness.PATIENCE_SECONDS), 0)
        self.assertEqual([path.name for path in self.dir.iterdir()], ["jobs"])
        self.assertEqual(list((self.dir / "jobs").iterdir()), [])

    def test_lock_of_a_killed_start_holds_up_nobody(self):
        self.start().end()
        lock = self.dir / f".{os.uname().nodename}.lock"
        lock.write_text("2147483647 1\n")
        lock.chmod(0o600)
        if harness.IS_ROOT:
            os.chown(lock, harness.USER_UID, harness.USER_UID)
        self.start()
        self.assertFalse(lock.exists())


if __name__ == "__main__":
    harness.main()
