"""The test site itself: two nodes, users, jobs, cables, and nothing left behind."""

import json
import pathlib
import pwd
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from slurm_site import Site  # noqa: E402
from two_sites import TwoSites  # noqa: E402
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


class TwoSitesTest(unittest.TestCase):
    """Five people with an account at each of two clusters."""

    @classmethod
    def setUpClass(cls):
        cls.sites = TwoSites(users=5)
        cls.addClassCleanup(cls.sites.close)

    def login(self, key, name, where=None):
        """Whether alice's key of one site is taken on the login node of `name`; from this
        machine's own network, or from a node of red."""
        site = self.sites.site(name)
        known_hosts, key_file = self.sites.known_hosts, self.sites.site(key).key("alice")
        if where:
            # The node sees its own site's files only.
            known_hosts, key_file = "/mnt/known_hosts.both", "/mnt/keys/alice"
            shutil.copy(self.sites.known_hosts,
                        self.sites.site("red").directory / "known_hosts.both")
        command = ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
                   "-o", f"UserKnownHostsFile={known_hosts}", "-i", str(key_file),
                   f"alice@{site.address}", "cat", "/mnt/name"]
        (site.directory / "name").write_text(name)
        if where:
            return self.sites.site("red").run(where, *command, check=False)
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=20).stdout

    def test_each_site_has_keys_of_its_own_and_one_that_fits_both(self):
        self.assertEqual(self.login("red", "red"), "red")
        self.assertEqual(self.login("red", "blue"), "blue")
        self.assertEqual(self.login("blue", "blue"), "blue")
        self.assertEqual(self.login("blue", "red"), "")

    def test_the_web_node_of_the_one_reaches_both(self):
        self.assertEqual(self.login("red", "red", where="web"), "red")
        self.assertEqual(self.login("red", "blue", where="web"), "blue")

    def test_no_other_node_reaches_the_other_site(self):
        probe = ("import socket,sys\n"
                 "try: socket.create_connection((sys.argv[1], 22), 2); print('reached')\n"
                 "except OSError: print('not')\n")
        for here, there in (("red", "blue"), ("blue", "red")):
            for node in ("login", "c1"):
                self.assertEqual(self.sites.site(here).run(
                    node, "/usr/bin/python3", "-c", probe, self.sites.site(there).address), "not")

    def test_everybody_has_a_page_of_his_own_on_the_same_port(self):
        jobs = self.sites.start_pages(5500)
        self.assertEqual(len(jobs), 10)
        for user, name in jobs:
            page = self.sites.page(user, name)
            for other in self.sites.users:
                for there in ("red", "blue"):
                    (self.assertIn if (other, there) == (user, name) else self.assertNotIn)(
                        self.sites.text_of(other, there), page)
            record = self.sites.path(name).record(user)
            self.assertEqual((record["job_id"], record["slurm_node"]),
                             (jobs[user, name], self.sites.node_of(user)))

    def test_doctor_finds_nothing_wrong_for_anybody_on_both(self):
        sites = self.sites
        sites.start_pages(5601, users=["alice"],
                          command="/usr/bin/python3 -m http.server --bind 127.0.0.1 "
                                  "--directory site {port}")
        manager = pwd.getpwnam("daemon").pw_uid  # who must not be root; ssh wants a name for him
        options = [*sites.clusters(), "--identity", sites.identity_pattern(manager),
                   "--known-hosts", sites.known_hosts, "--ssh-config", "/dev/null",
                   "--listen", "127.0.0.1:0", "--state", "/tmp/hpc-none/state.db",
                   "--socket", "/tmp/hpc-none/socket"]
        for name in ("red", "blue"):
            for user in ("alice", "bob"):
                done = subprocess.run(
                    ["setpriv", "--reuid", str(manager), "--regid", str(manager), "--clear-groups",
                     sites.site("red").directory / "bin/hpc-manager", "doctor", name, "--user",
                     user, "--json", *options],
                    stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                    env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"})
                steps = {step["step"]: step for step in json.loads(done.stdout)["steps"]}
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertIn(f"as {user}", steps["cluster"]["text"])
                self.assertEqual(steps["hpc-proxy"]["state"], "ok" if user == "alice" else "note")
                self.assertEqual({step["state"] for step in steps.values()} - {"note"}, {"ok"})

    def test_keys_for_a_manager_are_its_own(self):
        pattern = self.sites.identity_pattern(uid=65533)
        for user in self.sites.users:
            status = pathlib.Path(pattern.replace("%u", user)).stat()
            self.assertEqual((status.st_uid, status.st_mode & 0o777), (65533, 0o600))


if __name__ == "__main__":
    unittest.main()
