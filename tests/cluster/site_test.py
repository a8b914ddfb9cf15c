"""The test site itself: two nodes, users, jobs, cables, and nothing left behind."""

import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from slurm_site import Site  # noqa: E402
from waiting import wait_until  # noqa: E402

SLEEPER = "#!/bin/bash\n#SBATCH --requeue\necho restart ${SLURM_RESTART_COUNT:-0}\nsleep 300 & wait\n"


class SiteTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Site("--uplink", "--job-ssh")
        cls.addClassCleanup(cls.site.close)

    def ssh(self, user, *command):
        """From this machine's own network to the login node."""
        site = self.site
        return subprocess.run(
            ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
             "-o", f"UserKnownHostsFile={site.known_hosts}", "-i", site.key(user),
             f"{user}@{site.address}", *command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)

    def test_uplink_reaches_the_login_node(self):
        self.assertEqual(self.ssh("bob", "id -un; hostname; pwd").stdout.split(),
                         ["bob", "login", "/mnt/home/bob"])

    def test_job_runs_and_is_requeued_to_the_other_node(self):
        job = self.site.submit("alice", SLEEPER, "-w", "c1")
        wait_until(lambda: self.site.job_state("alice", job) == "RUNNING c1", "it runs on c1")
        self.site.run("login", "scontrol", "requeue", job)
        self.site.run("login", "scontrol", "update", f"JobId={job}", "ReqNodeList=c2")
        wait_until(lambda: self.site.job_state("alice", job) == "RUNNING c2", f"job {job} on c2")
        output = self.site.home("alice") / f"slurm-{job}.out"
        wait_until(lambda: "restart 1" in output.read_text(), "the job's second start")
        self.site.run("alice@login", "scancel", job)

    def test_compute_node_takes_only_users_with_a_job(self):
        refused = self.ssh("carol", "ssh -o BatchMode=yes c2 hostname")
        self.assertIn("Permission denied", refused.stderr)
        job = self.site.submit("carol", SLEEPER, "-w", "c2")
        wait_until(lambda: self.site.job_state("carol", job) == "RUNNING c2", "it runs on c2")
        self.assertEqual(self.ssh("carol", "ssh -o BatchMode=yes c2 hostname").stdout, "c2\n")
        self.site.run("carol@login", "scancel", job)

    def test_node_dies_and_boots_again(self):
        self.site.kill("web")
        self.assertEqual(self.site.run("web", "hostname", check=False), "")
        self.site.start("web")
        self.assertEqual(self.site.run("web", "hostname"), "web")


class SlowLineTest(unittest.TestCase):
    """Two sites at once, one of them far away."""

    def test_delay_is_seen_from_web_only(self):
        near, far = Site("--no-slurm"), Site("--no-slurm", "--wan", "40")
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        probe = ("import socket,time\n"
                 "socket.create_connection(('login', 22)).close()\n"  # fills the ARP tables
                 "start = time.monotonic()\n"
                 "socket.create_connection(('login', 22)).close()\n"
                 "print(time.monotonic() - start)\n")
        near_s, far_s = (float(site.run("web", "/usr/bin/python3", "-c", probe))
                         for site in (near, far))
        self.assertGreaterEqual(far_s, 0.080)
        self.assertLess(near_s, far_s)


if __name__ == "__main__":
    unittest.main()
