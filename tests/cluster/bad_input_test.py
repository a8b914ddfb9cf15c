"""What goes wrong on a cluster: each has its own message and exit code."""

import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from slurm_site import our_program  # noqa: E402
from waiting import wait_until  # noqa: E402
from whole_path import WholePath, get  # noqa: E402

NOT_FOUND, NOT_AUTHENTICATED = 3, 4


class BadInputTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = WholePath("--users", "3")
        cls.addClassCleanup(cls.path.close)
        cls.site = cls.path.site

    def connect(self, user, **change):
        """Runs hpc-manager connect to its end; (exit code, what it said)."""
        options = {"--port": "0", "--identity": self.site.key(user), "--ssh-config": "/dev/null",
                   "--known-hosts": self.site.known_hosts, **change}
        done = subprocess.run(
            [our_program("hpc-manager"), "connect", f"{user}@{self.site.address}",
             *(str(word) for option in options.items() for word in option)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "", "no URL may be printed")
        return done.returncode, done.stderr

    def test_no_job_running(self):
        code, said = self.connect("alice")
        self.assertEqual(code, NOT_FOUND, said)
        self.assertRegex(said, "(?i)no .*(job|hpc-proxy)")

    def test_refused_key(self):
        code, said = self.connect("alice", **{"--identity": self.site.key("bob")})
        self.assertEqual(code, NOT_AUTHENTICATED, said)

    def test_stale_record_of_a_job_that_is_gone(self):
        job = self.path.start_app("bob", "c1", 5510)
        record = next(self.site.home("bob").glob(".hpc-proxy/jobs/*.json"))
        text = record.read_text()
        self.site.run("bob@login", "scancel", job)
        wait_until(lambda: not record.exists(), "the record's end with its job", 30)
        # As after a crash of the node, which removes nothing.
        self.site.run("bob@login", "sh", "-c",
                      f"umask 077; cat > .hpc-proxy/jobs/{record.name} <<'END'\n{text}\nEND\n")
        wait_until(lambda: self.site.job_state("bob", job) in ("", "COMPLETED ", "CANCELLED "),
                   "the job's end")
        code, said = self.connect("bob")
        self.assertEqual(code, NOT_FOUND, said)

    def test_node_dies_under_a_connected_manager(self):
        job = self.path.start_app("carol", "c2", 5520)
        manager = self.path.connect("carol")
        self.assertEqual(get(manager.url + "/port/5520/who")[0], 200)
        self.site.kill("c2")
        status, _ = get(manager.url + "/port/5520/who", timeout=40)
        self.assertIn(status, (502, 503, 504))
        self.assertIsNone(manager.process.poll(), manager.text())
        self.site.start("c2")
        self.site.run("carol@login", "scancel", job)


if __name__ == "__main__":
    unittest.main()
