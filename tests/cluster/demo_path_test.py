"""What a user does: submit a job template, connect, open the page, edit, see it reload."""

import pathlib
import subprocess
import sys
import unittest

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path.insert(0, str(SUPPORT))
from slurm_site import ROOT, skip  # noqa: E402
from waiting import wait_until  # noqa: E402
from whole_path import WholePath  # noqa: E402

LIVE_SERVER = ("live-server", "--host=127.0.0.1", "--no-browser")

class DemoPathTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (ROOT / "build/apps/node_modules/live-server").is_dir():
            skip("Live Server is missing; run packaging/install-deps.sh test")
        cls.path = WholePath()
        cls.addClassCleanup(cls.path.close)
        cls.site = cls.path.site

    def submit(self, user, template, *command, environment=""):
        """sbatch from a copy of the scripts' directory, as the README says."""
        self.site.run(f"{user}@login", "sh", "-c", "rm -rf job; cp -r /mnt/scripts job")
        return self.site.run(f"{user}@login", "env", "-C", "job", *environment.split(),
                             "sbatch", "--parsable", template, *command)

    def output(self, user, job):
        return "\n".join(path.read_text()
                         for path in self.site.home(user).glob(f"job/*-{job}.out"))

    def check_live_server(self, user, port, **more):
        home = self.site.home(user)
        page = home / "site/index.html"
        page.parent.mkdir()
        page.write_text("<!DOCTYPE html>\n<html><body><h1>Hello from Live Server</h1>\n"
                        "</body></html>\n")
        job = self.submit(user, "plain.sbatch", *LIVE_SERVER, f"--port={port}",
                          f"/mnt/home/{user}/site", **more)
        wait_until(lambda: self.path.record(user), "the job's record")
        manager = self.path.connect(user)
        seen = subprocess.run(
            ["/usr/bin/python3", SUPPORT / "live_reload.py", f"{manager.url}/port/{port}/", page],
            capture_output=True, text=True, timeout=100)
        self.assertEqual(seen.returncode, 0,
                         seen.stderr + manager.text() + self.output(user, job))
        self.assertIn("<h1>Hello from Live Server</h1>", seen.stdout)
        self.assertIn("index.html: reload", seen.stdout)
        return job

    def test_live_server_page_and_reload(self):
        job = self.check_live_server("alice", 5500)
        self.site.run("alice@login", "scancel", job)
        wait_until(lambda: not self.path.record("alice"), "the record's end with its job", 30)

    def test_lines_of_older_job_scripts_still_work(self):
        job = self.check_live_server("bob", 5501, environment="HPC_PROXY_START=wait")
        port = (self.site.home("bob") / ".hpc-proxy/port").read_text()
        self.assertEqual(port, f"{self.path.record('bob')['port']}\n")
        self.site.run("bob@login", "scancel", job)

    def test_template_without_hpc_proxy_says_so(self):
        job = self.submit("carol", "plain.sbatch", "true", environment="PATH=/usr/bin:/bin")
        wait_until(lambda: "hpc-proxy is not in PATH" in self.output("carol", job), "the error", 30)


if __name__ == "__main__":
    unittest.main()
