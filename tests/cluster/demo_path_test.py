"""What a user does: submit a job template, connect, open the page, edit, see it reload."""

import os
import pathlib
import subprocess
import sys
import unittest

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path.insert(0, str(SUPPORT))
from slurm_site import ROOT, skip  # noqa: E402
from waiting import wait_until  # noqa: E402
from whole_path import WholePath, get  # noqa: E402

LIVE_SERVER = ("live-server", "--host=127.0.0.1", "--no-browser")

# Stands in for code-server: reads the same settings file and says the same line.
CODE_SERVER = """#!/usr/bin/python3
import http.server, os, sys
settings = dict(line.strip().split(": ", 1) for line in open(sys.argv[sys.argv.index("--config") + 1]))
assert settings["auth"] == "password" and len(settings["password"]) >= 32, settings
assert settings["trusted-origins"] == '"*"', settings
host, port = settings["bind-addr"].rsplit(":", 1)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["VSCODE_PROXY_URI"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.HTTPServer((host, int(port)), Handler)
print(f"[2024-01-01T00:00:00.000Z] info  HTTP server listening on http://{host}:{server.server_port}/",
      flush=True)
server.serve_forever()
"""


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

    def test_vscode_template(self):
        program = self.site.directory / "bin/code-server"
        program.write_text(CODE_SERVER)
        program.chmod(0o755)
        job = self.submit("carol", "vscode.sbatch")
        wait_until(lambda: "password: in" in self.output("carol", job), "the page's address", 30)
        address = self.output("carol", job).split("VS Code: ", 1)[1].split()[0]
        port = address.rstrip("/").rsplit("/", 1)[1]
        self.assertEqual(address, f"http://127.0.0.1:9000/port/{port}/")
        manager = self.path.connect("carol")
        self.assertEqual(get(f"{manager.url}/port/{port}/"), (200, b"/port/{{port}}/"))
        settings = self.site.home("carol") / f".hpc-proxy/vscode-{job}/config.yaml"
        self.assertEqual(os.stat(settings).st_mode & 0o777, 0o600)
        self.site.run("carol@login", "scancel", job)
        wait_until(lambda: not settings.exists(), "the end of the password's file")

    def test_template_without_hpc_proxy_says_so(self):
        job = self.submit("carol", "plain.sbatch", "true", environment="PATH=/usr/bin:/bin")
        wait_until(lambda: "hpc-proxy is not in PATH" in self.output("carol", job), "the error", 30)


if __name__ == "__main__":
    unittest.main()
