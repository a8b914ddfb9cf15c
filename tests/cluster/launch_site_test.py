"""What launch_site.py gives to tests of launching, without hpc-manager's part in it: commands that
fail on demand, a controller and nodes that go and come back, and who got a node when."""

import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from launch_site import LaunchSite  # noqa: E402
from waiting import wait_until  # noqa: E402

SCRIPT = "#!/bin/sh\nexec sleep 300\n"


class LaunchSiteTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = LaunchSite(users=2, nodes=2, cpus=4)
        cls.addClassCleanup(cls.site.close)

    def tearDown(self):
        self.site.cancel_all()

    def as_alice(self, *command):
        """It runs on the login node; its output comes from communicate()."""
        site = self.site.site
        process = subprocess.Popen(
            [pathlib.Path(__file__).parent.parent / "support/site.sh", "exec", site.directory,
             "alice@login", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: process.poll() is not None or process.kill())
        return process

    def submit(self, *options):
        return self.as_alice("sbatch", "--parsable", *options)

    def test_calls_are_noted_with_what_they_got(self):
        sbatch = self.site.command("sbatch")
        before = len(sbatch.calls())
        sbatch.mode("record")
        self.addCleanup(sbatch.mode, "run")
        name = "--comment=a $(id)\n'b'"
        output, _ = self.submit("-w", "c2", name).communicate(SCRIPT)
        call = sbatch.calls()[before]
        self.assertEqual((call.user, call.arguments),
                         ("alice", ["--parsable", "-w", "c2", name]))
        self.assertEqual(call.stdin, SCRIPT.encode())
        self.assertIn(b"\0USER=alice\0", b"\0" + call.environ)
        self.assertLess(abs(call.at - time.time()), 30)
        job = output.strip()
        wait_until(lambda: self.site.jobs("alice")[0].state == "RUNNING", "it runs")
        self.assertEqual(self.site.jobs("bob"), [])
        found = self.site.jobs()
        self.assertEqual([(one.id, one.user, one.node) for one in found], [(job, "alice", "c2")])
        self.assertLess(abs(self.site.allocated_at(job) - call.at), 30)

    def test_commands_fail_on_demand(self):
        squeue = self.site.command("squeue")
        self.addCleanup(squeue.mode, "run")
        squeue.mode("fail", "slurm_load_jobs error: no way")
        process = self.as_alice("squeue")
        self.assertEqual(process.communicate(), ("", "slurm_load_jobs error: no way\n"))
        self.assertEqual(process.returncode, 1)
        squeue.mode("rubbish")
        process = subprocess.run(
            [pathlib.Path(__file__).parent.parent / "support/site.sh", "exec",
             self.site.site.directory, "alice@login", "squeue"], capture_output=True, check=True)
        self.assertIn(b"\xff\xfe|RUNNING|\x1b[2J<squeue>", process.stdout)
        self.assertEqual(self.site.jobs(), [], "root's is the real one")

    def test_commands_hang_on_demand(self):
        sbatch = self.site.command("sbatch")
        self.addCleanup(sbatch.mode, "run")
        for mode, at_once, later in (("hang", 0, 0), ("hang-then-run", 0, 1),
                                     ("run-then-hang", 1, 1)):
            with self.subTest(mode=mode):
                before = len(sbatch.calls())
                sbatch.mode(mode)
                process = self.submit()
                process.stdin.write(SCRIPT)
                process.stdin.close()
                process.stdin = None
                sbatch.wait_for_calls(before + 1)
                if at_once:
                    sbatch.wait_for_calls(1, ran=True)
                self.assertEqual(len(self.site.jobs()), at_once)
                self.assertIsNone(process.poll())
                sbatch.mode("run")
                output, _ = process.communicate(timeout=30)
                self.assertEqual([job.id for job in self.site.jobs()], output.split())
                self.assertEqual((len(self.site.jobs()), process.returncode == 0),
                                 (later, later == 1))
                self.tearDown()

    def test_jobs_wait_while_nodes_are_held(self):
        self.site.hold_nodes()
        self.submit().communicate(SCRIPT)
        self.assertEqual([job.state for job in self.site.jobs()], ["PENDING"])
        self.site.release_nodes()
        wait_until(lambda: self.site.jobs()[0].state == "RUNNING", "it runs", 40, every=0.1)

    def test_the_controller_goes_and_comes_back_with_its_jobs(self):
        job = self.submit().communicate(SCRIPT)[0].strip()
        wait_until(lambda: self.site.jobs()[0].state == "RUNNING", "it runs")
        self.site.kill_slurmctld()
        process = self.as_alice("squeue", "-h", "-j", job)
        _, said = process.communicate(timeout=120)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("slurm_load_jobs error", said)
        self.site.start_slurmctld()
        wait_until(lambda: [one.state for one in self.site.jobs()] == ["RUNNING"], "it runs on",
                   40, every=0.1)
        self.assertEqual(self.site.jobs()[0].id, job)

    def test_a_node_goes_and_comes_back(self):
        self.site.power_off("c2")
        self.site.power_on("c2")
        self.submit("-w", "c2").communicate(SCRIPT)
        wait_until(lambda: self.site.jobs()[0].state == "RUNNING", "it runs", 40, every=0.1)

    def test_files_of_a_home_are_the_users_own(self):
        path = self.site.write_home("bob", ".hpc-proxy/sessions/x/plain.sh", "exec true\n")
        owner = self.site.site.home("bob").stat().st_uid
        for one in (path, *path.parents[:3]):
            self.assertEqual(one.stat().st_uid, owner, one)
        self.assertEqual(path.parent.stat().st_mode & 0o777, 0o700)
        self.assertEqual(self.site.leftovers("bob"), ["bob/.hpc-proxy/sessions/x"])
        self.assertEqual(self.site.leftovers("alice"), [])


if __name__ == "__main__":
    unittest.main()
