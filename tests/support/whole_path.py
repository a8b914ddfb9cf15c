"""The whole path for cluster tests: app and hpc-proxy in a SLURM job, hpc-manager out here.

    browser (the test) -> hpc-manager connect -> sshd on login -> hpc-proxy on a node -> app
"""

import json
import pathlib
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request

from slurm_site import Site, our_program
from waiting import wait_until

# No proxy from the environment may stand between the test and hpc-manager.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

APP_JOB = """#!/bin/bash
#SBATCH --requeue
exec bash /mnt/scripts/plain.sbatch /usr/bin/python3 /mnt/tests/test_app.py {port}
"""


def get(url, timeout=20, headers=None):
    """(status, body) of a GET; a refused or broken connection raises OSError."""
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with OPENER.open(request, timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Manager:
    """A running `hpc-manager connect USER@login` in this machine's own network."""

    def __init__(self, site, user, *options):
        self.log = tempfile.NamedTemporaryFile(mode="w+", prefix="hpc-manager-",
                                               dir=site.directory / "log")
        # It ends with the test, also when the test is killed.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", our_program("hpc-manager"),
             "connect", f"{user}@{site.address}", "--port", "0", "--identity", site.key(user),
             "--known-hosts", site.known_hosts, "--ssh-config", "/dev/null", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.url = None
        reader = threading.Thread(target=self._read_url, daemon=True)
        reader.start()
        reader.join(30)
        if not self.url:
            log = self.stop()
            raise AssertionError(f"hpc-manager printed no URL; exit {self.process.returncode}:\n"
                                 + log)

    def _read_url(self):
        self.url = self.process.stdout.readline().strip().rstrip("/")

    def text(self):
        return pathlib.Path(self.log.name).read_text()

    def stop(self):
        """Ends it as a service manager would; returns what it said on stderr."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        text = self.text()
        self.log.close()
        return text

    def descriptors(self):
        return len(list(pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def memory_peak_kib(self):
        return memory_peak_kib(pathlib.Path(f"/proc/{self.process.pid}/status").read_text())


def memory_peak_kib(status):
    """VmHWM, the largest resident size so far, from the text of /proc/PID/status."""
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


class WholePath:
    """A site, and per user a job with test_app.py, hpc-proxy and a manager connected to it."""

    def __init__(self, *options):
        programs = [our_program("hpc-proxy"), our_program("hpc-manager")]
        tests = pathlib.Path(__file__).resolve().parent
        self.site = Site("--uplink", "--bind", f"{tests}=tests", *options, programs=programs)
        self._managers = []

    def start_app(self, user, node, port=5500, **variables):
        """Submits the job and waits until its hpc-proxy and the app listen; the job's id.
        `variables` are added to the job's environment."""
        # As in submissions from the directory of the scripts, without copying them there.
        variables["HPC_PROXY_SCRIPTS"] = "/mnt/scripts"
        export = ",".join(f"{name}={value}" for name, value in variables.items())
        job = self.site.submit(user, APP_JOB.format(port=port), "-w", node,
                               f"--export=ALL,{export}")
        try:
            self.wait_for_app(user, job, node, port)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.site.logs()}") from error
        return job

    def wait_for_app(self, user, job, node, port=5500):
        wait_until(lambda: self.site.job_state(user, job) == f"RUNNING {node}",
                   f"job {job} on {node}", 40)
        wait_until(lambda: self.record(user), "the job's record")
        listening = ["sh", "-c", f"ss -Hltn 'sport = :{port}'"]
        wait_until(lambda: self.site.run(node, *listening), f"port {port} on {node}")

    def record(self, user):
        """The newest job record of the user; None when there is none."""
        records = [json.loads(path.read_text())
                   for path in self.site.home(user).glob(".hpc-proxy/jobs/*.json")]
        return max(records, key=lambda record: record["started_at"], default=None)

    def connect(self, user, *options):
        manager = Manager(self.site, user, *options)
        self._managers.append(manager)
        return manager

    def proxy_status(self, user):
        """/proc/PID/status of the user's hpc-proxy, and how many descriptors it has."""
        record = self.record(user)
        proc = f"/proc/{record['pid']}"
        script = f"cat {proc}/status; ls {proc}/fd | wc -l"
        *status, descriptors = self.site.run(record["host"], "sh", "-c", script).splitlines()
        return "\n".join(status), int(descriptors)

    def close(self):
        for manager in self._managers:
            manager.stop()
        self.site.close()
